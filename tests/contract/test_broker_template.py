"""The broker template beside Debian's own configuration, with the access list that comes with it: a real mosquitto."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.adapters.mqtt import MqttSession
from edge.adapters.mqtt_client import BrokerSettings
from edge.core.errors import BrokerUnavailable
from edge.core.wire import Message
from edge.reporting.ports import Outcome
from tests.support.mosquitto import Mosquitto, find_mosquitto

pytestmark = pytest.mark.broker
TEMPLATE = Path(__file__).parents[2] / "firmware_cfg" / "broker"
DEBIAN = "persistence true\npersistence_location {folder}/\ninclude_dir {folder}/conf.d\nuser root\n"
"""What matters of the mosquitto.conf that Debian installs."""
BASE, ELSEWHERE = "acme/penang/smt/line3/axi1", "acme/penang/smt/line3/axi2"


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """A broker configured as the guide says, with the users ``axi1`` and ``mes``; their passwords are their names."""
    passwords = shutil.which("mosquitto_passwd")
    if find_mosquitto() is None or passwords is None:
        pytest.skip("mosquitto is not installed here: apt-get install mosquitto")
    tmp_path.chmod(0o755)
    etc = tmp_path / "etc"
    (etc / "conf.d").mkdir(parents=True)
    broker = Mosquitto(etc, config=DEBIAN.format(folder=etc))
    text = (TEMPLATE / "mosquitto.conf").read_text().replace("/etc/mosquitto", str(etc))
    assert "listener 1883\n" in text
    (etc / "conf.d" / "axi.conf").write_text(text.replace("listener 1883\n", f"listener {broker.port} 127.0.0.1\n"))
    shutil.copy(TEMPLATE / "acl.example", etc / "axi-acl")
    (etc / "axi-acl").chmod(0o600)
    for user, flag in (("axi1", "-c"), ("mes", "")):
        words = [passwords, "-b", *filter(None, [flag]), str(etc / "axi-passwords"), user, user]
        subprocess.run(words, check=True, capture_output=True)
    broker.start()
    yield broker.port
    broker.stop()


def session(port: int, user: str, password: str) -> MqttSession:
    settings = BrokerSettings("127.0.0.1", port, f"test-{user}", "5", 30, 5.0, username=user, password=password)
    return MqttSession(settings, Message(f"{BASE}/status", b"{}", retain=True))


def test_a_device_writes_its_own_topics_and_no_others(port: int) -> None:
    device = session(port, "axi1", "axi1")
    assert device.publish([Message(f"{BASE}/verdict/SN1", b"1")]) == [Outcome.ACKNOWLEDGED]
    assert device.publish([Message(f"{ELSEWHERE}/verdict/SN1", b"1")]) == [Outcome.REFUSED]
    device.close()


def test_a_reader_may_not_write_and_a_stranger_not_enter(port: int) -> None:
    with pytest.raises(BrokerUnavailable):
        session(port, "axi1", "guessed")
    reader = session(port, "mes", "mes")
    assert reader.publish([Message(f"{BASE}/cmd/reload", b"")]) == [Outcome.REFUSED]
    reader.close()
