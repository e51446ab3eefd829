"""One suite for a broker session: the fake that unit tests use, and paho against a real mosquitto."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from edge.adapters.mqtt import MqttSession
from edge.adapters.mqtt_client import BrokerSettings
from edge.core.errors import BrokerUnavailable
from edge.core.wire import Message
from edge.reporting.ports import Outcome, Session
from tests.support.fakes import FakeBroker
from tests.support.mosquitto import Mosquitto, Subscriber

WILL = Message("base/status", b'{"state":"offline"}', retain=True)


class FakeSide:
    def __init__(self) -> None:
        self.broker = FakeBroker()

    def connect(self) -> Session:
        return self.broker.connect(WILL)

    def delivered(self, n: int) -> list[bytes]:
        return [message.payload for message in self.broker.delivered if message.topic == "base/x"]

    def die(self) -> None:
        self.broker.up = False


class RealSide:
    def __init__(self, mosquitto: Mosquitto, version: str) -> None:
        self._mosquitto = mosquitto
        self.settings = BrokerSettings("127.0.0.1", mosquitto.port, "axi-edge-test", version, 30, 5.0)
        self._subscriber = Subscriber(mosquitto.port)

    def connect(self) -> Session:
        return MqttSession(self.settings, WILL)

    def delivered(self, n: int) -> list[bytes]:
        self._subscriber.wait_for(lambda s: len([m for m in s._messages if m[0] == "base/x"]) >= n)
        return [payload for topic, payload, _ in self._subscriber._messages if topic == "base/x"]

    def die(self) -> None:
        self._mosquitto.kill()


@pytest.fixture(
    params=["fake", pytest.param("5", marks=pytest.mark.broker), pytest.param("3.1.1", marks=pytest.mark.broker)]
)
def side(request: pytest.FixtureRequest) -> Iterator[FakeSide | RealSide]:
    if request.param == "fake":
        yield FakeSide()
    else:
        yield RealSide(request.getfixturevalue("mosquitto"), request.param)


def test_what_is_acknowledged_was_delivered_in_order(side: Any) -> None:
    session = side.connect()
    payloads = [str(i).encode() for i in range(300)]
    assert session.publish([Message("base/x", payload) for payload in payloads]) == [Outcome.ACKNOWLEDGED] * 300
    assert side.delivered(300) == payloads
    assert session.alive
    session.close()


def test_nothing_is_acknowledged_once_the_broker_is_gone(side: Any) -> None:
    session = side.connect()
    assert session.publish([Message("base/x", b"1")]) == [Outcome.ACKNOWLEDGED]
    side.die()
    assert session.publish([Message("base/x", b"2")]) == [Outcome.UNKNOWN]
    assert not session.alive
    session.close()
    with pytest.raises(BrokerUnavailable):
        side.connect()


def test_an_empty_batch_is_fine(side: Any) -> None:
    session = side.connect()
    assert session.publish([]) == []
    session.close()


@pytest.mark.broker
def test_a_denied_topic_is_not_taken_for_sent(tmp_path_factory: pytest.TempPathFactory) -> None:
    """MQTT 5 brokers say so in the PUBACK; what they deny stays in the outbox."""
    folder = tmp_path_factory.mktemp("acl")
    (folder / "acl").write_text("topic write base/x\ntopic readwrite base/status\n")
    broker = Mosquitto(folder, extra=f"acl_file {folder}/acl\n")
    broker.start()
    try:
        session = MqttSession(BrokerSettings("127.0.0.1", broker.port, "axi", "5", 30, 5.0), WILL)
        assert session.publish([Message("base/x", b"1"), Message("base/y", b"2")]) == [
            Outcome.ACKNOWLEDGED,
            Outcome.REFUSED,
        ]
        session.close()
    finally:
        broker.stop()


@pytest.mark.broker
def test_a_wrong_password_is_named(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("password")
    broker = Mosquitto(folder)
    broker._config.write_text(broker._config.read_text().replace("allow_anonymous true", "allow_anonymous false"))
    broker.start()
    try:
        with pytest.raises(BrokerUnavailable, match=r"refused: Not authorized.*password_file"):
            MqttSession(BrokerSettings("127.0.0.1", broker.port, "axi", "5", 30, 5.0), WILL)
    finally:
        broker.stop()
