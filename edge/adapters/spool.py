"""Job folders on disk: claimed by rename, so a job is in exactly one place."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import shutil
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from edge.core.errors import ConfigError
from edge.core.foreign import ROIS, TABLE, Told, Unsaid, tell_table, tell_xml
from edge.core.job import Salvage, printable, salvage
from edge.files import move_durably, read_regular, write_durably
from edge.ports import Backlog, ClaimedJob, FinishedJob

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 64 * 1024 * 1024
_STORAGE_FAULTS = {errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ESTALE}
"""The disk's or the system's fault, not the job's: to be tried again."""
_UNSAID = Unsaid()
_FOLDERS = ("incoming", "work", "done", "rejected")


class FolderSpool:
    """A spool folder with ``incoming``, ``work``, ``done`` and ``rejected`` on one file system."""

    def __init__(self, root: Path, unsaid: Unsaid = _UNSAID, *, settle_s: float = 0.0) -> None:
        """Create what is missing; ``unsaid``: what a result XML or a table leaves open; ``settle_s``: how long nothing
        in a folder must have changed before it is claimed.

        Raises ConfigError when the folder cannot be used.
        """
        self._unsaid, self._settle_s = unsaid, settle_s
        self.incoming, self.work, self.done, self.rejected = (root / name for name in _FOLDERS)
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
                return open_folder(folder, self._unsaid)
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
            return open_folder(target, self._unsaid)
        return None

    def peek(self) -> ClaimedJob | None:
        """The job that would be claimed after the one in hand, where it lies; it may be gone when its turn comes."""
        try:
            return open_folder(self._waiting[0], self._unsaid) if self._waiting else None
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
        arrivals, jobs = [], 0
        for place in (self.work, self.incoming):
            for folder in _job_folders(place):
                jobs += 1
                with suppress(OSError):  # moved on since it was listed, or not ours to look into
                    arrivals.append(_arrival(folder))
        return Backlog(jobs, min(arrivals, default=None))

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


class FoundJob(NamedTuple):
    """A job folder found while looking around. ``place``: incoming, work, done or rejected."""

    place: str
    name: str
    content: str
    found: Salvage


def survey(root: Path) -> Iterator[FoundJob]:
    """Every job in the spool, touching nothing."""
    for place in _FOLDERS:
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


def open_folder(folder: Path, unsaid: Unsaid = _UNSAID) -> ClaimedJob:
    """Read what a job folder says of itself, in whichever words, where it lies; claims nothing.

    A document that cannot be read is as good as empty.
    """
    names = _names(folder)
    manifest = _read(folder / MANIFEST)
    results = [name for name in names if name.lower().endswith(".xml")]
    if manifest or MANIFEST in names or not (results or TABLE in names):
        sent, told, source = [manifest], Told({}, ""), MANIFEST
    elif results:
        source = results[0]
        xml, rois = _read(folder / source), _read(folder / ROIS)
        sent, told = [xml, rois], tell_xml(xml, rois if ROIS in names else None, names, unsaid)
        if len(results) > 1:
            told = told._replace(problem=f"{results[1]} lies beside it; a job folder holds one result")
    else:
        source = TABLE
        table = _read(folder / TABLE)
        # A table need not name its board, so boards that are alike are told apart by their pictures.
        sent, told = [table, *_pictures(folder, names)], tell_table(table, printable(folder.name), names, unsaid)
    if source != MANIFEST:
        manifest = json.dumps(told.document).encode()
    # What was sent is a job's identity: it stays the same however often the folder is looked at, and names the
    # joints. Without any, the folder's name is all there is.
    identity = b"\0".join(sent) if any(sent) else os.fsencode(folder.name)
    content = "sha256:" + hashlib.sha256(identity).hexdigest()
    return ClaimedJob(
        folder, manifest, content, _arrival(folder), folder.stat().st_ino, source=source, problem=told.problem
    )


def _pictures(folder: Path, names: Sequence[str]) -> Iterator[bytes]:
    """Name, size and time of every file besides the table: the same wherever the folder is moved."""
    for name in names:
        if name not in {TABLE, "reason.json"}:
            found = (folder / name).lstat()
            yield f"{name} {found.st_size} {found.st_mtime_ns}".encode("utf-8", "surrogateescape")


def _names(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries)


def _read(path: Path) -> bytes:
    try:
        return read_regular(path, MAX_MANIFEST_BYTES)
    except OSError as error:
        if error.errno in _STORAGE_FAULTS:
            raise
        if error.errno != errno.ENOENT:
            log.warning("not readable", extra={"file": str(path), "problem": str(error)})
        return b""


def _arrival(folder: Path) -> float:
    """When the manifest was written here, by our clock; moving its folder does not change that. Raises OSError."""
    for name in (MANIFEST, ROIS, TABLE):
        with suppress(FileNotFoundError):
            return (folder / name).lstat().st_ctime
    return folder.lstat().st_ctime


def _free_name(path: Path) -> Path:
    """``path``, or ``path.2``, ``path.3`` ... when taken: a folder never overwrites another."""
    candidate, n = path, 1
    while candidate.exists():
        n += 1
        candidate = path.with_name(f"{path.name}.{n}")
    return candidate
