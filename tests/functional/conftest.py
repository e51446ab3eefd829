"""Devices that functional tests run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from convert.simulator.plan import LotPlan
from convert.simulator.xray.lot import simulate_lot
from edge.bundle.shipped import WORD, bundle_folder
from tests.support.daemon import DaemonProcess
from tests.support.mosquitto import Mosquitto
from tests.support.plant import Plant
from tests.support.review_line import JOINTS, Line
from tests.support.station import CHROMIUM


@pytest.fixture
def device(tmp_path: Path, bundle: Path, mosquitto: Mosquitto) -> Iterator[DaemonProcess]:
    daemon = DaemonProcess(tmp_path, bundle, mosquitto.port)
    yield daemon
    daemon.kill()


@pytest.fixture
def shipped(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[DaemonProcess]:
    """A device that judges with the bundle that ships."""
    found = DaemonProcess(tmp_path, bundle_folder(WORD), mosquitto.port)
    yield found
    found.kill()


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    found = Plant(tmp_path)
    yield found
    found.broker.stop()


@pytest.fixture(scope="session")
def reviewed_lot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("reviewed") / "lot"
    list(
        simulate_lot(
            out, LotPlan(boards=6, joints=JOINTS, seed=31, types=3, first_type=900, defect_share=0.2), workers=2
        )
    )
    return out


@pytest.fixture
def line(tmp_path: Path, mosquitto: Mosquitto, reviewed_lot: Path) -> Iterator[Line]:
    found = Line(tmp_path, mosquitto, reviewed_lot)
    yield found
    found.close()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    if not CHROMIUM.exists():
        pytest.skip("chromium is not installed here: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def browser(chromium: Any) -> Iterator[Any]:
    """Without what a test before left open."""
    yield chromium
    for context in chromium.contexts:
        context.close()
