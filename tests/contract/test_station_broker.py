"""The station and a real broker: no joint goes unheard and no review unsaid, whoever is away meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest

from edge.adapters.mqtt_client import BrokerSettings
from edge.core.payloads import BoardRef, VerdictPayload
from edge.core.review import Review
from edge.core.verdict import Call, Reason, Route
from edge.core.wire import Message
from edge.station.broker import Ears, Mouth, News
from edge.station.joints import Joint
from edge.station.store import JointStore
from tests.support.mosquitto import Mosquitto, Subscriber
from tests.support.queues import decided, joint, outbox_at, store_at

pytestmark = pytest.mark.broker
BASE = "acme/line3/axi1"


def settings(mosquitto: Mosquitto, version: str = "5") -> BrokerSettings:
    return BrokerSettings("127.0.0.1", mosquitto.port, "axi-station-review1", version, 30, 5.0)


def verdict_on(number: int, *, released: bool = False) -> bytes:
    one = joint(number)
    return msgspec.json.encode(
        VerdictPayload(
            event_id=one.event_id,
            device="axi1",
            time=one.time,
            job_id=one.job_id,
            board=BoardRef(serial=one.serial, type=one.board_type),
            joint=one.joint,
            refdes="J1",
            pin="1",
            machine_call=None,
            verdict=Call.NORMAL if released else Call.UNJUDGED,
            route=Route.RELEASE if released else Route.SPECIALIST,
            p_defect=0.1,
            threshold=0.5,
            operating_point="recall-0.98",
            reason=None if released else Reason.LEARNING,
            slices=4,
            model=None,
            latency_ms=3.0,
        )
    )


def review_of(store: JointStore, number: int) -> str:
    standing = store.decide(decided(joint(number)), 0)
    assert standing is not None
    return standing.review_id


class Listening:
    """Ears on a store; waits for what a test expects."""

    def __init__(self, mosquitto: Mosquitto, store: JointStore, version: str = "5") -> None:
        self._changed, self.store = threading.Event(), store
        self.ears = Ears(settings(mosquitto, version), BASE, self._keep)
        self.ears.start()

    def _keep(self, news: News) -> None:
        self.store.hear(news.joints, news.reviews, 0.0)
        self._changed.set()

    def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(60):
            if condition():
                return
            self._changed.wait(1)
            self._changed.clear()
        raise AssertionError("not in time")

    def hears(self, line: Subscriber, number: int = 0) -> None:
        """Say a joint until it is there: from then on nothing is missed."""
        for _ in range(600):
            line.publish(f"{BASE}/verdict/SN000", verdict_on(number))
            if self.store.joint(joint(number).event_id):
                return
            self._changed.wait(0.1)
            self._changed.clear()
        raise AssertionError("nothing is heard")

    def waits(self, *numbers: int) -> None:
        wanted = {joint(number).event_id for number in numbers}
        self.until(lambda: {number for number in wanted if self.store.joint(number)} == wanted)


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_joints_come_in_whether_the_station_is_on_or_off(mosquitto: Mosquitto, tmp_path: Path, version: str) -> None:
    store, line = store_at(tmp_path), Subscriber(mosquitto.port)
    first = Listening(mosquitto, store, version)
    first.hears(line)
    assert not first.ears.trouble
    line.publish(f"{BASE}/verdict/SN000", b"{}")
    first.ears.close()
    for payload in (
        verdict_on(1),
        verdict_on(2, released=True),
        verdict_on(3),
        b"no JSON",
        b'{"schema":"axi-verdict/1"}',
    ):
        line.publish(f"{BASE}/verdict/SN000", payload)
    second = Listening(mosquitto, store, version)
    second.waits(1, 2, 3)
    assert store.counts()[0] == 3, "a joint that was released waits for nobody"
    second.ears.close()
    line.close()


class Full(JointStore):
    """A disk that is full for a while."""

    def __init__(self, store: JointStore) -> None:
        self.__dict__.update(store.__dict__)
        self.refusals = 2

    def hear(self, joints: Sequence[Joint], reviews: Sequence[Review], now: float) -> list[Joint]:
        if joints and self.refusals:
            self.refusals -= 1
            raise OSError(28, "No space left on device")
        return super().hear(joints, reviews, now)


def test_what_could_not_be_kept_is_not_acknowledged_and_kept_later(mosquitto: Mosquitto, tmp_path: Path) -> None:
    store, line = Full(store_at(tmp_path)), Subscriber(mosquitto.port)
    listening = Listening(mosquitto, store)
    listening.hears(line)
    assert not store.refusals
    listening.ears.close()
    line.close()


class Picky(JointStore):
    """A message that nothing can be made of."""

    def __init__(self, store: JointStore) -> None:
        self.__dict__.update(store.__dict__)

    def hear(self, joints: Sequence[Joint], reviews: Sequence[Review], now: float) -> list[Joint]:
        if any(one.joint == "J1.3" for one in joints):
            raise ValueError("nobody can read this")
        return super().hear(joints, reviews, now)


def test_one_message_that_nobody_can_keep_holds_up_no_other(mosquitto: Mosquitto, tmp_path: Path) -> None:
    store, line = Picky(store_at(tmp_path)), Subscriber(mosquitto.port)
    listening = Listening(mosquitto, store)
    listening.hears(line)
    for number in range(1, 20):
        line.publish(f"{BASE}/verdict/SN000", verdict_on(number))
    listening.waits(*(number for number in range(20) if number % 10 != 3))
    assert store.counts()[0] == 18
    listening.ears.close()
    line.close()


def test_reviews_are_said_once_the_broker_is_there_again(mosquitto: Mosquitto, tmp_path: Path) -> None:
    store, outbox = store_at(tmp_path), outbox_at(tmp_path)
    store.hear([joint(n) for n in range(30)], [], 0.0)
    line = Subscriber(mosquitto.port, f"{BASE}/review", client_id="watcher")  # of whom the broker knows when it is back
    mosquitto.stop()
    mouth = Mouth(settings(mosquitto), f"{BASE}/review", outbox)
    mouth.start()
    ids = [review_of(store, n) for n in range(10)]
    mouth.wake()
    mosquitto.start()
    mouth.wake()
    ids += [review_of(store, n) for n in range(10, 30)]
    mouth.wake()
    line.wait_for(lambda one: len({said["review_id"] for said in one.payloads("/review")}) == 30)
    assert {said["review_id"] for said in line.payloads("/review")} == set(ids)
    mouth.close()
    assert outbox.unsent() == 0
    assert mouth.trouble == ""
    line.close()


def test_a_review_that_an_old_broker_throws_away_is_not_taken_for_sent(mosquitto: Mosquitto, tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.write_text(f"topic read {BASE}/#\n")
    rules.chmod(0o644)
    mosquitto.change(f"acl_file {rules}\n")
    store, outbox, clock = store_at(tmp_path), outbox_at(tmp_path), [1000.0]
    store.hear([joint(0)], [], 0.0)
    listening = Listening(mosquitto, store, "3.1.1")
    mouth = Mouth(settings(mosquitto, "3.1.1"), f"{BASE}/review", outbox, lambda: clock[0])
    mouth.start()
    review_of(store, 0)
    mouth.wake()
    listening.until(lambda: not outbox.to_send(clock[0], 10))  # it went out, and was acknowledged
    assert outbox.unsent() == 1
    mosquitto.change("")
    clock[0] += 60
    for _ in range(60):
        mouth.wake()
        if not outbox.unsent():
            break
        listening.until(lambda: True)
        threading.Event().wait(0.5)
    assert outbox.unsent() == 0
    mouth.close()
    listening.ears.close()


def test_what_is_to_be_known_is_retained_at_each_connection_and_when_it_changes(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    said = [Message("homeassistant/sensor/a/config", b"1", retain=True)]
    mouth = Mouth(settings(mosquitto), f"{BASE}/review", outbox_at(tmp_path), also=lambda: said)
    mouth.start()
    line = Subscriber(mosquitto.port, "homeassistant/#")
    line.wait_for(lambda one: one.payloads("/a/config") == [1])
    said.append(Message("homeassistant/sensor/b/config", b"2", retain=True))
    mouth.wake()
    line.wait_for(lambda one: one.payloads("/b/config") == [2])
    mosquitto.stop()
    mosquitto.start()
    line.wait_for(lambda one: one.payloads("/a/config").count(1) >= 2)
    late = Subscriber(mosquitto.port, "homeassistant/#")
    late.wait_for(lambda one: one.payloads("config") == [1, 2])
    mouth.close()
    line.close()
    late.close()


def test_a_broker_that_takes_no_configurations_is_told_of_and_still_gets_reviews(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    rules = tmp_path / "rules"
    rules.write_text(f"topic readwrite {BASE}/#\n")
    rules.chmod(0o644)
    mosquitto.change(f"acl_file {rules}\n")
    store, outbox = store_at(tmp_path), outbox_at(tmp_path)
    store.hear([joint(0)], [], 0.0)
    said = [Message("homeassistant/sensor/a/config", b"1", retain=True)]
    mouth = Mouth(settings(mosquitto), f"{BASE}/review", outbox, also=lambda: said)
    mouth.start()
    review_of(store, 0)
    told = threading.Event()
    for _ in range(300):
        mouth.wake()
        if mouth.trouble and not outbox.unsent():
            break
        told.wait(0.1)
    assert mouth.trouble == "the broker takes no configurations: let this station write homeassistant/sensor/a/config"
    assert not outbox.unsent()
    mouth.close()


def test_a_broker_that_takes_no_reviews_is_told_of_and_loses_none(mosquitto: Mosquitto, tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.write_text(f"topic read {BASE}/#\n")
    rules.chmod(0o644)
    mosquitto.change(f"acl_file {rules}\n")
    store, outbox = store_at(tmp_path), outbox_at(tmp_path)
    store.hear([joint(0)], [], 0.0)
    mouth = Mouth(settings(mosquitto), f"{BASE}/review", outbox)
    mouth.start()
    store.decide(decided(joint(0)), 0)
    told = threading.Event()
    for _ in range(300):
        mouth.wake()
        if "takes no reviews" in mouth.trouble:
            break
        told.wait(0.1)
    assert f"let this station write {BASE}/review" in mouth.trouble
    assert outbox.unsent() == 1
    mosquitto.change("")
    for _ in range(300):
        mouth.wake()
        if not outbox.unsent():
            break
        told.wait(0.1)
    assert outbox.unsent() == 0
    mouth.close()
