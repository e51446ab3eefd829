"""TLS and mutual TLS against a real broker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.adapters.mqtt import MqttSession
from edge.adapters.mqtt_client import BrokerSettings
from edge.core.errors import BrokerUnavailable
from edge.core.wire import Message
from edge.reporting.ports import Outcome
from tests.support.certificates import Authority
from tests.support.mosquitto import Mosquitto, find_mosquitto

pytestmark = [
    pytest.mark.broker,
    # paho leaves a socket whose handshake failed to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

WILL = Message("base/status", b"{}")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    tmp_path.chmod(0o755)
    return Authority(tmp_path)


@pytest.fixture
def start(tmp_path: Path, authority: Authority) -> Iterator[Callable[..., Mosquitto]]:
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed here: apt-get install mosquitto")
    (tmp_path / "broker").mkdir()
    started: list[Mosquitto] = []

    def run(*, days: float = 10, mutual: bool = False) -> Mosquitto:
        certificate, key = authority.issue("broker", days)
        extra = f"cafile {authority.file}\ncertfile {certificate}\nkeyfile {key}\n"
        extra += "require_certificate true\nuse_identity_as_username true\n" if mutual else ""
        started.append(Mosquitto(tmp_path / "broker", extra=extra, lasting=False))
        started[-1].start()
        return started[-1]

    yield run
    for broker in started:
        broker.stop()


def settings(broker: Mosquitto, ca: Path, pair: tuple[Path, Path] | None = None) -> BrokerSettings:
    certificate, key = pair or (None, None)
    plain = BrokerSettings("127.0.0.1", broker.port, "axi-edge-test", "5", 30, 5.0)
    return plain._replace(ca_file=ca, cert_file=certificate, key_file=key)


def test_a_message_goes_over_tls(start: Callable[..., Mosquitto], authority: Authority) -> None:
    session = MqttSession(settings(start(), authority.file), WILL)
    assert session.publish([Message("base/x", b"1")]) == [Outcome.ACKNOWLEDGED]
    session.close()


def test_mutual_tls_takes_our_certificate_and_no_other(start: Callable[..., Mosquitto], authority: Authority) -> None:
    broker = start(mutual=True)
    session = MqttSession(settings(broker, authority.file, authority.issue("axi1")), WILL)
    assert session.publish([Message("base/x", b"1")]) == [Outcome.ACKNOWLEDGED]
    session.close()
    stranger = Authority(authority.folder, "stranger").issue("axi1-of-another")
    for pair in (None, stranger):
        with pytest.raises(BrokerUnavailable, match="broker 127"):
            MqttSession(settings(broker, authority.file, pair), WILL)


def test_an_expired_or_foreign_broker_is_not_talked_to(start: Callable[..., Mosquitto], authority: Authority) -> None:
    with pytest.raises(BrokerUnavailable, match="certificate has expired"):
        MqttSession(settings(start(days=-2), authority.file), WILL)
    with pytest.raises(BrokerUnavailable, match="certificate verify failed"):
        MqttSession(settings(start(), Authority(authority.folder, "stranger").file), WILL)
