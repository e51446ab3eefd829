"""Job folders on disk: claimed by rename, so a job is in exactly one place."""

from __future__ import annotations

import errno
import logging
import os
import time
from collections import deque
from collections.abc import Container
from collections.abc import Set as AbstractSet
from contextlib import suppress
from itertools import islice
from pathlib import Path

import msgspec

from edge.adapters.copying import COPIED, Copies, rights_of
from edge.adapters.settling import Settling
from edge.adapters.spool_folders import Left, SpoolFolders
from edge.adapters.spool_view import backlog, job_folders
from edge.core.clocks import Monotonic
from edge.core.job import Rejection, printable
from edge.files import (
    below,
    free_name,
    is_unfinished,
    lengthened,
    move_durably,
    remove_tree,
    write_durably,
)
from edge.jobs.folder import NOTHING_KNOWN, REASON, ClaimedJob, open_folder, require_readable
from edge.jobs.vendors import JobDefaults
from edge.upkeep.ports import Backlog, FinishedJob

log = logging.getLogger(__name__)

_DISCARDED = ".discarded"
_OWN_FAULTS = {errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP}
_OWN_FAULTS |= {errno.EBUSY, errno.ENOTEMPTY, errno.EEXIST, errno.EXDEV, errno.EINVAL, errno.ESTALE}
"""What is wrong with one folder, not with the disk."""
_UNREADABLE_PLACE = {errno.EIO, errno.EUCLEAN}
"""A part of the disk that one folder lies on; the others need not."""


def _said_in_the_log(entry: str, problem: str | None) -> None:
    if problem is not None:
        log.error("left in the spool", extra={"entry": entry, "problem": problem})


