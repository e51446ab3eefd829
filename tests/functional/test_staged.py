"""A bundle is activated in stages: proved, taken up, watched, and left again by itself where it does badly."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from edge.adapters.host import utc_now
from edge.bundle.format import Bundle, open_bundle, write_bundle
from edge.bundle.signing import public_bytes
from edge.config import load_settings
from edge.qualify.standing import served_by, shelf_of, standing
from edge.upkeep.trial import Trial, Trials
from tests.functional.test_qualify import qualified
from tests.support.daemon import DaemonProcess
from tests.support.lines import boards, jobs_of
from tests.support.mosquitto import Mosquitto, Subscriber

pytestmark = pytest.mark.broker


class Line:
    """A device with a link to its bundle; ``good`` and ``strange`` lie beside it: the second knows no joint."""

    def __init__(self, work: Path, bundle: Path, mosquitto: Mosquitto) -> None:
        self.bundles = work / "bundles"
        shutil.copytree(bundle, self.bundles / bundle.name)
        self.link = self.bundles / "current"
        self.link.symlink_to(bundle.name)
        self.first = open_bundle(bundle)
        card = self.first.card
        self.good = self.add(replace(card, version="9.0.0"))
        assert card.familiarity
        strange = replace(card, version="9.1.0", familiarity=replace(card.familiarity, limit=-1))
        self.strange = self.add(strange)
        self.device = DaemonProcess(work, self.link, mosquitto.port)
        self.subscriber = Subscriber(mosquitto.port)
        self.set("watch_s = 3.0")

    def add(self, card: Any) -> Bundle:
        model = self.first.model_path.read_bytes()
        return open_bundle(write_bundle(self.bundles, card, model, self.first.golden, None, self.first.parity))

    def set(self, line: str) -> None:
        text = self.device.config.read_text()
        self.device.config.write_text(text.replace("[model]\n", f"[model]\n{line}\n", 1))

    @property
    def trials(self) -> Trials:
        return Trials(Path(load_settings(self.device.config).journal.path))

    def judges_with(self, bundle: Bundle) -> None:
        """Wait until the retained status says so."""
        self.subscriber.wait_for(
            lambda one: one.payloads("/status") and one.payloads("/status")[-1]["bundle"]["digest"] == bundle.digest
        )

    def alarm(self, code: str) -> str:
        self.subscriber.wait_for(lambda one: any(said["code"] == code for said in one.payloads("/alarm")))
        return next(str(said["text"]) for said in self.subscriber.payloads("/alarm") if said["code"] == code)

    def ask(self, payload: object) -> dict[str, Any]:
        before = len(self.subscriber.payloads("/response"))
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.subscriber.publish("acme/line3/axi1/cmd/activate", raw)
        self.subscriber.wait_for(lambda one: len(one.payloads("/response")) > before)
        return self.subscriber.payloads("/response")[-1]

    def close(self) -> None:
        self.device.kill()
        self.subscriber.close()


@pytest.fixture
def line(tmp_path: Path, bundle: Path, mosquitto: Mosquitto) -> Iterator[Line]:
    found = Line(tmp_path, bundle, mosquitto)
    yield found
    found.close()


def test_a_command_activates_a_bundle_that_is_watched_and_kept(line: Line) -> None:
    line.device.start()
    line.judges_with(line.first)
    assert line.ask({"bundle": line.good.path.name})["ok"]
    line.judges_with(line.good)
    assert line.alarm("bundle_on_trial").startswith(line.good.path.name)
    assert line.alarm("bundle_on_trial_over") == "it is kept, or was left"
    assert line.link.resolve() == line.good.path
    assert line.trials.read() is None
    assert line.device.stop() == 0


def test_a_bundle_that_knows_no_joint_is_left_again_by_itself_and_that_is_remembered(line: Line, lots: Path) -> None:
    text = line.device.config.read_text().replace("watch_s = 3.0", "watch_s = 300.0")
    line.device.config.write_text(text)
    line.device.start()
    line.judges_with(line.first)
    assert line.ask({"bundle": line.strange.path.name})["ok"]
    line.judges_with(line.strange)
    jobs = [job for lot in ("learn", "validate") for job in jobs_of(lots / lot)]
    for job in jobs:
        line.device.submit(job)
    assert "joints look unfamiliar to it; the bundle before judges again" in line.alarm("bundle_rolled_back")
    line.judges_with(line.first)
    assert line.link.resolve() == line.bundles / line.first.path.name
    line.subscriber.wait_for(boards(len(jobs)), 120)
    assert line.device.command("audit").returncode == 0
    assert line.trials.was_left(line.strange.digest)
    assert line.device.stop() == 0


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ({"bundle": "nowhere-1.0.0"}, "no bundle of that name lies beside the active one"),
        ({"bundle": "../bundles/current"}, "no bundle of that name"),
        ({"bundle": ".."}, "no bundle of that name"),
        ({"bundle": "current", "type": "SMT"}, "[model.routes.SMT]: missing"),
        (b"", 'say {"bundle": "NAME-VERSION"}'),
        (b"\xff[", 'say {"bundle": "NAME-VERSION"}'),
        ([1], 'say {"bundle": "NAME-VERSION"}'),
    ],
)
def test_a_command_that_cannot_be_obeyed_says_why(line: Line, payload: object, words: str) -> None:
    line.device.start()
    line.judges_with(line.first)
    answer = line.ask(payload)
    assert not answer["ok"]
    assert words in answer["text"]
    assert line.device.stop() == 0


def test_a_bundle_that_is_damaged_is_refused_and_all_stays(line: Line) -> None:
    model = line.good.path / "model.tflite"
    model.write_bytes(model.read_bytes()[:-8] + bytes(8))
    line.device.start()
    line.judges_with(line.first)
    assert line.ask({"bundle": line.good.path.name})["ok"]
    text = line.alarm("activate_refused")
    assert "model.tflite: digest" in text
    assert text.endswith("all stays as it was")
    assert line.link.resolve() == line.bundles / line.first.path.name
    assert line.trials.read() is None
    assert line.device.stop() == 0


def test_a_daemon_that_cannot_start_with_what_is_on_trial_goes_back(line: Line) -> None:
    line.link.with_name("current.previous").symlink_to(line.first.path.name)
    line.link.unlink()
    line.link.symlink_to(line.good.path.name)
    line.trials.begin(line.good.path.name, line.good.digest, "", utc_now(), 600)
    (line.good.path / "model.tflite").unlink()
    line.device.start()
    line.judges_with(line.first)
    assert "model.tflite" in line.alarm("bundle_rolled_back")
    assert line.device.stop() == 0


def test_a_daemon_that_is_started_again_and_again_goes_back(line: Line) -> None:
    line.link.with_name("current.previous").symlink_to(line.first.path.name)
    line.link.unlink()
    line.link.symlink_to(line.good.path.name)
    line.trials.begin(line.good.path.name, line.good.digest, "", utc_now(), 600)
    for number in range(2):
        line.device.start()
        line.subscriber.wait_for(
            lambda one, number=number: [said["state"] for said in one.payloads("/status")].count("online") == number + 1
        )
        line.device.kill()
    line.judges_with(line.good)
    line.device.start()
    line.judges_with(line.first)
    assert "started 3 times" in line.alarm("bundle_rolled_back")
    assert line.device.stop() == 0


def test_nothing_is_fetched_by_a_device_that_trusts_anybody(line: Line) -> None:
    (line.bundles / "wanted.toml").write_text('[all]\nbundle = "x"\n')
    done = line.device.command("bundle", "follow", str(line.bundles / "wanted.toml"))
    assert done.returncode == 3
    assert "public_key_file: missing" in done.stderr


def test_a_device_follows_a_file_of_wanted_bundles(line: Line, tmp_path: Path) -> None:
    key, offered = Ed25519PrivateKey.generate(), tmp_path / "offered"
    (tmp_path / "trusted.pem").write_bytes(public_bytes(key.public_key()))
    model, golden, parity = line.first.model_path.read_bytes(), line.first.golden, line.first.parity
    shutil.rmtree(line.bundles)
    write_bundle(line.bundles, line.first.card, model, golden, key, parity)
    line.link.symlink_to(line.first.path.name)
    wanted = write_bundle(offered, line.good.card, model, golden, key, parity)
    (offered / "wanted.toml").write_text(f'[devices.axi1]\nbundle = "{wanted.name}"\n')
    line.set(f'follow = "{offered}/wanted.toml"\npublic_key_file = "{tmp_path}/trusted.pem"')
    line.device.start()
    line.judges_with(open_bundle(line.bundles / line.first.path.name))
    done = line.device.command("bundle", "follow")
    assert done.returncode == 0, done.stderr
    assert "fetched, signature good" in done.stdout
    line.judges_with(open_bundle(wanted))
    again = line.device.command("bundle", "follow")
    assert again.stdout == f"{line.bundles / wanted.name}: here already\n"
    trial = line.trials.read() or Trial(bundle="", digest=open_bundle(wanted).digest, joint_type="", since="", until="")
    line.trials.leave(trial)
    line.device.command("bundle", "rollback")
    assert "left after its trial, and not tried again" in line.device.command("bundle", "follow").stdout
    assert line.device.stop() == 0


def test_a_certified_device_stays_certified_through_a_staged_activation_and_back(line: Line) -> None:
    qualified(line.device.config)
    settings = load_settings(line.device.config)
    assert standing(settings, served_by(settings)).certified
    done = line.device.command("bundle", "activate", "--staged", str(line.good.path))
    assert done.returncode == 0, done.stderr
    assert "active, and watched for 3 s" in done.stdout
    assert "from its next start on" in done.stdout
    assert standing(settings, served_by(settings)).certified
    assert line.device.command("bundle", "rollback").returncode == 0
    assert standing(settings, served_by(settings)).certified
    assert shelf_of(settings).certificate.exists()
