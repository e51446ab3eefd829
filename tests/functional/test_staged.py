"""A bundle is activated in stages: proved, taken up, watched, and left again by itself where it does badly."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.adapters.host import utc_now
from edge.config import load_settings
from edge.qualify.standing import served_by, shelf_of, standing
from tests.functional.test_qualify import qualified
from tests.support.lines import boards, jobs_of, wait_until
from tests.support.mosquitto import Mosquitto
from tests.support.staged import Line

pytestmark = pytest.mark.broker


@pytest.fixture
def line(tmp_path: Path, bundle: Path, mosquitto: Mosquitto) -> Iterator[Line]:
    found = Line(tmp_path, bundle, mosquitto)
    yield found
    found.close()


def test_a_command_activates_a_bundle_that_is_watched_until_it_has_judged_enough_and_kept(
    line: Line, lots: Path
) -> None:
    line.device.start()
    line.judges_with(line.first)
    assert line.ask({"bundle": line.good.path.name})["ok"]
    line.judges_with(line.good)
    assert line.alarm("bundle_on_trial").startswith(line.good.path.name)
    trial = line.trials.read("")
    assert trial
    wait_until(lambda: trial.over(utc_now()))
    assert line.trials.read("") == trial, "the time is over, and nobody has seen it judge"
    again = line.ask({"bundle": line.good.path.name})
    assert "active already" in again["text"]
    for lot in ("learn", "validate"):
        for job in jobs_of(lots / lot):
            line.device.submit(job)
    assert line.alarm("bundle_on_trial_over") == f"{line.good.path.name} is kept, or was left"
    assert line.link.resolve() == line.good.path
    assert line.trials.all() == []
    assert line.device.stop() == 0


def test_a_bundle_that_knows_no_joint_is_left_again_by_itself_and_that_is_remembered(line: Line, lots: Path) -> None:
    line.change("watch_s = 3.0", "watch_s = 300.0")
    line.device.start()
    line.judges_with(line.first)
    assert line.ask({"bundle": line.strange.path.name})["ok"]
    line.judges_with(line.strange)
    jobs = [job for lot in ("learn", "validate") for job in jobs_of(lots / lot)]
    for job in jobs:
        line.device.submit(job)
    assert "joints look unfamiliar to it, or took too long; the bundle before judges again" in line.alarm(
        "bundle_rolled_back"
    )
    line.judges_with(line.first)
    assert line.link.resolve() == line.first.path
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
        ({"bundle": "b" * 300}, "no bundle of that name"),
        (b'{"bundle": "a", "x": ' + b"[" * 4000, 'say {"bundle": "NAME-VERSION"}'),
        (b'{"bundle": "' + b"a" * 5000 + b'"}', "more than 4096 bytes"),
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
    assert line.link.resolve() == line.first.path
    assert line.trials.all() == []
    assert line.device.stop() == 0


def test_a_daemon_that_cannot_start_with_what_is_on_trial_goes_back(line: Line) -> None:
    line.put_on_trial(line.good)
    (line.good.path / "model.tflite").unlink()
    line.device.start()
    line.judges_with(line.first)
    assert "model.tflite" in line.alarm("bundle_rolled_back")
    assert line.device.stop() == 0


def test_a_daemon_that_is_started_again_and_again_goes_back(line: Line) -> None:
    line.put_on_trial(line.good)
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


def test_nothing_comes_from_afar_to_a_device_that_trusts_anybody(line: Line) -> None:
    text = line.device.config.read_text()
    line.device.config.write_text("\n".join(one for one in text.splitlines() if "public_key_file" not in one))
    (line.bundles / "wanted.toml").write_text(f'[all]\nbundle = "{line.good.path.name}"\n')
    done = line.device.command("bundle", "follow", str(line.bundles / "wanted.toml"))
    assert done.returncode == 1
    assert "public_key_file: missing" in done.stderr
    line.device.start()
    line.judges_with(line.first)
    assert "public_key_file: missing" in line.ask({"bundle": line.good.path.name})["text"]
    assert line.device.stop() == 0


def test_nothing_comes_from_afar_to_a_device_that_releases_by_the_card_alone(line: Line) -> None:
    line.change('policy = "advise"', 'policy = "card"')
    (line.bundles / "wanted.toml").write_text(f'[all]\nbundle = "{line.good.path.name}"\n')
    done = line.device.command("bundle", "follow", str(line.bundles / "wanted.toml"))
    assert done.returncode == 3
    line.device.start()
    line.judges_with(line.first)
    for said in (done.stderr, line.ask({"bundle": line.good.path.name})["text"]):
        assert "a new bundle would release" in said
    assert line.device.stop() == 0


def test_a_device_follows_a_file_of_wanted_bundles_and_keeps_to_what_people_decide(line: Line, tmp_path: Path) -> None:
    offered = tmp_path / "offered"
    shutil.move(line.good.path, offered / line.good.path.name)
    (offered / "wanted.toml").write_text(
        f'[all.routes]\nSMT = "no-such"\n[devices.axi1]\nbundle = "{line.good.path.name}"\n'
    )
    line.set(f'follow = "{offered}/wanted.toml"')
    line.device.start()
    line.judges_with(line.first)
    done = line.device.command("bundle", "follow")
    assert done.returncode == 1, "one kind of joints has no route here"
    assert "SMT: [model.routes.SMT]: missing" in done.stderr
    assert "fetched, signature good" in done.stdout
    line.judges_with(line.good)
    again = line.device.command("bundle", "follow")
    assert again.stdout == f"{line.good.path}: here already\n"
    assert line.device.command("bundle", "rollback").returncode == 0
    assert line.trials.all() == [], "who goes back ends the trial"
    assert "left before, and not tried again" in line.device.command("bundle", "follow").stdout
    assert line.device.command("bundle", "activate", str(line.good.path)).returncode == 0
    assert not line.trials.was_left(line.good.digest), "people may think again"
    assert line.device.stop() == 0


def test_a_trial_that_people_ended_by_moving_the_link_goes_nowhere(line: Line) -> None:
    """Such as a power cut between the end of going back and the note of it: going back once more would be forward."""
    line.trials.begin(line.strange.path.name, line.strange.digest, "", utc_now(), 600)
    line.device.start()
    line.judges_with(line.first)
    wait_until(lambda: line.trials.all() == [])
    assert line.link.resolve() == line.first.path
    assert line.device.stop() == 0


def test_a_trial_that_cannot_be_read_is_said(line: Line) -> None:
    line.device.work.joinpath("journal.db.trial-main.json").write_text("half a fi")
    line.device.start()
    line.judges_with(line.first)
    assert "look which bundle is active, then remove this file" in line.alarm("bundle_on_trial")
    assert line.device.stop() == 0


def test_nothing_is_staged_where_nothing_is_active(line: Line) -> None:
    line.link.unlink()
    done = line.device.command("bundle", "activate", "--staged", str(line.good.path))
    assert done.returncode == 3
    assert "nothing is active yet; axi-edge bundle activate, without --staged, comes first" in done.stderr
    assert line.trials.all() == []


def test_two_do_not_move_links_at_once(line: Line) -> None:
    with line.trials.alone() as free:
        assert free
        for words in (("activate", str(line.good.path)), ("activate", "--staged", str(line.good.path)), ("rollback",)):
            done = line.device.command("bundle", *words)
            assert done.returncode == 3
            assert "is under way; wait for it" in done.stderr
    assert line.link.resolve() == line.first.path


def test_a_certified_device_stays_certified_through_a_staged_activation_and_back(line: Line) -> None:
    qualified(line.device.config)
    settings = load_settings(line.device.config)
    assert standing(settings, served_by(settings)).certified
    done = line.device.command("bundle", "activate", "--staged", str(line.good.path))
    assert done.returncode == 0, done.stderr
    assert "active, and watched for 3 s and 50 joints at least" in done.stdout
    assert "from its next start on" in done.stdout
    assert standing(settings, served_by(settings)).certified
    assert line.device.command("bundle", "rollback").returncode == 0
    assert standing(settings, served_by(settings)).certified
    assert shelf_of(settings).certificate.exists()
