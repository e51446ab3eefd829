"""How long the broker has been away: the reporting loop notes it, upkeep asks."""

from __future__ import annotations

from edge.core.clocks import Monotonic


class Absence:
    """One thread notes, any other may ask: what is asked for is read once, whole."""

    def __init__(self, clock: Monotonic) -> None:
        self._clock = clock
        self._since: float | None = None

    def noted(self) -> None:
        """The broker cannot be had; the first time counts."""
        if self._since is None:
            self._since = self._clock()

    def ended(self) -> None:
        self._since = None

    def seconds(self) -> float:
        """Since the broker was last to be had; 0 while it is."""
        since = self._since  # it may end between two looks
        return 0.0 if since is None else self._clock() - since
