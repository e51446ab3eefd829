"""Job folders that may be read and not moved, as ``cp -r``, ``cp -a`` and ``mv`` from elsewhere leave them: they are
copied, and the originals put aside.

A directory moves to another parent only where it may be written to; to another name beside it, where that parent may.
Copied first and put aside then, so that a kill in between has the job taken twice, which its content tells, and never
not at all.
"""

from __future__ import annotations

import errno
import os
import pwd
import shutil
import stat
import time
from pathlib import Path

from edge.files import lengthened, move_durably, remove_tree, sync_folder

COPIED, _COPYING = ".copied", ".copying"
_NOBODY = 65_534
_NO_RIGHT = {errno.EACCES, errno.EPERM}


class Copies:
    """For one consumer. ``quiet_s``: nothing in a folder must have changed for so long before it is copied: who may not
    be moved may also still be written, as nothing but the right to be moved says that it is whole.
    """

    def __init__(self, quiet_s: float) -> None:
        self._quiet_s = quiet_s
        self._stay: dict[Path, int] = {}

    def taken(self, folder: Path) -> bool:
        """Was it copied before, and could not even be put aside?"""
        return folder in self._stay and self._stay[folder] == _inode(folder)

    def move(self, folder: Path, target: Path) -> bool:
        """Move it durably, or else copy it; False where it is too early for that. Raises OSError where it can be
        neither.
        """
        try:
            move_durably(folder, target)
        except OSError as error:
            if error.errno not in _NO_RIGHT:
                raise
            if time.time() - _last_change(folder) < self._quiet_s:
                return False
            _copy(folder, target)
            self._put_aside(folder)
        return True

    def _put_aside(self, folder: Path) -> None:
        aside = folder.with_name(lengthened(folder.name, before=".", after=COPIED))
        while os.path.lexists(aside):
            aside = folder.with_name(f".{os.urandom(8).hex()}{COPIED}")
        try:
            move_durably(folder, aside)
        except OSError:
            self._stay[folder] = _inode(folder)


def _last_change(folder: Path) -> float:
    return max(path.lstat().st_ctime for path in (folder, *folder.iterdir()))


def _copy(folder: Path, target: Path) -> None:
    """The files and links in it, whole or not at all, and durable. Raises OSError naming what may not be read."""
    unfinished = target.with_name(lengthened(target.name, before=".", after=_COPYING))
    if unfinished.exists():
        remove_tree(unfinished)
    unfinished.mkdir()
    try:
        for path in sorted(folder.iterdir()):
            mode, copy = path.lstat().st_mode, unfinished / path.name
            if stat.S_ISLNK(mode):
                copy.symlink_to(path.readlink())
            elif stat.S_ISREG(mode):
                shutil.copyfile(path, copy, follow_symlinks=False)
                _sync(copy)
        sync_folder(unfinished)
        move_durably(unfinished, target)
    except OSError:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _sync(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _inode(folder: Path) -> int:
    try:
        return folder.lstat().st_ino
    except OSError:
        return 0


def rights_of(path: Path) -> str:
    """Whose it is and who may do what, for people; empty where it cannot be looked at."""
    try:
        status = path.lstat()
    except OSError:
        return ""
    try:
        owner = pwd.getpwuid(status.st_uid).pw_name
    except KeyError:
        owner = str(status.st_uid)
    mode = f"it has mode {stat.S_IMODE(status.st_mode):o}"
    # Within its unit the daemon sees any stranger as this one: it cannot tell who that is.
    return mode if status.st_uid == _NOBODY else f"{mode} and belongs to {owner}"
