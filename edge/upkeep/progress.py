"""Are inspection and reporting making progress?"""

from __future__ import annotations

from collections.abc import Callable

from edge.core.clocks import Monotonic


class Progress:
    """When each loop last got something done. A loop at rest reports as it finds nothing to do."""

    def __init__(self, clock: Monotonic, loops: tuple[str, ...]) -> None:
        self._clock = clock
        self._last = dict.fromkeys(loops, clock())

    def reporter(self, loop: str) -> Callable[[], None]:
        """The function by which ``loop`` reports progress. One writer a loop, so no lock is needed."""
        if loop not in self._last:
            raise KeyError(loop)

        def progressed() -> None:
            self._last[loop] = self._clock()

        return progressed

    def stalled(self, limit_s: float) -> tuple[str, ...]:
        """The loops that have not got anything done for ``limit_s`` seconds."""
        now = self._clock()
        return tuple(loop for loop, last in self._last.items() if now - last > limit_s)
