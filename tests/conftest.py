"""Fixtures that several kinds of test share: a real broker, a small real bundle, a small real lot."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.devices import small_bundle, small_lots, small_optical_lots, small_quality_bundle
from tests.support.mosquitto import Mosquitto, find_mosquitto
from tests.support.shared import made_once

settings.register_profile("noisy machine", deadline=None)  # time is not a property of the code here
settings.load_profile("noisy machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules that take minutes come first, so that no process is left with one when the other has finished."""
    long = {item.nodeid.partition("::")[0] for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.nodeid.partition("::")[0] not in long)


@pytest.fixture
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """A real broker on a free port."""
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed here: apt-get install mosquitto")
    broker = Mosquitto(tmp_path_factory.mktemp("mosquitto"))
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def lots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three small simulated lots with no board type in common: learn, validate, evaluate."""
    return made_once(tmp_path_factory, "lots", small_lots)


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory, lots: Path) -> Path:
    """A real int8 bundle, small and badly trained: for tests that need verdicts, not good ones."""
    return made_once(tmp_path_factory, "bundle", lambda folder: small_bundle(folder, lots))


@pytest.fixture(scope="session")
def optical_lots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three small lots of graded joints with no board type in common: learn, validate, evaluate."""
    return made_once(tmp_path_factory, "optical-lots", small_optical_lots)


@pytest.fixture(scope="session")
def quality_bundle(tmp_path_factory: pytest.TempPathFactory, optical_lots: Path) -> Path:
    """A real int8 bundle that grades."""
    return made_once(tmp_path_factory, "quality", lambda folder: small_quality_bundle(folder, optical_lots))


@pytest.fixture(scope="session")
def device_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh environment that holds the package without extras, as a device has it."""
    return made_once(tmp_path_factory, "device", _install)


def _install(folder: Path) -> Path:
    python3 = shutil.which("python3", path="/usr/bin") or shutil.which("python3")
    assert python3
    root = Path(__file__).parents[1]
    subprocess.run([python3, "-m", "venv", str(folder / "axi-edge")], check=True)
    python = folder / "axi-edge" / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "-c", str(root / "constraints.txt"), str(root)], check=True)
    return python
