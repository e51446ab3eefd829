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

_OURS = frozenset({*Place, "reviews"})


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


def strangers(root: Path) -> list[tuple[Path, int]]:
    """Folders of the spool that nobody reads, and how many jobs each holds: ``incoming`` by another name."""
    found = []
    for folder in sorted(root.iterdir()):
        if folder.name in _OURS or is_unfinished(folder.name) or folder.is_symlink() or not folder.is_dir():
            continue
        with suppress(OSError):  # not ours to look into
            jobs = sum(any(part.is_file() for part in job.iterdir()) for job in job_folders(folder))
            if jobs:
                found.append((folder, jobs))
    return found


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
            with suppress(OSError):
                found.append(_refusal(folder))
    return sorted(found, key=lambda job: job.time, reverse=True)


def _refusal(folder: Path) -> RefusedJob:
    """By its reason.json; where nobody could write one, by its folder. Raises OSError."""
    try:
        said = msgspec.json.decode(read_regular(folder / REASON, MAX_MANIFEST_BYTES), type=Rejection)
        moment = (folder / REASON).stat().st_mtime
    except (OSError, ValueError):
        said, moment = Rejection(job=printable(folder.name), reason="the log says why"), folder.stat().st_mtime
    return RefusedJob(job=said.job, time=timestamp(datetime.fromtimestamp(moment, UTC)), reason=said.reason)


def job_folders(place: Path) -> Iterator[Path]:
    if not place.is_dir():
        return
    for folder in place.iterdir():
        if not is_unfinished(folder.name) and folder.is_dir() and not folder.is_symlink():
            yield folder
