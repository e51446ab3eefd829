"""Job folders on disk: claimed by rename, so a job is in exactly one place."""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from edge.core.errors import ConfigError
from edge.core.job import salvage
from edge.core.places import UNFINISHED, Place
from edge.files import move_durably, write_durably
from edge.jobs.folder import NOTHING_KNOWN, ClaimedJob, arrival, open_folder
from edge.jobs.vendors import JobDefaults
from edge.upkeep.ports import Backlog, FinishedJob, FoundJob

log = logging.getLogger(__name__)


class FolderSpool:
    """A spool folder with ``incoming``, ``work``, ``done`` and ``rejected`` on one file system."""

    def __init__(self, root: Path, defaults: JobDefaults = NOTHING_KNOWN, *, settle_s: float = 0.0) -> None:
        """Create what is missing. ``defaults``: what a result XML or a table leaves open; ``settle_s``: how long
        nothing in a folder must have changed before it is claimed.

        Raises ConfigError when the folder cannot be used.
        """
        self._root, self._defaults, self._settle_s = root, defaults, settle_s
        self.incoming, self.work, self.done, self.rejected = (root / place for place in Place)
        try:
            for folder in (self.incoming, self.work, self.done, self.rejected):
                folder.mkdir(parents=True, exist_ok=True)
                if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
                    raise PermissionError(errno.EACCES, "no write access", str(folder))
        except OSError as error:
            raise ConfigError(f"[spool] path: {error}; give the daemon's user a writable folder") from error
        self._waiting: deque[Path] = deque()
        self._ignored: set[str] = set()

    def claim(self) -> ClaimedJob | None:
        """Take the next job: first what a crash or a failed attempt left in work, then the oldest incoming one.

        For one consumer: whatever lies in work when the next job is asked for was not finished.
        """
        for folder in sorted(self.work.iterdir()):
            if folder.is_dir():
                return open_folder(folder, self._defaults)
        if not self._waiting:
            self._waiting = deque(self._arrived())
        while self._waiting:
            folder = self._waiting.popleft()
            target = _free_name(self.work / folder.name)
            try:
                move_durably(folder, target)
            except FileNotFoundError:
                continue  # taken back by its sender since the folder was listed
            except PermissionError as error:
                self._say_once(
                    folder.name,
                    f"{error}; a job folder must be writable for the daemon's group (the sender's umask: 002)",
                )
                continue
            return open_folder(target, self._defaults)
        return None

    def peek(self) -> ClaimedJob | None:
        """The job that would be claimed after the one in hand, where it lies; it may be gone when its turn comes."""
        try:
            return open_folder(self._waiting[0], self._defaults) if self._waiting else None
        except OSError:
            return None

    def finish(self, job: ClaimedJob) -> None:
        """Move a decided job to done."""
        move_durably(job.folder, _free_name(self.done / job.folder.name))

    def reject(self, job: ClaimedJob, reason: str) -> None:
        """Move a refused job to rejected, with reason.json."""
        document = {"schema": "axi-rejection/1", "job": job.folder.name, "reason": reason}
        try:
            write_durably(job.folder / "reason.json", json.dumps(document, indent=1).encode() + b"\n")
        except (IsADirectoryError, PermissionError) as error:  # the sender's doing; the job must leave the queue
            log.warning("no reason.json written", extra={"job": str(job.folder), "problem": str(error)})
        move_durably(job.folder, _free_name(self.rejected / job.folder.name))

    def waiting(self) -> Backlog:
        """What is still to be inspected."""
        return backlog(self._root)

    def hand_back(self) -> int:
        """Move every finished job, done or rejected, back to incoming, to be inspected again; how many."""
        filed = [folder for place in (self.done, self.rejected) for folder in sorted(_job_folders(place))]
        for folder in filed:
            move_durably(folder, _free_name(self.incoming / folder.name))
        return len(filed)

    def finished(self) -> list[FinishedJob]:
        """Every job in done and rejected, the longest filed first."""
        found = []
        for place in (self.done, self.rejected):
            for folder in _job_folders(place):
                with suppress(FileNotFoundError):
                    size = sum(part.lstat().st_size for part in folder.rglob("*"))
                    found.append(FinishedJob(folder, open_folder(folder).content, folder.stat().st_ctime, size))
        return sorted(found, key=lambda job: job.filed)

    def discard(self, folder: Path) -> None:
        """Delete a finished job's folder: it is out of the way at once, whatever interrupts the deleting."""
        doomed = folder.with_name(f".{folder.name}.discarded")
        folder.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)

    def sweep(self) -> None:
        """Finish the deleting that was interrupted."""
        for place in (self.done, self.rejected):
            for doomed in place.glob(".*.discarded"):
                shutil.rmtree(doomed, ignore_errors=True)

    def _settled(self, folder: Path) -> bool:
        """Has nothing in the folder changed for a while, by this machine's clock?"""
        try:
            newest = max(path.lstat().st_ctime for path in (folder, *folder.iterdir()))
        except FileNotFoundError:
            return False
        except OSError:
            return True  # not ours to look into: claiming it says so
        return not 0 <= time.time() - newest < self._settle_s

    def _say_once(self, entry: str, problem: str) -> None:
        if entry not in self._ignored:
            self._ignored.add(entry)
            log.error("left in incoming", extra={"entry": entry, "problem": problem})

    def _arrived(self) -> list[Path]:
        """Complete job folders, oldest first. ``*.tmp`` is still being written; stray files are not jobs."""
        found = []
        with os.scandir(self.incoming) as entries:
            for entry in entries:
                if entry.name.endswith(".tmp") or entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if self._settle_s and not self._settled(Path(entry.path)):
                        continue
                    found.append((entry.stat(follow_symlinks=False).st_mtime_ns, entry.name))
                else:
                    self._say_once(entry.name, "not a job folder")
        return [self.incoming / name for _, name in sorted(found)]


def backlog(root: Path) -> Backlog:
    """Jobs in the spool that are still to be inspected, touching nothing."""
    arrivals, jobs = [], 0
    for place in UNFINISHED:
        for folder in _job_folders(root / place):
            jobs += 1
            with suppress(OSError):  # moved on since it was listed, or not ours to look into
                arrivals.append(arrival(folder))
    return Backlog(jobs, min(arrivals, default=None))


def survey(root: Path) -> Iterator[FoundJob]:
    """Every job in the spool, touching nothing."""
    for place in Place:
        for folder in sorted(_job_folders(root / place)):
            with suppress(FileNotFoundError):
                job = open_folder(folder)
                yield FoundJob(place, folder.name, job.content, salvage(job.manifest))


def _job_folders(place: Path) -> Iterator[Path]:
    if not place.is_dir():
        return
    for folder in place.iterdir():
        hidden = folder.name.startswith(".") or folder.name.endswith(".tmp")
        if not hidden and folder.is_dir() and not folder.is_symlink():
            yield folder


def _free_name(path: Path) -> Path:
    """``path``, or ``path.2``, ``path.3`` ... when taken: a folder never overwrites another."""
    candidate, n = path, 1
    while candidate.exists():
        n += 1
        candidate = path.with_name(f"{path.name}.{n}")
    return candidate
