"""A hundred thousand verdicts that waited while the broker was away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from edge.adapters.journal.store import Journal
from edge.core.wire import Message, VerdictMessage, encode
from tests.support.builders import make_verdict
from tests.support.daemon import DaemonProcess
from tests.support.mosquitto import Mosquitto, Subscriber, find_mosquitto

pytestmark = pytest.mark.broker

VERDICTS, BOARDS, BATCH = 100_000, 50, 1_000
GROWTH_MB = 20


@pytest.fixture
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """A broker that does not write its state down at every message, which would take most of the time."""
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed here: apt-get install mosquitto")
    broker = Mosquitto(tmp_path_factory.mktemp("mosquitto"), lasting=False)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def device(tmp_path: Path, bundle: Path, mosquitto: Mosquitto) -> Iterator[DaemonProcess]:
    device = DaemonProcess(tmp_path, bundle, mosquitto.port)
    journal = Journal(tmp_path / "journal.db")
    journal.settle_in([])
    entry = journal.open_job("sha256:a", "L7", VERDICTS, datetime.now(UTC))
    for start in range(0, VERDICTS, BATCH):
        rows = []
        for i in range(start, start + BATCH):
            payload = make_verdict(f"J{i:06d}").payload
            message = Message(f"acme/line3/axi1/verdict/SN{i % BOARDS}", encode(payload))
            rows.append(VerdictMessage(payload, message))
        journal.record(entry, rows)
    journal.close()
    yield device
    device.kill()


def resident_mb(pid: int, what: str) -> float:
    found = re.search(rf"{what}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found.group(1)) / 1e3


def test_all_of_a_long_backlog_arrives_in_order_and_memory_stays_flat(
    device: DaemonProcess, mosquitto: Mosquitto
) -> None:
    subscriber = Subscriber(mosquitto.port, "acme/line3/axi1/verdict/#")
    online = Subscriber(mosquitto.port, "acme/line3/axi1/status")
    device.start()
    online.wait_for(lambda s: s.payloads("/status"))
    before = resident_mb(device.pid, "VmRSS")
    subscriber.wait_for(lambda s: len(s._messages) >= VERDICTS, seconds=300)
    grown = resident_mb(device.pid, "VmHWM") - before
    assert device.stop() == 0
    by_board: dict[str, list[str]] = {}
    for topic, payload, _ in subscriber._messages:
        by_board.setdefault(topic, []).append(msgspec.json.decode(payload)["joint"])
    assert sum(len(set(joints)) for joints in by_board.values()) == VERDICTS
    assert all(list(dict.fromkeys(joints)) == sorted(set(joints)) for joints in by_board.values()), "order of a board"
    assert grown < GROWTH_MB
    journal = Journal(device.work / "journal.db")
    assert journal.unsent() == 0
    journal.close()
    online.close()
    subscriber.close()
