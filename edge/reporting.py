"""The reporting loop's body: from the journal's outbox to the broker, nothing dropped on the way."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from edge.core.errors import BrokerUnavailable
from edge.core.wire import Message
from edge.ports import Connect, Outbox, Session

log = logging.getLogger(__name__)


class StatusOf(Protocol):
    """The status message for a state, stamped now."""

    def __call__(self, state: str) -> Message: ...


class Backoff:
    """Exponential waiting with full jitter: uniform in [0, min(cap, base * 2**failures)] seconds."""

    def __init__(self, base_s: float, cap_s: float, uniform: Callable[[float, float], float]) -> None:
        self._base_s, self._cap_s, self._uniform = base_s, cap_s, uniform
        self._failures = 0

    def next_s(self) -> float:
        ceiling = min(self._cap_s, self._base_s * 2.0 ** min(self._failures, 32))
        self._failures += 1
        return self._uniform(0.0, ceiling)

    def reset(self) -> None:
        self._failures = 0


class Reporting:
    """Drains the outbox in order, ``window`` messages in flight at most.

    A row is struck only after its PUBACK. While the broker is away rows stay where they are.
    """

    def __init__(self, outbox: Outbox, connect: Connect, status: StatusOf, backoff: Backoff, *, window: int) -> None:
        self._outbox, self._connect, self._status = outbox, connect, status
        self._backoff, self._window = backoff, window
        self._session: Session | None = None

    def step(self) -> float | None:
        """Do what can be done now.

        Returns the seconds to wait before the next step (0: more is waiting), or None to wait until something
        new is queued.
        """
        if self._session is not None and not self._session.alive:
            log.warning("broker connection lost")
            self._drop_session()
        try:
            session = self._session or self._open()
        except BrokerUnavailable as error:
            wait_s = self._backoff.next_s()
            log.warning("broker unavailable", extra={"problem": str(error), "retry_s": round(wait_s, 2)})
            return wait_s
        return self._drain(session)

    def close(self) -> None:
        """Say goodbye: status ``stopped`` (retained), then a clean disconnect. Without a session nothing is sent."""
        if self._session is None:
            return
        if self._session.alive and not all(self._session.publish([self._status("stopped")])):
            log.warning("status 'stopped' was not acknowledged")
        self._drop_session()

    def _open(self) -> Session:
        session = self._connect(self._status("offline"))
        self._session = session
        if not all(session.publish([self._status("online")])):
            self._drop_session()
            raise BrokerUnavailable("the broker did not acknowledge the status message; check its access rules")
        log.info("broker connected")
        return session

    def _drain(self, session: Session) -> float | None:
        rows = self._outbox.pending(self._window)
        if not rows:
            self._backoff.reset()
            return None
        acknowledged = session.publish([row.message for row in rows])
        sent = [row.seq for row, done in zip(rows, acknowledged, strict=True) if done]
        self._outbox.mark_sent(sent)
        if len(sent) == len(rows):
            self._backoff.reset()
            return 0.0
        wait_s = self._backoff.next_s()
        log.warning(
            "not every message was acknowledged; they stay in the outbox",
            extra={"unacknowledged": len(rows) - len(sent), "retry_s": round(wait_s, 2)},
        )
        return wait_s

    def _drop_session(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None
