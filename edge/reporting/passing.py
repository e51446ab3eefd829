"""Messages that are worth something only now, beside the outbox."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from edge.core.wire import Message

_MOST = 100


class Passing(NamedTuple):
    """A message, and how often a session has ended over it."""

    message: Message
    tries: int = 0


class PassingMessages:
    """Metrics, alarms on the present state, answers: any thread may publish one.

    They are not written to the journal, so that they can be sent when the disk is full, too; when the broker stays away
    the oldest are dropped. ``queued``: tells the reporting loop that there is one.
    """

    def __init__(self, queued: Callable[[], None]) -> None:
        self._queued = queued
        self._lock = threading.Lock()
        self._waiting: deque[Passing] = deque(maxlen=_MOST)

    def publish(self, message: Message) -> None:
        """Have it sent as soon as there is a session."""
        with self._lock:
            self._waiting.append(Passing(message))
        self._queued()

    def take(self) -> list[Passing]:
        """All that wait, the oldest first."""
        with self._lock:
            taken = list(self._waiting)
            self._waiting.clear()
        return taken

    def put_back(self, passing: list[Passing]) -> None:
        """What could not be sent, before whatever came meanwhile."""
        with self._lock:
            kept = [*passing, *self._waiting][-_MOST:]
            self._waiting.clear()
            self._waiting.extend(kept)
