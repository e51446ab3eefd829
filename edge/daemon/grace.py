"""How long a job in hand may go on once the daemon is told to stop."""

from __future__ import annotations

import threading
import time


class Grace:
    """May a job in hand go on? Always, until ``drain_s`` after the first time it is asked during a stop."""

    def __init__(self, stop: threading.Event, drain_s: float) -> None:
        self._stop, self._drain_s = stop, drain_s
        self._deadline: float | None = None

    def may_go_on(self) -> bool:
        if not self._stop.is_set():
            return True
        now = time.monotonic()
        if self._deadline is None:
            self._deadline = now + self._drain_s
        return now < self._deadline
