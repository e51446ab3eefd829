"""Is there something new in a folder? inotify(7) says so at once; without it one has to look now and then."""

from __future__ import annotations

import ctypes
import logging
import os
import select
import time
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

_IN_MOVED_TO, _IN_CREATE, _IN_ATTRIB = 0x80, 0x100, 0x4
_BUFFER = 65_536


class Arrivals:
    """Wakes up as an entry appears in ``folder``. What came is for the spool to look up: a wake-up carries no data.

    File shares mounted from elsewhere give no events, so ``wait`` never takes longer than it is told.
    """

    def __init__(self, folder: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._handle: int | None = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if (
            self._handle < 0
            or libc.inotify_add_watch(self._handle, os.fsencode(folder), _IN_MOVED_TO | _IN_CREATE | _IN_ATTRIB) < 0
        ):
            log.warning("no events for new jobs", extra={"problem": os.strerror(ctypes.get_errno())})
            self.close()

    def wait(self, seconds: float) -> None:
        """Until something may have come, or the time is over."""
        if self._handle is None:
            time.sleep(seconds)
        elif select.select([self._handle], [], [], seconds)[0]:
            with suppress(BlockingIOError):
                while os.read(self._handle, _BUFFER):
                    pass

    def close(self) -> None:
        if self._handle is not None and self._handle >= 0:
            os.close(self._handle)
        self._handle = None
