"""The smallest protocols the two loops need of the outside world."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from datetime import datetime
from enum import Enum, auto
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from edge.core.decide import Output
from edge.core.job import ImageFormat, Job, Joint, SliceFile, View
from edge.core.payloads import VerdictPayload
from edge.core.preprocess import Patch, Picture
from edge.core.verdict import Verdict
from edge.core.wire import Message

Now = Callable[[], datetime]
"""Wall clock, time-zone aware."""
Monotonic = Callable[[], float]
"""Seconds since some moment; never steps back."""

RuntimeChoice = Literal["auto", "litert", "tflite-runtime"]
Kernels = Literal["fast", "exact"]
"""``fast``: what the runtime prefers (XNNPACK). ``exact``: TFLite's integer kernels, bit-identical on every runtime.

XNNPACK rescales int32 sums in float, TFLite in fixed point; they round a few percent of the values differently.
"""


class ClaimedJob(NamedTuple):
    """A job folder that is ours.

    ``manifest``: the document of contract axi-job/1, as it was sent or as it was told from ``source``; ``problem``: why
    it could not be told whole. ``content`` digests what was sent. ``arrived``: when, in seconds since the epoch.
    """

    folder: Path
    manifest: bytes
    content: str
    arrived: float = 0.0
    inode: int = 0
    source: str = "manifest.json"
    problem: str = ""

    @property
    def key(self) -> str:
        """The same for the same folder, wherever it is moved to."""
        return f"{self.content} {self.inode}"


class Spool(Protocol):
    """Job folders. Each is in exactly one place: incoming, work, done or rejected."""

    def claim(self) -> ClaimedJob | None:
        """Take the next job: first what was left in work by a crash, then the oldest incoming one."""

    def peek(self) -> ClaimedJob | None:
        """The job that would be claimed after the one in hand, where it lies; it may be gone when its turn comes."""

    def finish(self, job: ClaimedJob) -> None:
        """Move a decided job to done."""

    def reject(self, job: ClaimedJob, reason: str) -> None:
        """Move a refused job to rejected, with reason.json."""


class ReadSlice(Protocol):
    """Reads one slice of a claimed job as 8-bit grey in its stored polarity. Raises SliceError."""

    def __call__(self, folder: Path, part: SliceFile, image: ImageFormat) -> Picture: ...


class Scorer(Protocol):
    """A loaded model."""

    @property
    def exact(self) -> bool:
        """Do integer outputs have to be identical to the recorded ones, or near them?"""

    def run(self, patch: Patch) -> Output:
        """Raw output for one patch, uint8 (size, size, channels) or (1, 1, features)."""


class ViewToJudge(NamedTuple):
    """A view, and those of its joints that are not decided yet."""

    view: View
    joints: tuple[Joint, ...]


class Batch(NamedTuple):
    """What is left to judge of a job. ``key``: of its folder, which a look ahead may have come by before."""

    job: Job
    folder: Path
    left: Sequence[ViewToJudge]
    key: str = ""


class Judging(Protocol):
    """Judges joints, here or in a process of its own."""

    @property
    def score_ms(self) -> float:
        """What the model alone takes for a joint of late, median; 0 before there was one."""

    def views(
        self, batch: Batch, beat: Callable[[], None], ahead: Batch | None = None
    ) -> Generator[Verdict, None, None]:
        """One verdict for each joint, in order. ``ahead``: what will probably be asked for next; its first view may
        be read and judged meanwhile.

        Raises RuntimeLost when whoever judges hangs or died, and OSError when the disk fails.
        """


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

    def record(self, entry: JobEntry, messages: Sequence[tuple[VerdictPayload, Message]]) -> None:
        """Verdicts and their outbox rows, in one durable transaction; a joint decided before stays as it was.

        This is progress, and so forgets the job's tries. Raises JobRefused when another job under the same id gave
        a joint its verdict.
        """

    def close_job(self, entry: JobEntry, messages: Sequence[Message], *, refused: bool, now: datetime) -> None:
        """Mark the job decided and queue its closing messages, in one durable transaction; once only."""

    def notify(self, message: Message) -> None:
        """Queue a message that belongs to no job."""


class JobEntry(NamedTuple):
    """A job's row in the journal. ``clash``: another content was decided under the same job_id before.

    ``tries``: how often it was opened, this time included, since anything came of it.
    """

    row: int
    closed: bool
    clash: bool
    tries: int = 1


class Queued(NamedTuple):
    """An outbox row."""

    seq: int
    message: Message


class Outbox(Protocol):
    """The reporting side of the journal."""

    def pending(self, limit: int) -> list[Queued]:
        """The oldest unsent rows, in order; those that were put back come last."""

    def mark_sent(self, rows: Sequence[int], now: datetime) -> None:
        """Strike rows the broker has acknowledged."""

    def put_back(self, rows: Sequence[int]) -> None:
        """Let rows the broker will not take wait behind all others; they are never dropped."""


class FinishedJob(NamedTuple):
    """A finished job's folder. ``filed``: seconds since the epoch; ``size``: bytes."""

    folder: Path
    content: str
    filed: float
    size: int


class FinishedJobs(Protocol):
    """The part of the spool that fills up."""

    def finished(self) -> list[FinishedJob]:
        """Every job in done and rejected, the longest filed first."""

    def discard(self, folder: Path) -> None:
        """Delete a finished job's folder: it is out of the way at once, whatever interrupts the deleting."""

    def sweep(self) -> None:
        """Finish the deleting that was interrupted."""


class Backlog(NamedTuple):
    """Jobs in incoming and work. ``oldest``: when that arrived, in seconds since the epoch."""

    jobs: int
    oldest: float | None


class Waiting(Protocol):
    def waiting(self) -> Backlog:
        """What is still to be inspected."""


class Settled(Protocol):
    """The journal, to whoever cleans up."""

    def settled(self, content: str) -> bool:
        """Is the job closed, and every verdict on it acknowledged by the broker? A job not known here is not."""

    def settled_before(self, moment: datetime) -> list[str]:
        """Contents of the settled jobs that were closed before ``moment``."""

    def forget(self, contents: Sequence[str]) -> None:
        """Drop the verdicts on settled jobs; any other stays. That there was such a job is remembered."""

    def unsent(self) -> int:
        """Messages that wait for the broker."""


class Free(NamedTuple):
    """Room on a disk: bytes and inodes."""

    size: int
    inodes: int


class Host(Protocol):
    """The machine."""

    def free(self, path: Path) -> Free:
        """Room on the file system of ``path``. Raises OSError."""

    def memory(self, pids: Sequence[int]) -> int:
        """Resident bytes of these processes together."""

    def temperature_c(self) -> float | None:
        """The hottest place; None where that cannot be read."""


class Outcome(Enum):
    """What became of a published message."""

    ACKNOWLEDGED = auto()
    REFUSED = auto()
    """The broker said no: access rules, quota, size."""
    UNKNOWN = auto()


class Session(Protocol):
    """One connection to the broker; once lost, it stays lost."""

    def publish(self, messages: Sequence[Message]) -> list[Outcome]:
        """Publish at QoS 1 and wait for the broker's word on each message."""

    @property
    def alive(self) -> bool: ...

    def close(self) -> None:
        """Disconnect cleanly; the Will is not sent."""


class Command(NamedTuple):
    """Something asked of the device by MQTT. ``reply_to``: the topic for the answer."""

    op: str
    reply_to: str
    correlation: bytes | None


class Connect(Protocol):
    """Opens a session. Raises BrokerUnavailable."""

    def __call__(self, will: Message) -> Session: ...
