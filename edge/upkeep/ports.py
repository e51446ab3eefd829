"""What upkeep needs of spool, journal and machine, and what an audit is told of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from edge.core.drift import Charts
from edge.core.places import JobState, Place
from edge.core.salvage import Salvage


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

    def waits(self, content: str) -> bool:
        """Does a joint of the job wait for its review? Never where no review ever came: there nobody reviews."""

    def settled_before(self, moment: datetime) -> list[str]:
        """Contents of the settled jobs that were closed before ``moment``."""

    def forget(self, contents: Sequence[str]) -> None:
        """Drop the verdicts on settled jobs; any other stays. That there was such a job is remembered."""

    def forget_pictures(self, before: datetime) -> None:
        """Those that jobs showed that were entered before then."""

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


class FoundJob(NamedTuple):
    """A job folder found while looking around. ``place``: incoming, work, done or rejected.

    ``unread``: why joints may be missing from what was found in it.
    """

    place: Place
    name: str
    content: str
    found: Salvage
    unread: str = ""


class JobHeld(NamedTuple):
    """A job as the journal has it. ``forgotten``: its verdicts were dropped, all of them acknowledged."""

    job_id: str
    state: JobState
    expected: int
    verdicts: dict[str, VerdictHeld]
    forgotten: bool = False


class VerdictHeld(NamedTuple):
    """``queued``: its message is in the outbox."""

    event_id: str
    verdict: str
    route: str
    acknowledged: bool
    queued: bool


class KeptCharts(Protocol):
    """Control charts over restarts."""

    def names(self) -> set[str]:
        """Board types whose charts are kept."""

    def keep(self, charts: Mapping[str, Charts | None]) -> None:
        """Write them down; None drops what is kept."""
