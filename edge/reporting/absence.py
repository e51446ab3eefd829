"""How long the broker has been away: the reporting loop notes it, upkeep asks."""

from __future__ import annotations

from collections.abc import Callable

from edge.core.clocks import Monotonic


class Absence:
    """One thread notes, any other may ask: what is asked for is read once, whole. Until the broker was first to be had
    it is away. ``changed`` is called when it goes and when it is back.
    """

    def __init__(self, clock: Monotonic, changed: Callable[[], None] = lambda: None) -> None:
        self._clock, self._changed = clock, changed
        self._since: float | None = clock()

    def noted(self) -> None:
        """The broker cannot be had; the first time counts."""
        if self._since is None:
            self._since = self._clock()
            self._changed()

    def ended(self) -> None:
        self._since = None
        self._changed()

    def seconds(self) -> float:
        """Since the broker was last to be had; 0 while it is."""
        since = self._since  # it may end between two looks
        return 0.0 if since is None else self._clock() - since
