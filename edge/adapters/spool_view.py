"""What lies in the spool: looked at, and nothing touched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from edge.core.job import Rejection, printable
from edge.core.places import UNFINISHED, Place
from edge.core.salvage import Salvage, salvage
from edge.core.wire import timestamp
from edge.files import is_unfinished, read_regular
from edge.jobs.folder import MAX_MANIFEST_BYTES, REASON, arrival, open_folder, unread_of
from edge.upkeep.ports import Backlog, FoundJob


def backlog(root: Path) -> Backlog:
    """Jobs in the spool that are still to be inspected, touching nothing."""
    arrivals, jobs = [], 0
    for place in UNFINISHED:
        for folder in job_folders(root / place):
            jobs += 1
            with suppress(OSError):  # moved on since it was listed, or not ours to look into
                arrivals.append(arrival(folder))
    return Backlog(jobs, min(arrivals, default=None))


def survey(root: Path) -> Iterator[FoundJob]:
    """Every job in the spool, touching nothing."""
    for place in Place:
        for folder in sorted(job_folders(root / place)):
            try:
                job = open_folder(folder)
            except FileNotFoundError:
                continue  # moved on since it was listed
            except OSError as error:
                yield FoundJob(
                    place, printable(folder.name), "", Salvage(None, None, ()), f"{error.strerror} for this user"
                )
            else:
                found = salvage(job.manifest)
                yield FoundJob(place, printable(folder.name), job.content, found, unread_of(job, found))


class RefusedJob(Struct, frozen=True, kw_only=True):
    """``job``: its folder's name as it came; ``time``: of the refusal."""

    job: str
    time: str
    reason: str


def refused(root: Path) -> list[RefusedJob]:
    """Jobs that lie in ``rejected``, the last first; none where this user may not look."""
    found = list[RefusedJob]()
    with suppress(OSError):
        for folder in job_folders(root / Place.REJECTED):
            with suppress(OSError, ValueError):
                said = msgspec.json.decode(read_regular(folder / REASON, MAX_MANIFEST_BYTES), type=Rejection)
                moment = datetime.fromtimestamp(folder.stat().st_ctime, UTC)
                found.append(RefusedJob(job=said.job, time=timestamp(moment), reason=said.reason))
    return sorted(found, key=lambda job: job.time, reverse=True)


def job_folders(place: Path) -> Iterator[Path]:
    if not place.is_dir():
        return
    for folder in place.iterdir():
        if not is_unfinished(folder.name) and folder.is_dir() and not folder.is_symlink():
            yield folder
