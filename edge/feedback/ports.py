"""What feedback needs of the journal, and of the folder that reviews are dropped into."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from msgspec import Struct

from edge.core.evidence import Count
from edge.core.licence import Act
from edge.core.review import Review, Said
from edge.core.wire import Message


class Entered(NamedTuple):
    """What became of some reviews. ``again``: how many were known by their id; ``aside``: (review, why) of those that
    belong to no joint that is known here.
    """

    new: int
    again: int
    aside: tuple[tuple[Review, str], ...]

    def and_(self, other: Entered) -> Entered:
        return Entered(self.new + other.new, self.again + other.again, (*self.aside, *other.aside))


class ReviewBook(Protocol):
    """The journal's reviews."""

    def enter(self, reviews: Sequence[Review], source: str, now: datetime) -> Entered:
        """Each once, by its id, in one durable transaction. One of a joint that is not known here is set aside."""

    def reconsider(self, since: datetime | None, now: datetime) -> int:
        """How many that were set aside, after ``since``, have found their joint, which is known by now."""


class ReviewFolder(Protocol):
    """Where files of reviews are dropped."""

    def waiting(self) -> list[Path]:
        """Whole files, the oldest first."""

    def read(self, path: Path) -> bytes:
        """Raises OSError."""

    def keep(self, content: bytes) -> None:
        """Write what came by the broker as a file that waits, durably. Raises OSError."""

    def finish(self, path: Path) -> None:
        """It was entered to its end."""

    def reject(self, path: Path, problems: Sequence[str]) -> None:
        """Parts of it could not be read: keep it, and say what is wrong with it beside it."""


class Heard(NamedTuple):
    """A message from the broker, by the number that it has in that session; 0: nobody waits for an acknowledgement."""

    session: int
    number: int
    payload: bytes


class Post(Protocol):
    """Reviews that come as messages, and come again until they are acknowledged."""

    def listen(self) -> None:
        """From now on, unless it does already; does not wait for the broker, and its trouble is an alarm."""

    def take(self) -> Sequence[Heard]:
        """What has come since this was asked last."""

    def put_back(self, heard: Sequence[Heard]) -> None:
        """They could not be written down: they are to be taken again."""

    def acknowledge(self, heard: Sequence[Heard]) -> None:
        """They are on disk."""

    def close(self) -> None:
        """What comes from now on is kept by the broker."""


class Alarms(Protocol):
    """What people are told of."""

    def set(self, code: str, text: str, *, on: bool) -> None:
        """A trouble is there, or it is not."""

    def event(self, code: str, text: str) -> None:
        """Something that happened and is over."""


class ReviewHeld(Struct, frozen=True, kw_only=True):
    """A review as the journal has it. ``problem``: why it belongs to no joint here; else ``event_id`` is the verdict's.

    ``said``: what the network said of the joint, where it was scored.
    """

    review_id: str
    received: str
    source: str
    decision: str
    reviewer: str
    time: str
    job_id: str
    serial: str
    joint: str
    event_id: str | None
    problem: str | None
    board_type: str | None
    joint_type: str | None
    p_defect: float | None
    reason: str | None
    defect_class: str | None
    blind: bool
    settled: bool


class Key(NamedTuple):
    """What a licence is for. ``digest``: of the bundle."""

    board_type: str
    joint_type: str
    digest: str


class Spoken(NamedTuple):
    """A review of a joint that counts for a licence, or for a reviewer's record. ``placed`` and ``entered``: the order
    in which reviews came to be of a known joint, and came here at all. ``score``: p_defect, or the quality index;
    ``decided``: when the joint was, or of one that nobody drew, when the review came; ``judged``: what was said of it
    was what the network made of it, not that it looks unfamiliar, for example.
    """

    placed: int
    entered: int
    event_id: str
    key: Key
    score: float | None
    said: Said
    reviewer: str
    settled: bool
    sampled: bool
    job_id: str = ""
    decided: str = ""
    judged: bool = True


class ActHeld(NamedTuple):
    """What was done to licences: of every joint type or bundle where none is named, of every board type where it is
    ''. ``after``: how many reviews had been placed.
    """

    board_type: str
    joint_type: str | None
    digest: str | None
    act: Act
    after: int = 0
    time: str = ""

    def concerns(self, key: Key) -> bool:
        return (
            self.board_type in {"", key.board_type}
            and (self.joint_type is None or self.joint_type.casefold() == key.joint_type.casefold())
            and self.digest in {None, key.digest}
        )


class Answered(NamedTuple):
    """Joints that the coin drew, and how many of them (hits) a reviewer was sure of: ``begun``, those of jobs that any
    was reviewed of; ``ended``, of these jobs those whose reviews have had time to come; ``old``, the last of some time
    ago.
    """

    begun: Count = Count(0, 0)
    ended: Count = Count(0, 0)
    old: Count = Count(0, 0)


class LicenceSaid(NamedTuple):
    """A licence's retained message."""

    key: Key
    message: Message


class Suspended(Struct, frozen=True):
    """By hand, and not lifted."""

    board_type: str
    joint_type: str | None
    by: str
    reason: str


class Mark(Struct, frozen=True):
    """``token``: changes whenever evidence, or what was done to licences, does. ``suspended``: what must outlive a
    journal.
    """

    token: str
    suspended: tuple[Suspended, ...] = ()


class Marks(Protocol):
    """A note, apart from the journal, of what that holds."""

    def mark(self, mark: Mark) -> None:
        """Durably. Raises OSError."""

    def marked(self) -> Mark | None:
        """What was noted last; None where nothing was. Raises OSError."""


class LicenceBook(Protocol):
    """The journal's evidence for licences, what was done to them, and what was said of them."""

    def spoken(self, after: int, digests: Collection[str]) -> list[Spoken]:
        """Reviews of joints that these bundles judged and the coin drew, or that they call defects, and of joints whose
        truth was settled: some of those that were placed after that many, in that order. With what settles the truth
        of a joint all that was said of it before.
        """

    def tokens(self) -> tuple[str, ...]:
        """The token of what it holds, and the one before."""

    def renew(self, token: str) -> None:
        """What it holds has changed; durably."""

    def acts(self) -> list[ActHeld]:
        """All that was ever done, in order."""

    def enter(self, acts: Iterable[ActHeld], now: datetime) -> None:
        """Durably, and counted from the reviews that are placed now."""

    def answered(self, lately: datetime, before: datetime, reviewers: Collection[str]) -> dict[Key, Answered]:
        """How many of the joints that were drawn are reviewed by any of these; ``ended``: of boards whose reviews began
        before ``lately``; ``old``: of the last of those decided before then.
        """

    def said(self) -> dict[Key, bytes]:
        """What was said of each licence last."""

    def keep(self, digests: Collection[str]) -> dict[Key, bytes]:
        """Forget what was said of other bundles' licences: that."""

    def tell(self, messages: Sequence[Message]) -> None:
        """Queue these, durably."""

    def say(self, licences: Sequence[LicenceSaid], alarms: Sequence[Message]) -> None:
        """Queue what changed, and remember that it was said, in one durable transaction."""
