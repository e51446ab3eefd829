"""How quickly somebody may decide: whoever drums on one key has looked at nothing."""

from __future__ import annotations

import threading

from edge.core.clocks import Monotonic


class Pace:
    """``shortest_s``: from one decision of a session to its next, at least."""

    _MOST_KNOWN = 10_000

    def __init__(self, shortest_s: float, clock: Monotonic) -> None:
        self.shortest_s, self._clock = shortest_s, clock
        self._lock = threading.Lock()
        self._last: dict[str, float] = {}

    def takes(self, session: str) -> bool:
        """May the session decide now? Then its next decision must wait."""
        with self._lock:
            now = self._clock()
            if now - self._last.get(session, -self.shortest_s) < self.shortest_s:
                return False
            if len(self._last) >= self._MOST_KNOWN:
                self._last = {one: at for one, at in self._last.items() if now - at < self.shortest_s}
            self._last[session] = now
            return True
