"""What feedback needs of the journal, and of the folder that reviews are dropped into."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from msgspec import Struct

from edge.core.review import Review


class Entered(NamedTuple):
    """What became of some reviews. ``again``: how many were known by their id; ``aside``: (review, why) of those that
    belong to no joint that is known here.
    """

    new: int
    again: int
    aside: tuple[tuple[Review, str], ...]


class ReviewBook(Protocol):
    """The journal's reviews."""

    def enter(self, reviews: Sequence[Review], source: str, now: datetime) -> Entered:
        """Each once, by its id, in one durable transaction. One of a joint that is not known here is set aside."""

    def reconsider(self, since: datetime | None) -> int:
        """How many that were set aside, after ``since``, have found their joint, which is known by now."""


class ReviewFolder(Protocol):
    """Where files of reviews are dropped."""

    def waiting(self) -> list[Path]:
        """Whole files, the oldest first."""

    def read(self, path: Path) -> bytes:
        """Raises OSError."""

    def finish(self, path: Path) -> None:
        """It was entered to its end."""

    def reject(self, path: Path, problems: Sequence[str]) -> None:
        """Parts of it could not be read: keep it, and say what is wrong with it beside it."""


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
    defect_class: str | None
    blind: bool
