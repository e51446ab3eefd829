"""Release is earned: a real daemon and broker, real reviews, real kills."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from edge.bundle.format import open_bundle, write_bundle
from edge.core.release import draw
from tests.support.daemon import DaemonProcess
from tests.support.lines import jobs_of, verdicts
from tests.support.mosquitto import Mosquitto, Subscriber

pytestmark = pytest.mark.broker

SHARE = 0.2
STRICT = "\n[health]\ninterval_s = 0.1\n"


class Plant:
    """A device whose boards are all of one type and look alike, and reviewers who know what they are."""

    def __init__(self, device: DaemonProcess, subscriber: Subscriber, job: Path) -> None:
        self.device, self.subscriber, self._job, self._made = device, subscriber, job, 0

    def board(self, board_type: str = "MB-7") -> str:
        """Submit one more board, and wait until it is judged; its job."""
        name = self.prepare(board_type)
        self.submit(name)
        return name

    def prepare(self, board_type: str = "MB-7") -> str:
        self._made += 1
        name = f"board-{self._made}"
        shutil.copytree(self._job, self.manifest(name).parent)
        manifest = json.loads(self.manifest(name).read_text())
        manifest["job_id"], manifest["board"] = name, {"serial": name, "type": board_type}
        self.manifest(name).write_text(json.dumps(manifest))
        return name

    def manifest(self, name: str) -> Path:
        return self.device.work / "boards" / name / "manifest.json"

    def submit(self, name: str) -> None:
        self.device.submit(self.device.work / "boards" / name)
        self.subscriber.wait_for(lambda s: any(one["job_id"] == name for one in s.payloads("/board/")))

    def verdicts(self, name: str) -> list[dict[str, Any]]:
        return [one for one in verdicts(self.subscriber) if one["job_id"] == name]

    def review(self, names: list[str], joints: dict[str, bool], *words: str, reviewer: str = "r1") -> None:
        """Hand over what ``joints`` were: True for defects."""
        file = self.device.work / f"reviews-{self._made}-{len(words)}.csv"
        said = {True: "defect", False: "false_call"}
        tail = f"{reviewer},2026-11-29T08:00:00Z"
        rows = [f"{name},{joint},{said[defect]},{tail}" for name in names for joint, defect in joints.items()]
        file.write_text("\n".join(["job_id,joint,decision,reviewer,time", *rows, ""]))
        done = self.device.command("review", "import", *words, str(file))
        assert done.returncode == 0, done.stderr

    def licences(self, board_type: str = "MB-7") -> list[dict[str, Any]]:
        return [one for one in self.subscriber.payloads("/licence/") if one["board_type"] == board_type]

    def wait_for_state(self, state: str) -> dict[str, Any]:
        self.subscriber.wait_for(lambda _: bool(self.licences()) and self.licences()[-1]["state"] == state)
        return self.licences()[-1]


@pytest.fixture
def plant(device: DaemonProcess, lots: Path, mosquitto: Mosquitto) -> Iterator[Plant]:
    """Easily convinced, so that a few boards prove enough."""
    text = device.config.read_text().replace(
        'policy = "card"', f"target_escape = 0.5\nconfidence = 0.5\naudit_share = {SHARE}"
    )
    device.config.write_text(text + STRICT)
    subscriber = Subscriber(mosquitto.port)
    device.start()
    yield Plant(device, subscriber, jobs_of(lots / "evaluate")[0])
    subscriber.close()


def as_the_network_says(plant: Plant, name: str) -> dict[str, bool]:
    """As if every joint that the network calls a defect were one, and no other."""
    return {one["joint"]: one["p_defect"] >= one["threshold"] for one in plant.verdicts(name)}


def measure_reviewer(plant: Plant) -> None:
    """Boards whose truth is settled before they are judged: three defects, all else good. The reviewer is right."""
    names = [plant.prepare() for _ in range(8)]
    joints = [joint["id"] for joint in json.loads(plant.manifest(names[0]).read_text())["joints"]]
    truth = {joint: number < 3 for number, joint in enumerate(joints)}
    plant.review(names, truth, "--settled")
    for name in names:
        plant.submit(name)
    plant.review(names, truth)


def earn(plant: Plant) -> dict[str, Any]:
    """A reviewer with a record, and boards on which the network is right: the licence."""
    measure_reviewer(plant)
    names = [plant.board() for _ in range(3)]
    plant.review(names, as_the_network_says(plant, names[0]))
    return plant.wait_for_state("licensed")


def test_release_is_earned_audited_and_lost_again(plant: Plant) -> None:
    first = plant.board()
    assert {(one["verdict"], one["route"], one["reason"]) for one in plant.verdicts(first)} == {
        ("unjudged", "specialist", "learning")
    }
    assert plant.wait_for_state("learning")["operating_point"] is None

    licence = earn(plant)
    assert licence["by"] == "evidence"
    assert licence["escape_bound"] <= licence["target_escape"]
    listed = json.loads(plant.device.command("licence", "list", "--json").stdout)
    assert (listed["board_type"], listed["state"]) == ("MB-7", "licensed")

    later = [one for _ in range(8) for one in plant.verdicts(plant.board())]
    for one in later:
        drawn, good = draw(one["event_id"]) < SHARE, one["p_defect"] < licence["threshold"]
        assert (one["operating_point"], one["threshold"]) == (licence["operating_point"], licence["threshold"])
        assert (one["verdict"] == "normal") == (one["route"] == "release") == (good and not drawn)
        assert one["reason"] == ("audit" if good and drawn else None)
    assert {one["verdict"] for one in later} >= {"normal", "defect"}

    stranger = plant.board("MB-8")
    nameless = plant.board("")
    for name in (stranger, nameless):
        assert {one["route"] for one in plant.verdicts(name)} == {"specialist"}

    plant.device.kill()
    plant.device.start()
    plant.wait_for_state("licensed")
    assert "release" in {one["route"] for _ in range(3) for one in plant.verdicts(plant.board())}

    done = plant.device.command("licence", "suspend", "MB-7", "--reason", "tombstones", "--by", "kim")
    assert (done.returncode, done.stderr) == (0, "")
    suspended = plant.wait_for_state("suspended")
    assert (suspended["by"], suspended["reason"]) == ("hand", "kim: tombstones")
    assert {one["route"] for one in plant.verdicts(plant.board())} == {"specialist"}
    assert "licence_suspended" in {alarm["code"] for alarm in plant.subscriber.payloads("/alarm")}
    assert plant.device.stop() == 0


def newer(bundle: Path, folder: Path, version: str, created: str) -> Path:
    """The same model under another version."""
    held = open_bundle(bundle)
    lineage = replace(held.card.lineage, created=created)
    card = replace(held.card, version=version, lineage=lineage)
    return write_bundle(folder, card, held.model_path.read_bytes(), held.golden)


def test_forget_trends_earns_its_licence_by_joints_that_were_reviewed_since_it_was_made(
    plant: Plant, bundle: Path, tmp_path: Path
) -> None:
    device = plant.device
    plant.board()  # by now it is up, and can be stopped
    assert device.stop() == 0
    link = tmp_path / "bundles" / "current"
    device.config.write_text(device.config.read_text().replace(str(bundle), str(link)))
    assert device.command("bundle", "activate", str(bundle)).returncode == 0
    device.start()
    earn(plant)
    young = newer(bundle, tmp_path / "young", "1.0.1", "2099-01-01T00:00:00Z")
    done = device.command("bundle", "activate", str(young))
    assert (done.returncode, "no reviewed joint to judge again" in done.stdout) == (0, True)
    old = newer(bundle, tmp_path / "old", "1.0.2", "2020-01-01T00:00:00Z")
    done = device.command("bundle", "activate", str(old))
    assert done.returncode == 0, done.stderr
    assert "MB-7 PTH: earns " in done.stdout
    device.signal(signal.SIGHUP)
    plant.subscriber.wait_for(lambda _: plant.licences()[-1]["model"]["version"] == "1.0.2")
    plant.wait_for_state("licensed")
    assert "release" in {one["route"] for _ in range(3) for one in plant.verdicts(plant.board())}


def test_nobody_earns_anything_on_the_word_of_reviewers_without_a_record(plant: Plant) -> None:
    names = [plant.board() for _ in range(6)]
    plant.review(names, as_the_network_says(plant, names[0]))
    plant.subscriber.wait_for(lambda _: bool(plant.licences()) and plant.licences()[-1]["joints_reviewed"] > 0, 90)
    assert plant.licences()[-1]["state"] == "learning"
    assert plant.licences()[-1]["reviewers_miss"] == 1.0
    assert {one["route"] for one in plant.verdicts(plant.board())} == {"specialist"}


def test_a_grant_by_hand_releases_and_says_whose_word_that_is(plant: Plant) -> None:
    plant.board()
    plant.wait_for_state("learning")
    refused = plant.device.command("licence", "grant", "MB-7", "--point", "no-such", "--reason", "x")
    assert refused.returncode == 2
    assert "offers" in refused.stderr
    nobody = plant.device.command("licence", "suspend", "MB-77", "--reason", "x")
    assert nobody.returncode == 1
    assert "known are: MB-7 PTH" in nobody.stdout
    point = plant.verdicts("board-1")[0]["operating_point"]
    granted = plant.device.command(
        "licence", "grant", "MB-7", "--point", point, "--reason", "twin of MB-6", "--by", "kim"
    )
    assert (granted.returncode, granted.stderr) == (0, "")
    licence = plant.wait_for_state("licensed")
    assert (licence["by"], licence["reason"]) == ("hand", "kim: twin of MB-6")
    assert "release" in {one["route"] for _ in range(3) for one in plant.verdicts(plant.board())}
    shown = plant.device.command("licence", "show", "MB-7").stdout
    assert "by hand: kim: twin of MB-6" in shown


def test_by_the_card_everything_is_as_before_and_said(device: DaemonProcess, lots: Path, mosquitto: Mosquitto) -> None:
    subscriber = Subscriber(mosquitto.port)
    device.start()
    device.submit(jobs_of(lots / "evaluate")[0])
    subscriber.wait_for(lambda s: bool(s.payloads("/board/")))
    assert subscriber.payloads("/status")[-1]["release"] == "card"
    assert not {one["reason"] for one in verdicts(subscriber)} & {"learning", "audit"}
    refused = device.command("licence", "suspend", "MB-7", "--reason", "x")
    assert refused.returncode == 3
    assert "whatever licences say" in refused.stderr
    assert "warn  release" in device.command("check").stdout
    subscriber.close()
