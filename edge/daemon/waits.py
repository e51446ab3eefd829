"""What the loops wait for that mends itself, or that somebody mends: an alarm while it lasts, and no restart."""

from __future__ import annotations

import errno
import threading

from edge.core.errors import BundleRefused, ConfigError, JournalBlocked, JournalLocked, SpoolGone
from edge.upkeep.alarms import Alarms

_BLOCKED = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
_OVER = {
    "disk_blocked": "the disk takes data again",
    "journal_locked": "the journal takes data again",
    "bundle_refused": "the bundle judges again",
    "spool_gone": "the spool is there again",
}


class Waits:
    """Says each such trouble once, however many loops it keeps waiting. Any thread may note something."""

    def __init__(self, alarms: Alarms) -> None:
        self._alarms = alarms
        self._lock = threading.Lock()
        self._waiting: dict[str, str] = {}

    def note(self, loop: str, error: Exception | None) -> bool:
        """What ended the loop's last turn, or None; is it a matter of waiting?"""
        with self._lock:
            code = "" if error is None else _code_of(error)
            if code == self._waiting.get(loop, ""):
                return bool(code)
            self._waiting[loop] = code
            for each, over in _OVER.items():
                on = each in self._waiting.values()
                self._alarms.set(each, str(error) if on else over, on=on)
            return bool(code)


def _code_of(error: Exception) -> str:
    """The alarm on what a restart would not mend; empty for any other trouble."""
    if isinstance(error, JournalBlocked) or (isinstance(error, OSError) and error.errno in _BLOCKED):
        return "disk_blocked"
    if isinstance(error, JournalLocked):
        return "journal_locked"
    if isinstance(error, SpoolGone):
        return "spool_gone"
    return "bundle_refused" if isinstance(error, (BundleRefused, ConfigError)) else ""
