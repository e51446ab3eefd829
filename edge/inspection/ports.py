"""What the inspection loop needs: a spool to take jobs from, and a ledger to write verdicts into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from edge.core.looks import Sight
from edge.core.release import Permit
from edge.core.wire import Encoder, Message, VerdictMessage
from edge.inspection.pace import Pace
from edge.jobs.folder import ClaimedJob
from edge.judging.ports import Judging


class Spool(Protocol):
    """Job folders. Each is in exactly one place: incoming, work, done or rejected."""

    def claim(self) -> ClaimedJob | None:
        """Take the next job: first what was left in work by a crash, then the oldest incoming one."""

    def peek(self, most: int) -> list[ClaimedJob]:
        """Jobs that would be claimed after the one in hand, where they lie; they may be gone when their turns come."""

    def finish(self, job: ClaimedJob) -> None:
        """Move a decided job to done."""

    def reject(self, job: ClaimedJob, reason: str) -> None:
        """Move a refused job to rejected, with reason.json."""


class Ledger(Protocol):
    """The inspection side of the journal."""

    def open_job(self, content: str, job_id: str, expected: int, now: datetime) -> JobEntry:
        """Enter a job, or find it again by its content; either way it counts as one more try."""

    def leave_job(self, entry: JobEntry) -> None:
        """The try ended in good order, or for a reason outside the job: forget its tries."""

    def decided(self, entry: JobEntry) -> dict[str, tuple[str, str]]:
        """Joint -> (verdict, route) of what is decided already."""

    def grades(self, entry: JobEntry) -> dict[str, int]:
        """Grade -> joints of the job that were given it."""

    def reasons(self, entry: JobEntry) -> dict[str, int]:
        """Reason -> joints of the job that went to the specialist for it."""

    def record(self, entry: JobEntry, verdicts: Sequence[VerdictMessage], shown: Shown | None = None) -> None:
        """Verdicts, their outbox rows and what their view showed, in one durable transaction; a joint decided before
        stays as it was.

        This is progress, and so forgets the job's tries. Raises JobRefused when another job under the same id gave
        a joint its verdict.
        """

    def shown_before(self, entry: JobEntry, shown: Shown, since: datetime) -> str | None:
        """The id of a job entered since then, this one included, of which another view showed one of these pictures."""

    def close_job(self, entry: JobEntry, messages: Sequence[Message], *, refused: bool, now: datetime) -> None:
        """Mark the job decided and queue its closing messages, in one durable transaction; once only."""

    def notify(self, message: Message) -> None:
        """Queue a message that belongs to no job."""


class Permits(Protocol):
    """What joints may be released by."""

    def permit(self, board_type: str, joint_type: str, digest: str) -> Permit:
        """Of joints like this, judged by the bundle of this digest."""

    def closed(self, board_type: str, *, strange: bool) -> None:
        """A board is inspected; did it look like nothing that the network knows?"""


class References(Protocol):
    """What views of board types look like, as far as that is learnt."""

    def learnt(self, board_type: str) -> Mapping[str, Sequence[int]]:
        """View -> its references' numbers, the newest first."""

    def reference(self, number: int) -> bytes:
        """As it was written down."""

    def wanted(self, board_type: str, view: str) -> bool:
        """Is there room for one more sight of it, to learn from?"""


class Shown(NamedTuple):
    """A view of a job and the fingerprints of its pictures. ``sight``: how it looks, where that may be learnt."""

    view: str
    fingerprints: tuple[bytes, ...]
    sight: Sight | None = None


class JobEntry(NamedTuple):
    """A job's row in the journal. ``clash``: another content was decided under the same job_id before.

    ``tries``: how often it was opened, this time included, since anything came of it.
    """

    row: int
    closed: bool
    clash: bool
    tries: int = 1


class InUse(NamedTuple):
    """What jobs are judged with; replaced whole, between two jobs. ``job_timeout_s``: how long one may be in work;
    ``repeated_days``: for how long a picture is not believed again, 0 for not at all; ``max_unfamiliar_share``: of a
    board's joints, beyond which somebody should look at the board. ``permits``: None where the card's word is enough.
    ``judged_by``: which bundles, at which operating points.
    """

    judge: Judging
    encoder: Encoder
    pace: Pace
    job_timeout_s: float
    repeated_days: float = 0.0
    max_unfamiliar_share: float = 1.0
    permits: Permits | None = None
    judged_by: str = ""
