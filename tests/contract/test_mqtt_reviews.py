"""Reviews from a real broker: none is lost while nobody listens, or before it is on disk."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from edge.adapters.mqtt_client import BrokerSettings
from edge.adapters.mqtt_lasting import MqttLasting, reviews_of
from edge.feedback.ports import Heard
from tests.support.mosquitto import Mosquitto

pytestmark = pytest.mark.broker
TOPIC = "acme/line3/axi1/review"
WANTED = reviews_of(TOPIC.removesuffix("/review"))
UNHEARD = WANTED.unheard


class Ear:
    """One who listens, as a device that is switched on; what was taken is kept in ``heard``."""

    def __init__(self, port: int, version: str = "5") -> None:
        self._arrived = threading.Event()
        self.troubles: list[tuple[str, bool]] = []
        settings = BrokerSettings("127.0.0.1", port, "axi-edge-axi1", version, 30, 5.0)
        self.reviews = MqttLasting(settings, WANTED, self._arrived.set, self._note)
        self.reviews.listen()
        self.heard: list[Heard] = []

    def _note(self, code: str, text: str, *, on: bool) -> None:
        self.troubles.append((code, on))
        self._arrived.set()

    def until(self, condition: object) -> None:
        deadline = time.monotonic() + 30
        while not condition():  # type: ignore[operator]
            assert self._arrived.wait(max(0.0, deadline - time.monotonic())), "not in time"
            self._arrived.clear()
            self.heard += self.reviews.take()

    def hears(self, *payloads: bytes) -> None:
        self.until(lambda: {*payloads} <= {message.payload for message in self.heard})

    def listens(self) -> None:
        self.until(lambda: (UNHEARD, False) in self.troubles)


def flush(ear: Ear) -> None:
    """Something behind the acknowledgements on the same connection, so that the broker has read them."""
    ear.reviews._client.publish("acme/line3/other", b"", qos=1).wait_for_publish(10)  # type: ignore[union-attr]


@pytest.fixture
def send(mosquitto: Mosquitto) -> Iterator[object]:
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", mosquitto.port)
    client.loop_start()

    def sent(*payloads: bytes) -> None:
        for payload in payloads:
            client.publish(TOPIC, payload, qos=1).wait_for_publish(10)

    yield sent
    client.disconnect()
    client.loop_stop()


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_what_comes_while_the_device_is_off_is_heard_when_it_is_on_again(
    mosquitto: Mosquitto, send: object, version: str
) -> None:
    first = Ear(mosquitto.port, version)
    first.listens()
    first.reviews.close()
    send(b"1", b"2")  # type: ignore[operator]
    second = Ear(mosquitto.port, version)
    second.hears(b"1", b"2")
    second.reviews.acknowledge(second.heard)
    flush(second)
    second.reviews.close()
    third = Ear(mosquitto.port, version)
    third.listens()
    send(b"3")  # type: ignore[operator]
    third.hears(b"3")
    assert [message.payload for message in third.heard] == [b"3"], "acknowledged ones do not come again"
    third.reviews.close()


def test_what_was_not_acknowledged_comes_again_also_over_a_broker_that_died(mosquitto: Mosquitto, send: object) -> None:
    ear = Ear(mosquitto.port)
    ear.listens()
    send(b"1", b"2")  # type: ignore[operator]
    ear.hears(b"1", b"2")
    before = list(ear.heard)
    ear.reviews.acknowledge([message for message in before if message.payload == b"1"])
    flush(ear)
    send(b"3")  # type: ignore[operator]
    ear.hears(b"3")
    mosquitto.stop()
    mosquitto.start()
    ear.heard = []
    ear.hears(b"2", b"3")
    assert b"1" not in {message.payload for message in ear.heard}
    assert {message.session for message in ear.heard} != {before[0].session}
    ear.reviews.acknowledge(before)  # of a session that has ended: what has these numbers now may be another message
    ear.reviews.close()
    again = Ear(mosquitto.port)
    again.hears(b"2", b"3")
    again.reviews.close()


def test_a_broker_that_does_not_let_us_in_is_told_of_and_so_is_the_end_of_that(mosquitto: Mosquitto) -> None:
    mosquitto.change("allow_anonymous false\n")
    ear = Ear(mosquitto.port)
    ear.until(lambda: (UNHEARD, True) in ear.troubles)
    mosquitto.change("")
    ear.listens()
    ear.reviews.close()


@pytest.mark.parametrize(
    "change", [{"host": ""}, {"ca_file": Path("/nonexistent/ca.pem")}, {"ca_file": Path("/dev/null")}]
)
def test_what_cannot_be_used_to_reach_a_broker_is_an_alarm_and_nothing_worse(change: dict[str, object]) -> None:
    troubles: list[tuple[str, bool]] = []
    settings = BrokerSettings("127.0.0.1", 1, "axi1", "5", 30, 1.0)._replace(**change)  # type: ignore[arg-type]
    reviews = MqttLasting(settings, WANTED, lambda: None, lambda code, text, *, on: troubles.append((code, on)))
    for _ in range(2):
        reviews.listen()
    assert troubles == [(UNHEARD, True)] * 2
    reviews.close()


def test_a_message_that_nobody_waits_for_is_heard_and_costs_no_session(mosquitto: Mosquitto, send: object) -> None:
    ear = Ear(mosquitto.port)
    ear.listens()
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", mosquitto.port)
    client.loop_start()
    client.publish(TOPIC, b"0", qos=0).wait_for_publish(10)
    ear.hears(b"0")
    ear.reviews.acknowledge(ear.heard)
    send(b"1")  # type: ignore[operator]
    ear.hears(b"1")
    assert len({message.session for message in ear.heard}) == 1
    client.disconnect()
    client.loop_stop()
    ear.reviews.close()
