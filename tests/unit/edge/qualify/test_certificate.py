"""A certificate holds for the device, the bundles and the settings that it was made with, and for nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from edge.config import DeviceSettings, InferenceSettings, JournalSettings, ModelSettings, MqttSettings, Settings
from edge.core.payloads import ModelRef
from edge.core.qualification import Machine
from edge.qualify.certificate import Shelf, seal, unseal
from edge.qualify.machine import this_machine
from edge.qualify.standing import Served, standing
from tests.support.qualified import HERE, MODEL, qualification

SERVED = Served(MODEL, "2026-11-01T00:00:00Z")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        device=DeviceSettings(name="axi1"),
        model=ModelSettings(bundle="bundle"),
        mqtt=MqttSettings(base_topic="base"),
        journal=JournalSettings(path=str(tmp_path / "here" / "journal.db")),
    )


@pytest.fixture
def shelf(settings: Settings) -> Shelf:
    found = Shelf(Path(settings.journal.path).parent)
    seal(qualification(), found)
    return found


def test_a_device_that_is_as_it_was_is_certified(settings: Settings, shelf: Shelf) -> None:
    found = standing(settings, [SERVED], HERE)
    unsealed = unseal(shelf)
    assert unsealed
    assert unsealed.qualification == qualification()
    assert (found.certified, found.time, found.digest) == (True, qualification().time, unsealed.digest)


def test_a_device_that_was_never_qualified_says_so(settings: Settings) -> None:
    found = standing(settings, [SERVED], HERE)
    assert not found.certified
    assert "never qualified; run axi-edge qualify" in found.text


def test_a_certificate_that_was_altered_is_refused_wherever_it_was(settings: Settings, shelf: Shelf) -> None:
    sound = shelf.certificate.read_bytes()
    for place in range(0, len(sound) - 1, 7):
        changed = bytearray(sound)
        changed[place] ^= 1
        shelf.certificate.write_bytes(bytes(changed))
        found = standing(settings, [SERVED], HERE)
        assert not found.certified, f"byte {place}"
        assert str(shelf.certificate) in found.text


def test_a_certificate_of_another_device_is_refused(settings: Settings, shelf: Shelf, tmp_path: Path) -> None:
    other = Shelf(tmp_path / "other")
    seal(qualification(), other)
    shutil.copy(other.certificate, shelf.certificate)
    found = standing(settings, [SERVED], HERE)
    assert not found.certified
    assert "altered, or is another device's" in found.text


def test_a_certificate_of_another_device_is_refused_with_its_keys_too(
    settings: Settings, shelf: Shelf, tmp_path: Path
) -> None:
    other = Shelf(tmp_path / "other")
    seal(qualification(machine=replace(HERE, id="sha256:there")), other)
    for path in other.folder.iterdir():
        shutil.copy(path, shelf.folder)
    found = standing(settings, [SERVED], HERE)
    assert not found.certified
    assert "it is of another device" in found.text


@pytest.mark.parametrize(
    "served",
    [
        Served(ModelRef(name="slicenet", version="1.1.0", digest="sha256:" + "1" * 64), "2026-11-01T00:00:00Z"),
        Served(MODEL, "2026-12-01T00:00:00Z"),
        Served(MODEL, "no date"),
    ],
)
def test_a_certificate_that_is_older_than_a_bundle_is_refused(settings: Settings, shelf: Shelf, served: Served) -> None:
    assert shelf.certificate.exists()
    found = standing(settings, [SERVED, served], HERE)
    assert not found.certified
    assert f"older than {served.model.name} {served.model.version}" in found.text


@pytest.mark.parametrize(
    ("here", "words"),
    [
        (replace(HERE, id=""), "no /etc/machine-id to be known by"),
        (replace(HERE, processor="Another"), "the processor was A processor (4 cores), and is Another (4 cores)"),
        (replace(HERE, cores=8), "and is A processor (8 cores)"),
        (
            replace(HERE, packages={**HERE.packages, "ai-edge-litert": "2.4.0"}),
            "ai-edge-litert was 2.3.0, and is 2.4.0",
        ),
        (replace(HERE, packages={"numpy": "1.26.4"}), "ai-edge-litert was 2.3.0, and is not there"),
        (replace(HERE, packages={**HERE.packages, "tflite-runtime": "2.14.0"}), "tflite-runtime was not there"),
    ],
)
def test_a_device_that_changed_since_is_not_certified(
    settings: Settings, shelf: Shelf, here: Machine, words: str
) -> None:
    assert shelf.certificate.exists()
    found = standing(settings, [SERVED], here)
    assert not found.certified
    assert words in found.text


def test_what_changes_nothing_that_computes_does_no_harm(settings: Settings, shelf: Shelf) -> None:
    assert shelf.certificate.exists()
    assert standing(settings, [SERVED], replace(HERE, kernel="6.2", os="Debian 13", version="0.2.0")).certified


@pytest.mark.parametrize("inference", [{"kernels": "exact"}, {"runtime": "tflite-runtime"}])
def test_settings_that_were_not_chosen_are_not_certified(
    settings: Settings, shelf: Shelf, inference: dict[str, str]
) -> None:
    assert shelf.certificate.exists()
    found = standing(replace(settings, inference=replace(InferenceSettings(), **inference)), [SERVED], HERE)
    assert not found.certified
    assert "[inference] is " in found.text


def test_another_name_is_another_device(settings: Settings, shelf: Shelf) -> None:
    assert shelf.certificate.exists()
    found = standing(replace(settings, device=DeviceSettings(name="axi2")), [SERVED], HERE)
    assert "it is of axi1, and this is axi2" in found.text


def test_a_second_qualification_keeps_the_key(shelf: Shelf) -> None:
    key = shelf.key.read_bytes()
    seal(qualification(device="axi2"), shelf)
    assert shelf.key.read_bytes() == key
    assert shelf.key.stat().st_mode & 0o777 == 0o600
    assert unseal(shelf)


def test_a_processor_is_known_by_its_name_or_its_board(tmp_path: Path) -> None:
    (tmp_path / "proc" / "device-tree").mkdir(parents=True)
    cpuinfo = tmp_path / "proc" / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Intel(R) N97\n")
    assert this_machine("1", tmp_path).processor == "Intel(R) N97"
    cpuinfo.write_text("CPU implementer\t: 0x41\nCPU part\t: 0xd0b\n")
    (tmp_path / "proc" / "device-tree" / "model").write_bytes(b"Raspberry Pi 5 Model B Rev 1.0\0")
    assert this_machine("1", tmp_path).processor == "Raspberry Pi 5 Model B Rev 1.0 0xd0b"
