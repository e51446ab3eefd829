"""Brokers that let a device in and then do not do what it needs: the doctor and an alarm say so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge.config import load_settings
from edge.core.errors import ConfigError
from edge.daemon.broker import broker_settings, try_broker
from tests.support.certificates import Authority
from tests.support.daemon import DaemonProcess
from tests.support.lines import jobs_of
from tests.support.mosquitto import Mosquitto, Subscriber, find_mosquitto

pytestmark = pytest.mark.broker


@pytest.fixture
def broker_with(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Mosquitto]]:
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed here: apt-get install mosquitto")
    started: list[Mosquitto] = []

    def start(extra: str) -> Mosquitto:
        broker = Mosquitto(tmp_path_factory.mktemp("broker"), extra=extra, lasting=False)
        broker.start()
        started.append(broker)
        return broker

    yield start
    for broker in started:
        broker.stop()


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ("", ""),
        ("retain_available false\n", "allow retained messages at the broker"),
        ("max_packet_size 300\n", "takes no message over"),
        ("max_packet_size 650\n", "a verdict may have"),
    ],
)
def test_the_doctor_says_what_the_daemon_would_run_into(
    extra: str, says: str, tmp_path: Path, broker_with: Callable[[str], Mosquitto]
) -> None:
    device = DaemonProcess(tmp_path, tmp_path / "bundle", broker_with(extra).port)
    said = try_broker(load_settings(device.config))
    assert says in said
    assert bool(said) == bool(says)


def test_verdicts_that_are_too_large_for_the_broker_raise_an_alarm_and_stay(
    tmp_path: Path, bundle: Path, lots: Path, broker_with: Callable[[str], Mosquitto]
) -> None:
    broker = broker_with("max_packet_size 500\n")
    device, subscriber = DaemonProcess(tmp_path, bundle, broker.port), Subscriber(broker.port)
    device.start()
    device.submit(jobs_of(lots / "evaluate")[0])
    subscriber.wait_for(lambda s: "messages_not_taken" in {alarm["code"] for alarm in s.payloads("/alarm")})
    assert device.stop() == 0
    assert not subscriber.payloads("/verdict/")
    subscriber.close()


def test_another_client_under_the_same_id_is_told_of(tmp_path: Path, bundle: Path, mosquitto: Mosquitto) -> None:
    device, subscriber = DaemonProcess(tmp_path, bundle, mosquitto.port), Subscriber(mosquitto.port)
    twin = paho.Client(CallbackAPIVersion.VERSION2, client_id="axi-edge-axi1", protocol=MQTTProtocolVersion.MQTTv5)
    twin.reconnect_delay_set(1, 1)
    device.start()
    subscriber.wait_for(lambda s: s.payloads("axi1/status"))
    twin.connect("127.0.0.1", mosquitto.port)
    twin.loop_start()
    try:
        subscriber.wait_for(lambda s: "session_short" in {alarm["code"] for alarm in s.payloads("/alarm")})
    finally:
        twin.disconnect()
        twin.loop_stop()
    (text,) = {alarm["text"] for alarm in subscriber.payloads("/alarm") if alarm["code"] == "session_short"}
    assert "[mqtt] client_id" in text  # this broker ends the session without saying why, as many do
    assert device.stop() == 0
    subscriber.close()


def test_a_key_that_is_encrypted_or_none_is_refused_by_name(tmp_path: Path) -> None:
    device = DaemonProcess(tmp_path, tmp_path / "bundle", 1883)
    certificate, _ = Authority(tmp_path).issue("device", 10)
    key = tmp_path / "key.pem"
    text = device.config.read_text()
    named = f'[mqtt]\nca_file = "{certificate}"\ncert_file = "{certificate}"\nkey_file = "{key}"'
    device.config.write_text(text.replace("[mqtt]", named))
    settings = load_settings(device.config)
    secret = ec.generate_private_key(ec.SECP256R1())
    key.write_bytes(secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))
    with pytest.raises(ConfigError, match=r"key_file: .*is encrypted; store it without a passphrase"):
        broker_settings(settings)
    key.write_text("nonsense")
    with pytest.raises(ConfigError, match="name a readable PEM key"):
        broker_settings(settings)
    key.unlink()
    with pytest.raises(ConfigError, match="name a readable PEM key"):
        broker_settings(settings)
