"""Devices that functional tests run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import DaemonProcess
from tests.support.mosquitto import Mosquitto


@pytest.fixture
def device(tmp_path: Path, bundle: Path, mosquitto: Mosquitto) -> Iterator[DaemonProcess]:
    daemon = DaemonProcess(tmp_path, bundle, mosquitto.port)
    yield daemon
    daemon.kill()
