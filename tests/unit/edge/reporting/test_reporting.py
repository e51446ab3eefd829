from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.adapters.host import utc_now
from edge.core.errors import JournalLocked
from edge.core.wire import Message
from edge.reporting.absence import Absence
from edge.reporting.loop import Backoff, Reporting
from edge.reporting.passing import PassingMessages
from edge.upkeep.progress import Progress
from tests.support.fake_ledger import FakeLedger
from tests.support.fakes import FakeBroker


def status(state: str) -> Message:
    return Message("base/status", json.dumps({"state": state}).encode(), retain=True)


def queued(n: int) -> FakeLedger:
    ledger = FakeLedger()
    for i in range(n):
        ledger._queue(Message(f"base/verdict/SN{i % 3}", str(i).encode()))
    return ledger


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Alarms(dict[str, bool]):
    """Codes that were set, and whether they are on."""

    def set(self, code: str, text: str, *, on: bool) -> None:
        if on or code in self:
            self[code] = on


def reporting(
    ledger: FakeLedger,
    broker: FakeBroker,
    window: int = 4,
    passing: PassingMessages | None = None,
    clock: Clock | None = None,
    alarms: Alarms | None = None,
) -> Reporting:
    return Reporting(
        ledger,
        broker.connect,
        status,
        Backoff(0.5, 30, lambda _low, high: high),
        passing or PassingMessages(lambda: None),
        Absence(time.monotonic),
        utc_now,
        clock or Clock(),
        (alarms if alarms is not None else Alarms()).set,
        window=window,
    )


def drain(loop: Reporting, steps: int = 200) -> None:
    for _ in range(steps):
        if loop.step() is None:
            return
    pytest.fail("the outbox never ran empty")


def payloads(broker: FakeBroker) -> list[int]:
    return [int(message.payload) for message in broker.delivered if "/verdict/" in message.topic]


def test_everything_is_sent_once_and_in_order() -> None:
    ledger, broker = queued(10), FakeBroker()
    loop = reporting(ledger, broker)
    drain(loop)
    assert payloads(broker) == list(range(10))
    assert ledger.pending(99) == []


def test_status_is_online_while_connected_and_stopped_after_a_clean_end() -> None:
    broker = FakeBroker()
    loop = reporting(queued(0), broker)
    drain(loop)
    assert json.loads(broker.retained["base/status"])["state"] == "online"
    loop.close()
    assert json.loads(broker.retained["base/status"])["state"] == "stopped"