class FolderSpool:
    """A spool folder with ``incoming``, ``work``, ``done`` and ``rejected`` on one file system."""

    def __init__(
        self,
        root: Path,
        defaults: JobDefaults = NOTHING_KNOWN,
        *,
        settle_s: float = 0.0,
        clock: Monotonic = time.monotonic,
        unfinished_s: float = 600.0,
        quiet_s: float = 3.0,
        left: Left = _said_in_the_log,
    ) -> None:
        """Create what is missing. ``defaults``: what a result XML or a table leaves open; ``settle_s``: how long
        nothing in a folder must have changed before it is claimed; ``unfinished_s``: for how long one may be called as
        if it was still written, until somebody is told. ``quiet_s``: how long nothing must have changed in a folder
        that may be read and not moved, before it is copied. ``left`` is told of each entry that is left where it lies,
        and why, once; and again, without a reason, when it is gone.

        Raises ConfigError when the folder cannot be used.
        """
        self._root, self._defaults, self._left = root, defaults, left
        self._settling = Settling(settle_s, clock)
        self._clock, self._unfinished_s = clock, unfinished_s
        self._unfinished: dict[str, tuple[int, float]] = {}
        self._folders = SpoolFolders(root, left)
        self.incoming, self.work, self.done, self.rejected = self._folders.all
        self._waiting: deque[Path] = deque()
        self._peeked: dict[Path, ClaimedJob] = {}
        self._ignored: set[str] = set()
        self._stuck: set[str] = set()
        self._copies = Copies(quiet_s)

    def claim(self) -> ClaimedJob | None:
        """Take the next job: first what a crash or a failed attempt left in work, then the oldest incoming one.

        For one consumer: whatever lies in work when the next job is asked for was not finished. Raises SpoolGone where
        there is no spool any more.
        """
        self._require_folders()
        if (job := self._left_in_work()) is not None:
            return job
        if not self._waiting:
            self._waiting = deque(self._arrived())
        while self._waiting:
            folder = self._waiting.popleft()
            if self._copies.taken(folder) or not self._settling.settled(folder):
                continue  # its sender writes to it again: it is listed anew when it has settled
            target = free_name(self.work / folder.name)
            try:
                require_readable(folder)
                if not self._copies.move(folder, target):
                    continue  # somebody may still write to it
            except FileNotFoundError:
                continue  # taken back by its sender since the folder was listed
            except OSError as error:
                if error.errno not in _OWN_FAULTS:
                    raise
                self._say_once(folder.name, f"{error}; {_remedy(folder, error)}")
                continue
            self._folders.jobs_come()
            if (job := self._opened(target)) is not None:
                return job
        return None

    def _require_folders(self) -> None:
        """Where one was made anew, what was listed in it is gone. Raises SpoolGone."""
        if self._folders.require():
            self._waiting.clear()

    def _left_in_work(self) -> ClaimedJob | None:
        in_work = sorted(job_folders(self.work))
        self._stuck &= {folder.name for folder in in_work}
        opened = (self._opened(folder) for folder in in_work if folder.name not in self._stuck)
        return next((job for job in opened if job is not None), None)

    def _opened(self, folder: Path) -> ClaimedJob | None:
        """The job in a folder of ours; one that cannot be looked into is left where it lies, and holds up no other."""
        try:
            return open_folder(folder, self._defaults)
        except OSError as error:
            self._stick(folder, error, _OWN_FAULTS | _UNREADABLE_PLACE)
            return None

    def _stick(self, folder: Path, error: OSError, faults: Container[int | None] = _OWN_FAULTS) -> None:
        """Leave a folder in work until the next start. Raises what is not the folder's own fault."""
        if error.errno not in faults:
            raise error
        self._stuck.add(folder.name)
        gone = not os.path.lexists(folder)
        remedy = "somebody took it out of work" if gone else "it stays in work: mend it, then restart the daemon"
        self._say_once(folder.name, f"{error}; {remedy}")

    def peek(self, most: int) -> list[ClaimedJob]:
        """Jobs that would be claimed after the one in hand, where they lie; they may be gone when their turns come."""
        near = [*islice(self._waiting, most)]
        # Seen once as they come near: whether they are as they were is asked at their turn.
        self._peeked = {folder: job for folder, job in self._peeked.items() if folder in near}
        for folder in near:
            if folder not in self._peeked:
                with suppress(OSError):
                    self._peeked[folder] = open_folder(folder, self._defaults)
        return [self._peeked[folder] for folder in near if folder in self._peeked]

    def finish(self, job: ClaimedJob) -> None:
        """Move a decided job to done; one that cannot be moved stays in work, and holds up no other.

        Raises SpoolGone.
        """
        self._file(job.folder, self.done)

    def reject(self, job: ClaimedJob, reason: str) -> None:
        """Move a refused job to rejected, with reason.json; one that cannot be moved stays in work.

        Raises SpoolGone.
        """
        document = Rejection(job=printable(job.folder.name), reason=printable(reason))
        try:
            write_durably(job.folder / REASON, msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n")
        except OSError as error:  # the sender's doing, where it is the folder's: the job must leave the queue
            if error.errno not in _OWN_FAULTS:
                raise
            log.warning("no reason.json written", extra={"job": str(job.folder), "problem": str(error)})
        self._file(job.folder, self.rejected)

    def _file(self, folder: Path, place: Path) -> None:
        self._require_folders()
        try:
            move_durably(folder, free_name(place / folder.name))
        except OSError as error:
            self._stick(folder, error)

    def waiting(self) -> Backlog:
        """What is still to be inspected."""
        return backlog(self._root)

    def hand_back(self, but: AbstractSet[str] = frozenset()) -> int:
        """Move every finished job, done or rejected, back to incoming, to be inspected again; how many. ``but``:
        contents of those that stay.

        One that cannot be moved stays where it is, and holds up no other.
        """
        moved = 0
        for folder in [folder for place in (self.done, self.rejected) for folder in sorted(job_folders(place))]:
            try:
                if but and open_folder(folder).content in but:
                    continue
                move_durably(folder, free_name(self.incoming / folder.name))
                moved += 1
            except OSError as error:
                if error.errno not in _OWN_FAULTS:
                    raise
                self._left(folder.name, f"{error}; it cannot be inspected again: make it writable, then restart")
        return moved

    def finished(self) -> list[FinishedJob]:
        """Every job in done and rejected, the longest filed first."""
        found = []
        for place in (self.done, self.rejected):
            for folder in job_folders(place):
                with suppress(OSError):  # gone, or not ours to look into; the others are kept no longer for that
                    size = sum(part.stat(follow_symlinks=False).st_size for part in below(folder))
                    found.append(FinishedJob(folder, open_folder(folder).content, folder.stat().st_ctime, size))
        return sorted(found, key=lambda job: job.filed)

    def discard(self, folder: Path) -> None:
        """Delete a finished job's folder: it is out of the way at once, whatever interrupts the deleting."""
        doomed = folder.with_name(lengthened(folder.name, before=".", after=_DISCARDED))
        while os.path.lexists(doomed):  # left by one that could not be deleted
            doomed = doomed.with_name(f".{os.urandom(8).hex()}{_DISCARDED}")
        folder.rename(doomed)
        _remove(doomed)

    def sweep(self) -> None:
        """Finish the deleting that was interrupted."""
        for place in (self.done, self.rejected):
            for doomed in place.glob(f".*{_DISCARDED}"):
                _remove(doomed)

    def _note_unfinished(self, entry: str, inode: int) -> None:
        """Being written, or forgotten under a name that says so; a sender may use one name again and again."""
        known, since = self._unfinished.get(entry, (inode, self._clock()))
        since = since if known == inode else self._clock()
        self._unfinished[entry] = inode, since
        if self._clock() - since >= self._unfinished_s:
            minutes = f"{self._unfinished_s / 60:.0f} minutes"
            self._say_once(
                entry, f"unfinished for {minutes}; rename it when it is whole, to no dot in front and no .tmp"
            )

    def _note_copied(self, entry: str) -> None:
        """One of them stands for all."""
        if not any(name.endswith(COPIED) for name in self._ignored - {entry}):
            rights = rights_of(self.incoming / entry)
            remedy = "delete it and others like it; and have its sender let the daemon's group write (umask 002)"
            self._say_once(entry, f"judged from a copy, since it could not be moved: {rights}; {remedy}")

    def _say_once(self, entry: str, problem: str) -> None:
        if entry not in self._ignored:
            self._ignored.add(entry)
            self._left(entry, problem)

    def _arrived(self) -> list[Path]:
        """Complete job folders, oldest first. ``*.tmp`` is still being written; stray files are not jobs."""
        found, there = [], set[str]()
        with os.scandir(self.incoming) as entries:
            for entry in entries:
                there.add(entry.name)
                if entry.name.endswith(COPIED):
                    self._note_copied(entry.name)
                    continue
                if is_unfinished(entry.name):
                    self._note_unfinished(entry.name, entry.inode())
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if self._settling.settled(Path(entry.path)):
                        with suppress(FileNotFoundError):  # taken back since
                            found.append((entry.stat(follow_symlinks=False).st_mtime_ns, entry.name))
                else:
                    self._say_once(entry.name, "not a job folder; jobs come as folders, renamed when they are whole")
        self._settling.forget_all_but(there)
        self._unfinished = {name: seen for name, seen in self._unfinished.items() if name in there}
        for gone in self._ignored - there - self._stuck:
            self._ignored.discard(gone)
            self._left(gone, None)
        return [self.incoming / name for _, name in sorted(found)]


def _remedy(folder: Path, error: OSError) -> str:
    if error.errno == errno.EXDEV:
        return "incoming must lie on the spool's file system: no link to another, and nothing mounted there"
    remedy = "let the daemon's group read it and all in it, as chgrp -R axi-edge and chmod -R g+rwX do"
    return f"{rights_of(folder)}; {remedy}"


def _remove(doomed: Path) -> None:
    """What cannot be deleted is out of the way already, and is tried again at the next sweep."""
    try:
        remove_tree(doomed)
    except OSError as error:
        log.warning("not deleted", extra={"folder": str(doomed), "problem": str(error)})
