"""Alarms are set by the inspection loop and by upkeep at once."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from edge.core.payloads import ModelRef
from edge.core.wire import Encoder, Message, Topics
from edge.reporting.absence import Absence
from edge.reporting.passing import Passing, PassingMessages
from edge.upkeep.alarms import Alarms

ENCODER = Encoder("axi1", Topics("base"), "0", ModelRef(name="m", version="1.0.0", digest="sha256:0"))
ROUNDS = 3_000


@contextmanager
def switching_often() -> Iterator[None]:
    """Threads take turns after every few instructions, so that a race shows within a second."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def together(*bodies: Callable[[], None]) -> list[BaseException]:
    """Run each in a thread of its own; what they died of."""
    died: list[BaseException] = []

    def run(body: Callable[[], None]) -> None:
        try:
            body()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what the test is about
            died.append(error)

    threads = [threading.Thread(target=run, args=(body,)) for body in bodies]
    with switching_often():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return died


def alarms(published: list[Message]) -> Alarms:
    return Alarms(ENCODER, lambda: datetime(2026, 11, 21, tzinfo=UTC), published.append)


def test_one_thread_may_ask_for_alarms_while_others_set_them() -> None:
    published: list[Message] = []
    shared = alarms(published)

    def set_many(who: str) -> None:
        for i in range(ROUNDS):
            shared.set("quality_drift", "moved", on=True, about=f"{who}{i}")

    def ask() -> None:
        while len(shared.about("quality_drift")) < 2 * ROUNDS:
            pass

    assert together(lambda: set_many("a"), lambda: set_many("b"), ask) == []
    assert len(published) == 2 * ROUNDS


def test_a_trouble_that_several_threads_see_is_told_once_and_its_end_after_its_beginning() -> None:
    published: list[Message] = []
    shared = alarms(published)

    def flicker() -> None:
        for i in range(ROUNDS):
            shared.set("disk_blocked", "full", on=i % 2 == 0)

    assert together(flicker, flicker) == []
    codes = [json.loads(message.payload)["code"] for message in published]
    assert codes == ["disk_blocked", "disk_blocked_over"] * (len(codes) // 2)


def test_how_long_the_broker_was_away_may_be_asked_while_it_comes_and_goes() -> None:
    absence = Absence(lambda: 1.0)

    def come_and_go() -> None:
        for _ in range(20 * ROUNDS):
            absence.noted()
            absence.ended()

    def ask() -> None:
        for _ in range(20 * ROUNDS):
            assert absence.seconds() == 0.0

    assert together(come_and_go, ask) == []


def test_passing_messages_may_be_published_while_others_are_taken_and_put_back() -> None:
    waiting, taken = PassingMessages(lambda: None), list[Passing]()

    def publish() -> None:
        for i in range(ROUNDS):
            while len(taken) < i - 50:
                pass
            waiting.publish(Message("base/metrics", str(i).encode()))

    def take() -> None:
        while len(taken) < ROUNDS:
            passing = waiting.take()
            waiting.put_back(passing[1:])
            taken.extend(passing[:1])

    assert together(publish, take) == []
    assert [int(passing.message.payload) for passing in taken] == list(range(ROUNDS))
