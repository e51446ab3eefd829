"""The spool's own folders: made where they are missing, and made anew where somebody removes one under the daemon."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

from edge.core.errors import ConfigError, SpoolGone
from edge.core.places import Place
from edge.files import make_for_group

_UNUSABLE = (
    "give the daemon's user a writable folder: systemd-tmpfiles --create makes the usual one, and another must be "
    "mounted, and allowed in its unit (ReadWritePaths)"
)
_GONE = (
    "mount it again, and all goes on by itself; or make it anew (systemd-tmpfiles --create) and restart the daemon, "
    "which then uses what is there"
)
_TILL_THE_NEXT_START = frozenset({Place.INCOMING, Place.WORK})
"""Jobs went with them that nobody has seen: that stands until somebody has."""
_LOST = {
    Place.INCOMING: (
        "jobs that lay in it must be handed over again, and who writes there may have to connect anew; this alarm ends "
        "as the daemon is restarted"
    ),
    Place.WORK: "a job that lay in it must be handed over again; this alarm ends as the daemon is restarted",
    Place.DONE: "what was decided of the jobs in it is in the journal",
    Place.REJECTED: "what was said of the jobs in it is in the journal",
}
Left = Callable[[str, str | None], None]
"""Told of an entry that is left where it lies, and why; and again, without a reason, when that is over."""


class SpoolFolders:
    """``incoming``, ``work``, ``done`` and ``rejected`` below ``root``, on one file system. Senders write to the first,
    and people take jobs out of the last.
    """

    def __init__(self, root: Path, left: Left) -> None:
        """Raises ConfigError where one cannot be used."""
        self._root, self._left, self._anew = root, left, set[str]()
        self.all = tuple(root / place for place in Place)
        try:
            for folder in self.all:
                _make(folder)
                if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
                    raise PermissionError(errno.EACCES, "no write access", str(folder))
            self._is = _identity(root)
        except OSError as error:
            raise ConfigError(f"[spool] path: {error}; {_UNUSABLE}") from error

    def require(self) -> bool:
        """Make anew what is missing, since no job could come, or leave, any more; was there anything? It is said, for
        with the folder went what lay in it: until jobs come again, or where those are lost, until the next start.

        Raises SpoolGone where the spool itself is not what it was: what lies there then is another disk.
        """
        try:
            as_it_was = _identity(self._root) == self._is
        except OSError:
            as_it_was = False
        if not as_it_was:
            raise SpoolGone(f"[spool] path: {self._root}: is not there any more; {_GONE}")
        missing = [place for place in Place if not (self._root / place).is_dir()]
        if missing and not os.access(self._root, os.W_OK):  # of a unit that saw it removed: until a restart
            raise SpoolGone(f"[spool] path: {self._root}: may not be written to any more; {_GONE}")
        for place in missing:
            try:
                _make(self._root / place)
            except OSError as error:  # something else lies there
                remedy = "move it away, and the folder is made anew"
                raise SpoolGone(f"[spool] path: {self._root / place}: {error.strerror}; {remedy}") from error
            if place not in _TILL_THE_NEXT_START:
                self._anew.add(place)
            self._left(place, f"somebody removed this folder of the spool, and it was made anew; {_LOST[place]}")
        return bool(missing)

    def jobs_come(self) -> None:
        """Senders have found what was made anew."""
        while self._anew:
            self._left(self._anew.pop(), None)


def _make(folder: Path) -> None:
    if folder.name in {Place.INCOMING, Place.REJECTED}:
        make_for_group(folder)
    else:
        folder.mkdir(parents=True, exist_ok=True)


def _identity(folder: Path) -> tuple[int, int]:
    """Raises OSError."""
    status = folder.stat()
    return status.st_dev, status.st_ino
