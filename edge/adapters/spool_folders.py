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
_GONE = "mount it, or make it anew (systemd-tmpfiles --create), and restart the daemon"
_MADE_ANEW = (
    "somebody removed this folder of the spool, and it was made anew; jobs that lay in it must be handed over again; "
    "who writes there may have to connect anew"
)
Left = Callable[[str, str | None], None]
"""Told of an entry that is left where it lies, and why; and again, without a reason, when that is over."""


class SpoolFolders:
    """``incoming``, ``work``, ``done`` and ``rejected`` below ``root``, on one file system."""

    def __init__(self, root: Path, left: Left) -> None:
        """Raises ConfigError where one cannot be used."""
        self._root, self._left, self._anew = root, left, set[str]()
        self.all = tuple(root / place for place in Place)
        try:
            for folder in self.all:
                make_for_group(folder)
                if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
                    raise PermissionError(errno.EACCES, "no write access", str(folder))
        except OSError as error:
            raise ConfigError(f"[spool] path: {error}; {_UNUSABLE}") from error

    def require(self) -> None:
        """Make anew what is missing, since no job could come, or leave, any more; and say so until jobs come again, for
        with the folder went what lay in it. Raises SpoolGone where the spool itself is gone: what lies below it then is
        another disk.
        """
        for folder in self.all:
            if folder.is_dir():
                continue
            if not self._root.is_dir():
                raise SpoolGone(f"[spool] path: {self._root}: is not there any more; {_GONE}")
            make_for_group(folder)
            self._anew.add(folder.name)
            self._left(folder.name, _MADE_ANEW)

    def jobs_come(self) -> None:
        """Senders have found what was made anew."""
        while self._anew:
            self._left(self._anew.pop(), None)
