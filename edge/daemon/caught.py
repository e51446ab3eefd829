"""What the operating system asks of the daemon: to stop (SIGTERM, SIGINT) or to reload (SIGHUP).

Blocking these signals and waiting for them would not do: a library may have started threads before that (numpy's
linear algebra does at import), they would still take the signal, and by default it ends the process on the spot.
"""

from __future__ import annotations

import queue
import signal
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Caught:
    """Signals in the order in which they came. The handler only queues, without a lock: it cannot deadlock."""

    def __init__(self) -> None:
        self._came: queue.SimpleQueue[signal.Signals] = queue.SimpleQueue()

    def wait(self, timeout_s: float) -> signal.Signals | None:
        """The next signal, or None when none came in time."""
        try:
            return self._came.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def put(self, number: int, _frame: FrameType | None) -> None:
        """The handler."""
        self._came.put(signal.Signals(number))


def catch_signals() -> Caught:
    """Catch them from now on. Main thread only."""
    caught = Caught()
    for number in _SIGNALS:
        signal.signal(number, caught.put)
    return caught


def ignore_signals() -> None:
    """From now on none changes how the process ends. Main thread only."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
