"""The reporting loop's body: from the journal's outbox to the broker, nothing dropped on the way."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from edge.core.clocks import Monotonic, Now
from edge.core.errors import BrokerUnavailable
from edge.core.payloads import Presence
from edge.core.wire import Message
from edge.reporting.absence import Absence
from edge.reporting.passing import Passing, PassingMessages
from edge.reporting.ports import Connect, Outbox, Outcome, Queued, Session

log = logging.getLogger(__name__)

_SUSPECT_AFTER = 4
_SHORT_S = 10.0
"""A session that ends so soon was no real one; after some of them in a row somebody should know."""
_FLAPPING = 3
NOT_TAKEN, FLAPPING = "messages_not_taken", "session_short"


class StatusOf(Protocol):
    """The status message for a state, stamped now."""

    def __call__(self, state: Presence) -> Message: ...


class Trouble(Protocol):
    """Sets an alarm, or ends it."""

    def __call__(self, code: str, text: str, *, on: bool) -> None: ...


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

    A row is struck only after its PUBACK. While the broker is away rows stay where they are; a row that it refuses
    waits behind the others and is tried again.
    """

    def __init__(
        self,
        outbox: Outbox,
        connect: Connect,
        status: StatusOf,
        backoff: Backoff,
        passing: PassingMessages,
        absence: Absence,
        now: Now,
        clock: Monotonic,
        trouble: Trouble,
        *,
        window: int,
    ) -> None:
        self._outbox, self._connect, self._status, self._now = outbox, connect, status, now
        self._passing, self._absence, self._trouble = passing, absence, trouble
        self._backoff, self._window = backoff, window
        self._session: Session | None = None
        self._fruitless = 0
        self._acknowledged: list[int] = []
        self._clock, self._opened, self._short = clock, 0.0, 0

    def step(self) -> float | None:
        """Do what can be done now.

        Returns the seconds to wait before the next step (0: more is waiting), or None to wait until something
        new is queued.
        """
        if self._session is not None and not self._session.alive:
            wait_s = self._lost(self._session)
            if wait_s is not None:
                return wait_s
        self._note_lasting()
        try:
            session = self._session or self._open()
        except BrokerUnavailable as error:
            self._absence.noted()
            wait_s = self._backoff.next_s()
            log.warning("broker unavailable", extra={"problem": str(error), "retry_s": round(wait_s, 2)})
            return wait_s
        return self._drain(session) if self._send_passing(session) else self._backoff.next_s()

    def _lost(self, session: Session) -> float | None:
        """Forget a session that ended; how long to wait before the next, where it was a short one.

        Two clients under one id throw each other out for ever: trying again at once would only keep that up.
        """
        said, lasted_s = session.ended, self._clock() - self._opened
        log.warning("broker connection lost", extra={"problem": said, "lasted_s": round(lasted_s, 1)})
        self._drop_session()
        if lasted_s >= _SHORT_S:
            return None
        self._short += 1
        taken = "taken over" in said.casefold()
        if taken or self._short >= _FLAPPING:
            why = "another client uses the same [mqtt] client_id" if taken else f"it ends at once ({said})"
            usual = "is [mqtt] client_id used twice, or does the broker limit what it takes? (axi-edge check)"
            remedy = "give each device an id of its own" if taken else usual
            self._trouble(FLAPPING, f"the session with the broker does not last: {why}; {remedy}", on=True)
            return self._backoff.next_s()
        return None

    def _note_lasting(self) -> None:
        if self._session is not None and self._short and self._clock() - self._opened >= _SHORT_S:
            self._short = 0
            self._trouble(FLAPPING, "the session with the broker lasts", on=False)

    def _send_passing(self, session: Session) -> bool:
        """Whether the session is still good after it; what it breaks over again and again is dropped."""
        passing = self._passing.take()
        outcomes = session.publish([message for message, _ in passing]) if passing else []
        if Outcome.UNKNOWN not in outcomes:
            return True
        self._passing.put_back([Passing(message, tries + 1) for message, tries in passing if tries < _SUSPECT_AFTER])
        return False

    def close(self) -> None:
        """Tell goodbye: status ``stopped`` (retained), then a clean disconnect. Without a session nothing is sent."""
        if self._session is None:
            return
        if self._session.alive and not _all_acknowledged(self._session.publish([self._status("stopped")])):
            log.warning("status 'stopped' was not acknowledged")
        self._drop_session()

    def _open(self) -> Session:
        session = self._connect(self._status("offline"))
        self._session, self._opened = session, self._clock()
        if not _all_acknowledged(session.publish([self._status("online")])):
            self._drop_session()
            raise BrokerUnavailable("the broker did not acknowledge the status message; check its access rules")
        log.info("broker connected", extra={"away_s": round(self._absence.seconds(), 1)})
        self._absence.ended()
        return session

    def _drain(self, session: Session) -> float | None:
        self._strike()
        rows = self._outbox.pending(1 if self._fruitless else self._window)
        if not rows:
            self._rest()
            self._trouble(NOT_TAKEN, "the broker takes every message", on=False)
            return None
        outcomes = session.publish([row.message for row in rows])
        by_outcome = {
            kind: [row.seq for row, outcome in zip(rows, outcomes, strict=True) if outcome is kind] for kind in Outcome
        }
        sent = by_outcome[Outcome.ACKNOWLEDGED]
        self._acknowledged = sent
        self._strike()
        self._put_back(rows, by_outcome[Outcome.REFUSED], fruitless=not sent)
        if len(sent) == len(rows):
            self._rest()
            return 0.0
        wait_s = self._backoff.next_s()
        log.warning(
            "not every message was acknowledged; they stay in the outbox",
            extra={"unacknowledged": len(rows) - len(sent), "retry_s": round(wait_s, 2)},
        )
        return wait_s

    def _strike(self) -> None:
        """What was acknowledged; kept in mind where the journal cannot be written to, so as not to be sent again."""
        if self._acknowledged:
            self._outbox.mark_sent(self._acknowledged, self._now())
            self._acknowledged = []

    def _rest(self) -> None:
        """All is well, so the next waiting begins small; not so while sessions end as soon as they begin."""
        if not self._short:
            self._backoff.reset()

    def _put_back(self, rows: Sequence[Queued], refused: list[int], *, fruitless: bool) -> None:
        """Let what the broker will not take wait behind the rest.

        A message that makes the broker hang up is not named by it: after fruitless attempts the oldest row goes
        alone, and when it fails alone again and again it is taken for the culprit.
        """
        self._fruitless = self._fruitless + 1 if fruitless and not refused else 0
        if self._fruitless >= _SUSPECT_AFTER:
            refused, self._fruitless = [rows[0].seq], 0
        if refused:
            log.error("the broker does not take these messages; they wait behind the others", extra={"rows": refused})
            text = "the broker does not take some messages, which wait; look at its access rules and max_packet_size"
            self._trouble(NOT_TAKEN, f"{text} (axi-edge check)", on=True)
            self._outbox.put_back(refused)

    def _drop_session(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None


def _all_acknowledged(outcomes: Sequence[Outcome]) -> bool:
    return all(outcome is Outcome.ACKNOWLEDGED for outcome in outcomes)
