"""Who has which joint open: nobody else is given it meanwhile.

Kept in memory: a station that starts anew has no page open, and a claim that is lost costs a second look at worst.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from edge.core.clocks import Monotonic


class Claims:
    """``lasts_s``: for how long a claim holds that its page no longer asks for."""

    def __init__(self, lasts_s: float, clock: Monotonic) -> None:
        self._lasts_s, self._clock = lasts_s, clock
        self._lock = threading.Lock()
        self._held: dict[str, tuple[str, float]] = {}

    def held_by_others(self, session: str) -> list[str]:
        with self._lock:
            self._forget()
            return [event for event, (holder, _) in self._held.items() if holder != session]

    def holder(self, event_id: str) -> str:
        """Empty where nobody has it."""
        with self._lock:
            self._forget()
            return self._held.get(event_id, ("", 0.0))[0]

    def take(self, session: str, events: Iterable[str]) -> list[str]:
        """Those that the session holds from now on: all that no other does."""
        with self._lock:
            self._forget()
            until = self._clock() + self._lasts_s
            got = [event for event in events if self._held.get(event, (session, 0.0))[0] == session]
            self._held.update(dict.fromkeys(got, (session, until)))
            return got

    def release(self, session: str, events: Iterable[str] | None = None) -> None:
        """Some of a session's claims; None: all of them."""
        with self._lock:
            mine = [event for event, (holder, _) in self._held.items() if holder == session]
            for event in mine if events is None else set(mine) & set(events):
                del self._held[event]

    def release_all(self, session: str) -> None:
        """Those of every page of a session."""
        with self._lock:
            self._held = {one: claim for one, claim in self._held.items() if claim[0].partition(" ")[0] != session}

    def _forget(self) -> None:
        now = self._clock()
        self._held = {event: claim for event, claim in self._held.items() if claim[1] > now}
