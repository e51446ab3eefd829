"""A device is measured and certified, and where it must be nothing is released before."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from edge.bundle.format import open_bundle, write_bundle
from edge.cli import main
from edge.config import JournalSettings, load_settings
from edge.core.errors import BundleRefused, ConfigError
from edge.core.qualification import Proved, Qualification
from edge.qualify.certificate import seal
from edge.qualify.course import Pace, Tell, qualify
from edge.qualify.settings import own_settings, wanted_by, write_choice
from edge.qualify.standing import served_by, shelf_of, standing
from tests.support.daemon import DaemonProcess
from tests.support.lines import boards, jobs_of, verdicts
from tests.support.mosquitto import Mosquitto, Subscriber

pytestmark = pytest.mark.broker
QUICK = Pace(trials_s=20.0, arrangement_s=0.2, sustained_s=2.0)


def qualified(config: Path) -> Qualification:
    """As the command does it, in seconds."""
    seen = list[Proved]()
    tell = Tell(step=lambda _: None, proved=seen.append, rate=lambda _: None)
    settings = own_settings(config)
    found = qualify(settings, wanted_by(settings), tell, QUICK, beside_daemon=False)
    assert found.proved == seen
    write_choice(config, found.chosen, found.time)
    seal(found, shelf_of(settings))
    return found


def test_every_runtime_kernels_and_threads_are_tried_and_the_best_is_in_force(
    device: DaemonProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    found = qualified(device.config)
    tried = {(one.runtime, one.kernels) for one in found.proved}
    assert {("litert", kernels) for kernels in ("fast", "exact", "reference")} <= tried
    assert all(one.passed and one.whole for one in found.proved)
    assert all(one.identical for one in found.proved if one.runtime == "litert" and one.kernels != "fast")
    assert found.sustained.joints > 0
    assert found.sustained.memory_mb > 10
    inference, chosen = load_settings(device.config).inference, found.chosen
    assert (inference.runtime, inference.kernels) == (chosen.runtime, chosen.kernels) == ("litert", "fast")
    assert (inference.threads, inference.processes) == (chosen.threads, chosen.processes)
    assert main(["qualify", "--show", "--config", str(device.config)]) == 0
    assert f"axi1 is certified {found.time}" in capsys.readouterr().out
    settings, other = load_settings(device.config), device.work / "other"
    other.mkdir()
    shutil.copy(shelf_of(settings).certificate, other)
    moved = own_settings(device.config)
    assert not standing(replace(moved, journal=JournalSettings(path=f"{other}/journal.db")), served_by(moved)).certified


def test_nothing_is_released_until_the_device_is_certified(
    device: DaemonProcess, lots: Path, mosquitto: Mosquitto
) -> None:
    text = device.config.read_text()
    device.config.write_text(text.replace("[model]", "[model]\nrequire_certificate = true"))
    subscriber = Subscriber(mosquitto.port)
    device.start()
    first, *others = jobs_of(lots / "evaluate")
    device.submit(first)
    subscriber.wait_for(boards(1))
    assert {one["route"] for one in verdicts(subscriber)} == {"specialist"}
    assert {one["reason"] for one in verdicts(subscriber)} <= {"uncertified", "unfamiliar"}
    assert "uncertified" in {one["reason"] for one in verdicts(subscriber)}
    subscriber.wait_for(lambda one: any(said["code"] == "uncertified" for said in one.payloads("/alarm")))
    assert subscriber.payloads("/status")[-1]["qualification"]["certified"] is False
    found = qualified(device.config)
    device.signal(signal.SIGHUP)
    subscriber.wait_for(lambda one: one.payloads("/status")[-1]["qualification"]["certified"])
    subscriber.wait_for(lambda one: any(said["code"] == "uncertified_over" for said in one.payloads("/alarm")))
    assert subscriber.payloads("/status")[-1]["qualification"]["time"] == found.time
    for job in others:
        device.submit(job)
    subscriber.wait_for(boards(1 + len(others)))
    reasons = {one["reason"] for one in verdicts(subscriber) if one["job_id"] != first.name}
    assert None in reasons
    assert "uncertified" not in reasons
    assert device.stop() == 0
    subscriber.close()


def test_a_device_that_computes_other_bits_is_not_certified(device: DaemonProcess, bundle: Path) -> None:
    sound = open_bundle(bundle)
    assert sound.parity
    wrong = sound.parity._replace(exact=np.where(sound.parity.exact > 0, sound.parity.exact - 1, 0).astype(np.uint8))
    other = write_bundle(device.work / "bundles", sound.card, sound.model_path.read_bytes(), sound.golden, None, wrong)
    device.config.write_text(device.config.read_text().replace(str(bundle), str(other)))
    with pytest.raises(ConfigError, match="exact kernels: outputs are not those that the build wrote down"):
        qualified(device.config)


def test_a_bundle_without_a_record_says_how_to_get_one(device: DaemonProcess, bundle: Path) -> None:
    sound = open_bundle(bundle)
    other = write_bundle(device.work / "bundles", sound.card, sound.model_path.read_bytes(), sound.golden)
    device.config.write_text(device.config.read_text().replace(str(bundle), str(other)))
    with pytest.raises(BundleRefused, match=r"holds no parity\.npz.*build it anew"):
        qualified(device.config)