def test_an_absent_broker_costs_nothing_but_time() -> None:
    ledger, broker = queued(3), FakeBroker()
    broker.up = False
    loop = reporting(ledger, broker)
    assert [loop.step() for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert len(ledger.pending(99)) == 3
    loop.close()
    broker.up = True
    drain(loop)
    assert payloads(broker) == [0, 1, 2]


@given(st.integers(0, 25), st.integers(1, 7))
def test_a_connection_lost_anywhere_loses_nothing(break_after: int, window: int) -> None:
    ledger, broker = queued(20), FakeBroker()
    broker.break_after = break_after
    drain(reporting(ledger, broker, window))
    assert list(dict.fromkeys(payloads(broker))) == list(range(20))
    assert ledger.pending(99) == []


def test_a_refused_message_stays_in_the_outbox() -> None:
    ledger, broker = queued(6), FakeBroker()
    broker.refuse = "SN1"
    loop = reporting(ledger, broker, window=10)
    assert loop.step() == 0.5
    assert [int(row.message.payload) for row in ledger.pending(99)] == [1, 4]
    broker.refuse = ""
    drain(loop)
    assert sorted(payloads(broker)) == list(range(6))


@pytest.mark.parametrize("trouble", ["refuse", "hang_up_on"])
def test_a_message_the_broker_will_not_take_does_not_hold_up_the_others(trouble: str) -> None:
    ledger, broker = queued(60), FakeBroker()
    setattr(broker, trouble, "SN1")
    loop = reporting(ledger, broker, window=7)
    for _ in range(400):
        loop.step()
    assert [n for n in range(60) if n % 3 != 1] == sorted(set(payloads(broker)))
    assert sorted(int(row.message.payload) for row in ledger.pending(99)) == [n for n in range(60) if n % 3 == 1]
    setattr(broker, trouble, "")
    drain(loop)
    assert sorted(set(payloads(broker))) == list(range(60))


@given(st.integers(0, 60))
def test_the_backoff_is_jittered_and_capped(failures: int) -> None:
    low, high = Backoff(0.5, 30, lambda a, _b: a), Backoff(0.5, 30, lambda _a, b: b)
    for _ in range(failures):
        low.next_s(), high.next_s()
    assert low.next_s() == 0
    assert high.next_s() == min(30, 0.5 * 2**failures)
    high.reset()
    assert high.next_s() == 0.5


def test_only_a_loop_without_progress_counts_as_stalled() -> None:
    now = [0.0]
    progress = Progress(lambda: now[0], ("inspection", "reporting"))
    now[0] = 9.0
    progress.reporter("reporting")()
    now[0] = 12.0
    assert progress.stalled(10) == ("inspection",)
    progress.reporter("inspection")()
    assert progress.stalled(10) == ()
    with pytest.raises(KeyError):
        progress.reporter("publishing")


def test_what_is_published_in_passing_goes_first_and_is_dropped_rather_than_piled_up() -> None:
    ledger, broker = queued(2), FakeBroker()
    passing = PassingMessages(lambda: None)
    loop = reporting(ledger, broker, passing=passing)
    broker.up = False
    for i in range(150):
        passing.publish(Message("base/metrics", str(i).encode()))
        loop.step()
    broker.up = True
    drain(loop)
    delivered = [int(message.payload) for message in broker.delivered if message.topic == "base/metrics"]
    assert delivered == list(range(50, 150))
    assert [message.topic for message in broker.delivered][-2:] == ["base/verdict/SN0", "base/verdict/SN1"]


def test_what_breaks_every_connection_is_dropped_before_it_holds_up_the_verdicts() -> None:
    ledger, broker = queued(3), FakeBroker()
    broker.hang_up_on = "metrics"
    passing = PassingMessages(lambda: None)
    loop = reporting(ledger, broker, passing=passing)
    passing.publish(Message("base/metrics", b"1"))
    drain(loop)
    assert payloads(broker) == [0, 1, 2]


def test_what_is_published_as_the_connection_breaks_is_sent_again() -> None:
    ledger, broker = queued(0), FakeBroker()
    passing = PassingMessages(lambda: None)
    loop = reporting(ledger, broker, passing=passing)
    drain(loop)
    broker.break_after = 0
    passing.publish(Message("base/alarm", b"1"))
    loop.step()
    drain(loop)
    assert [message.payload for message in broker.delivered if message.topic == "base/alarm"] == [b"1"]


def test_two_clients_under_one_id_are_told_of_and_do_not_chase_each_other() -> None:
    broker, clock, alarms = FakeBroker(), Clock(), Alarms()
    broker.last_words = "connection lost: Session taken over"
    loop = reporting(queued(0), broker, clock=clock, alarms=alarms)
    waits = []
    for _ in range(6):
        assert loop.step() is None
        clock.now += 1
        broker.sessions[-1].close()
        waits.append(loop.step())
    assert waits == [0.5, 1, 2, 4, 8, 16]
    assert alarms == {"session_short": True}
    assert loop.step() is None
    clock.now += 60
    assert loop.step() is None
    assert alarms["session_short"] is False


def test_sessions_that_end_at_once_without_a_word_are_told_of_after_some() -> None:
    broker, clock, alarms = FakeBroker(), Clock(), Alarms()
    loop = reporting(queued(0), broker, clock=clock, alarms=alarms)
    for number in range(1, 4):
        loop.step()
        broker.sessions[-1].close()
        loop.step()
        assert ("session_short" in alarms) == (number == 3)


def test_a_session_that_lasted_is_opened_again_at_once() -> None:
    broker, clock, alarms = FakeBroker(), Clock(), Alarms()
    loop = reporting(queued(0), broker, clock=clock, alarms=alarms)
    for _ in range(5):
        assert loop.step() is None
        clock.now += 60
        broker.sessions[-1].close()
    assert not alarms
    assert len(broker.sessions) == 5


def test_messages_that_the_broker_will_not_take_are_told_of_until_it_does() -> None:
    broker, alarms = FakeBroker(), Alarms()
    broker.refuse = "/verdict/"
    loop = reporting(queued(2), broker, alarms=alarms)
    loop.step()
    assert alarms == {"messages_not_taken": True}
    broker.refuse = ""
    drain(loop)
    assert alarms == {"messages_not_taken": False}


class LockedLedger(FakeLedger):
    """A ledger that cannot be written to for a while."""

    locked = True

    def mark_sent(self, rows: Sequence[int], now: datetime) -> None:
        if self.locked:
            raise JournalLocked("locked by a backup")
        super().mark_sent(rows, now)


def test_what_was_acknowledged_while_the_journal_was_locked_is_struck_and_not_sent_again() -> None:
    ledger, broker = LockedLedger(), FakeBroker()
    for i in range(3):
        ledger._queue(Message("base/verdict/SN", str(i).encode()))
    loop = reporting(ledger, broker)
    for _ in range(4):
        with pytest.raises(JournalLocked):
            loop.step()
    ledger.locked = False
    while loop.step() is not None:
        pass
    assert [message.payload for message in broker.delivered if "verdict" in message.topic] == [b"0", b"1", b"2"]
    assert ledger.pending(9) == []
