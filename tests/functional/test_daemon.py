"""The daemon as a process, against a real broker, on real files, with real kills."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from convert.lots.truth import read_truth
from tests.support.daemon import DaemonProcess
from tests.support.mosquitto import Mosquitto, Subscriber

pytestmark = pytest.mark.broker


@pytest.fixture
def device(tmp_path: Path, bundle: Path, mosquitto: Mosquitto) -> Iterator[DaemonProcess]:
    daemon = DaemonProcess(tmp_path, bundle, mosquitto.port)
    yield daemon
    daemon.kill()


def jobs_of(lot: Path) -> list[Path]:
    return sorted(path for path in lot.iterdir() if path.is_dir())


def verdicts(subscriber: Subscriber) -> list[dict[str, object]]:
    return subscriber.payloads("/verdict/")


def boards(n: int) -> object:
    return lambda subscriber: len(subscriber.payloads("/board/")) >= n


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_a_lot_goes_in_and_a_verdict_for_every_joint_comes_out(
    tmp_path: Path, bundle: Path, lots: Path, mosquitto: Mosquitto, version: str
) -> None:
    device = DaemonProcess(tmp_path, bundle, mosquitto.port, version)
    subscriber = Subscriber(mosquitto.port)
    device.start()
    for job in jobs_of(lots / "evaluate"):
        device.submit(job)
    subscriber.wait_for(boards(4))
    assert device.stop() == 0
    arrived = verdicts(subscriber)
    assert {(one["job_id"], one["joint"]) for one in arrived} == set(read_truth(lots / "evaluate"))
    assert len({one["event_id"] for one in arrived}) == len(arrived) == 40
    assert all(one["verdict"] in {"normal", "defect"} for one in arrived)
    assert device.folders("done") == [job.name for job in jobs_of(lots / "evaluate")]
    states = [one["state"] for one in subscriber.payloads("/status")]
    assert states == ["online", "stopped"]
    subscriber.close()


def test_a_kill_in_the_middle_of_a_lot_loses_and_doubles_no_joint(
    device: DaemonProcess, lots: Path, mosquitto: Mosquitto
) -> None:
    """kill -9 again and again while the lot goes through: one event_id a joint on the broker's side."""
    subscriber = Subscriber(mosquitto.port)
    for lot in ("learn", "validate", "evaluate"):
        for job in jobs_of(lots / lot):
            device.submit(job)
    expected = {key for lot in ("learn", "validate", "evaluate") for key in read_truth(lots / lot)}
    chance = random.Random(5)
    for _ in range(6):
        device.start()
        target = min(len(expected) - 10, len(verdicts(subscriber)) + chance.randrange(1, 16))
        subscriber.wait_for(lambda s, target=target: len(verdicts(s)) >= target)
        device.kill()
    device.start()
    subscriber.wait_for(lambda s: len({one["job_id"] for one in s.payloads("/board/")}) == 12)
    assert device.stop() == 0
    events: dict[tuple[object, object], set[object]] = {}
    for one in verdicts(subscriber):
        events.setdefault((one["job_id"], one["joint"]), set()).add(one["event_id"])
    assert set(events) == expected
    assert all(len(ids) == 1 for ids in events.values())
    assert (device.folders("incoming"), device.folders("work")) == ([], [])
    assert len(device.folders("done")) == 12
    subscriber.close()


def test_the_broker_may_be_absent_at_start_and_vanish_later(
    device: DaemonProcess, lots: Path, mosquitto: Mosquitto
) -> None:
    """Inspection goes on; verdicts wait in the journal and arrive."""
    first, second, third, fourth = jobs_of(lots / "evaluate")
    subscriber = Subscriber(mosquitto.port, client_id="mes")
    mosquitto.stop()
    device.start()
    device.submit(first)
    wait_until(lambda: (device.spool / "done").exists() and len(device.folders("done")) == 1)
    mosquitto.start()
    subscriber.wait_for(boards(1))
    mosquitto.kill()
    device.submit(second)
    device.submit(third)
    wait_until(lambda: len(device.folders("done")) == 3)
    mosquitto.start()
    device.submit(fourth)
    subscriber.wait_for(boards(4))
    assert device.stop() == 0
    assert {(one["job_id"], one["joint"]) for one in verdicts(subscriber)} == set(read_truth(lots / "evaluate"))
    subscriber.close()


def test_a_killed_daemon_is_offline_by_its_will(device: DaemonProcess, mosquitto: Mosquitto) -> None:
    subscriber = Subscriber(mosquitto.port)
    device.start()
    subscriber.wait_for(lambda s: s.payloads("/status"))
    device.kill()
    subscriber.wait_for(lambda s: s.payloads("/status")[-1]["state"] == "offline")
    subscriber.close()


def test_a_refused_job_raises_an_alarm_and_names_its_joints(
    device: DaemonProcess, lots: Path, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    subscriber = Subscriber(mosquitto.port)
    job = jobs_of(lots / "evaluate")[0]
    manifest = json.loads((job / "manifest.json").read_text())
    manifest["joints"][0]["roi"] = [1, 2, 3, "4"]
    device.start()
    unfinished = device.incoming / "BAD.tmp"
    unfinished.mkdir()
    (unfinished / "manifest.json").write_text(json.dumps(manifest))
    unfinished.rename(device.incoming / "BAD")
    (device.incoming / "EMPTY").mkdir()
    subscriber.wait_for(lambda s: len(s.payloads("/alarm")) == 2)
    subscriber.wait_for(boards(2))
    device.submit(job)
    subscriber.wait_for(boards(3))
    assert device.stop() == 0
    refused = [one for one in verdicts(subscriber) if one["reason"] == "job_refused"]
    assert len(refused) == len(manifest["joints"])
    assert {one["route"] for one in refused} == {"specialist"}
    assert device.folders("rejected") == ["BAD", "EMPTY"]
    reason = json.loads((device.spool / "rejected" / "BAD" / "reason.json").read_text())
    assert "joints[0].roi" in reason["reason"]
    assert device.folders("done") == [job.name], "the corrected job under the same id is taken"
    subscriber.close()


def test_check_and_status_tell_what_is_going_on(device: DaemonProcess, lots: Path, mosquitto: Mosquitto) -> None:
    before = device.command("status")
    assert before.returncode == 0
    assert "not running" in before.stdout
    checked = device.command("check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert {line.split()[0] for line in checked.stdout.splitlines()} <= {"ok", "warn"}
    subscriber = Subscriber(mosquitto.port)
    device.start()
    device.submit(jobs_of(lots / "evaluate")[0])
    subscriber.wait_for(boards(1))
    status = json.loads(device.command("status", "--json").stdout)
    assert (status["running"], status["backlog"], sum(status["verdicts"].values())) == (True, 0, 10)
    second = DaemonProcess.__new__(DaemonProcess)
    second.work, second.config = device.work, device.config
    second.start()
    assert second.wait() == 3
    assert "another axi-edge runs" in device.log
    assert device.stop() == 0
    mosquitto.stop()
    broken = device.command("check")
    assert broken.returncode == 1
    assert [line.split()[1] for line in broken.stdout.splitlines() if line.startswith("fail")] == ["broker"]
    subscriber.close()


def test_a_stop_in_the_middle_leaves_nothing_half_done(device: DaemonProcess, lots: Path, mosquitto: Mosquitto) -> None:
    subscriber = Subscriber(mosquitto.port)
    for job in jobs_of(lots / "evaluate"):
        device.submit(job)
    device.start()
    subscriber.wait_for(verdicts)
    assert device.stop() == 0
    assert device.folders("work") == []
    done = {one["job_id"] for one in subscriber.payloads("/board/")}
    assert set(device.folders("done")) == done
    assert len(verdicts(subscriber)) == 10 * len(done)
    assert subscriber.payloads("/status")[-1]["state"] == "stopped"
    subscriber.close()


@pytest.mark.parametrize("blow", [signal.SIGSTOP, signal.SIGSEGV])
def test_a_runtime_that_hangs_or_crashes_costs_an_attempt_and_not_the_daemon(
    device: DaemonProcess, lots: Path, mosquitto: Mosquitto, blow: signal.Signals
) -> None:
    device.config.write_text(device.config.read_text().replace("[inference]", "[inference]\njoint_timeout_s = 1.0"))
    subscriber = Subscriber(mosquitto.port)
    device.start()
    subscriber.wait_for(lambda s: s.payloads("/status"))
    pid, first = device.pid, device.worker
    assert first is not None
    os.kill(first, blow)
    state = Path(f"/proc/{first}/stat")
    wait_until(lambda: blow is signal.SIGSTOP or not state.exists() or " Z " in state.read_text())
    for job in jobs_of(lots / "evaluate"):
        device.submit(job)
    subscriber.wait_for(boards(4))
    assert device.pid == pid
    assert device.worker not in {None, first}
    assert device.stop() == 0
    assert {(one["job_id"], one["joint"]) for one in verdicts(subscriber)} == set(read_truth(lots / "evaluate"))
    assert all(one["verdict"] in {"normal", "defect"} for one in verdicts(subscriber))
    codes = {one["code"] for one in subscriber.payloads("/alarm")}
    assert codes == ({"runtime_hung"} if blow is signal.SIGSTOP else set()), "a death at rest costs nothing"
    assert device.command("audit").returncode == 0
    subscriber.close()


def test_what_the_broker_delivered_agrees_with_the_journal_and_can_be_read(
    device: DaemonProcess, lots: Path, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """A capture by ``axi-edge tail --json``, audited; then again with one line torn out."""
    subscriber, capture = Subscriber(mosquitto.port), tmp_path / "capture"
    tail = [sys.executable, "-m", "edge.cli", "tail", "--config", str(device.config)]
    device.start()
    with capture.open("wb") as lines, (tmp_path / "readable").open("wb") as readable:
        followers = [
            subprocess.Popen([*tail, "--json"], stdout=lines),
            subprocess.Popen(
                [word.replace(str(device.config), str(second_config(device))) for word in tail], stdout=readable
            ),
        ]
        try:
            wait_until(lambda: b"online" in capture.read_bytes() and (tmp_path / "readable").stat().st_size)
            device.submit(jobs_of(lots / "evaluate")[0])
            subscriber.wait_for(boards(1))
            wait_until(lambda: b"axi-board" in capture.read_bytes())
            wait_until(lambda: b"finished job" in (tmp_path / "readable").read_bytes())
            for follower in followers:
                follower.terminate()
                assert follower.wait(20) == 0
        finally:
            for follower in followers:
                follower.kill()
                follower.wait()
    audited = device.command("audit", "--capture", str(capture))
    assert audited.returncode == 0, audited.stdout + audited.stderr
    assert "10 different event_ids" in audited.stdout
    assert "every joint is accounted for" in audited.stdout
    shown = (tmp_path / "readable").read_text()
    assert len([line for line in shown.splitlines() if " -> " in line]) == 10
    kept = [line for line in capture.read_text().splitlines() if '"axi-verdict' in line]
    capture.write_text("\n".join(kept[1:]))
    torn = device.command("audit", "--json", "--capture", str(capture))
    assert torn.returncode == 1
    assert [one["code"] for one in json.loads(torn.stdout)["problems"]] == ["not_delivered"]
    subscriber.close()


def second_config(device: DaemonProcess) -> Path:
    """The same device under another client id, so that two may listen."""
    other = device.config.with_name("other.toml")
    other.write_text(device.config.read_text().replace("[mqtt]", '[mqtt]\nclient_id = "other"'))
    return other


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_ping_status_and_reload_are_answered(tmp_path: Path, bundle: Path, mosquitto: Mosquitto, version: str) -> None:
    device = DaemonProcess(tmp_path, bundle, mosquitto.port, version)
    subscriber = Subscriber(mosquitto.port)
    device.start()
    subscriber.wait_for(lambda s: s.payloads("/metrics"))
    asked = Subscriber(mosquitto.port, "nothing/else")
    for op in ("ping", "status", "reload", "dance"):
        asked.publish(f"acme/line3/axi1/cmd/{op}", b"{}")
    asked.publish("acme/line3/axi1/cmd/ping", b"{}", retain=True)
    subscriber.wait_for(lambda s: len(s.payloads("/response")) >= 5)
    answers = {one["op"]: one for one in subscriber.payloads("/response")}
    assert {op: one["ok"] for op, one in answers.items()} == {
        "ping": True,
        "status": True,
        "reload": True,
        "dance": False,
    }
    assert answers["status"]["status"]["bundle"]["name"] == bundle.name.rpartition("-")[0]
    assert answers["status"]["metrics"]["backlog"] == 0
    subscriber.wait_for(lambda s: len(s.payloads("axi1/status")) == 2)
    assert device.stop() == 0
    assert [one["state"] for one in subscriber.payloads("axi1/status")] == ["online", "online", "stopped"]
    device.start()
    subscriber.wait_for(lambda s: len(s.payloads("axi1/status")) == 4)
    assert device.stop() == 0
    assert len(subscriber.payloads("/response")) == 5, "a retained command is not obeyed at every connection"
    asked.close()
    subscriber.close()


def test_a_reload_switches_to_a_proved_bundle_and_keeps_the_old_one_when_the_new_is_refused(
    tmp_path: Path, bundle: Path, lots: Path, mosquitto: Mosquitto
) -> None:
    bundles = tmp_path / "bundles"
    shutil.copytree(bundle, bundles / bundle.name)
    (bundles / "current").symlink_to(bundles / bundle.name)
    other, damaged = bundles / "other", bundles / "damaged"
    for copy in (other, damaged):
        shutil.copytree(bundle, copy)
    card = (other / "card.json").read_text()
    (other / "card.json").write_text(card.replace('"seed":', '"seed" :'))  # the same model, another digest
    model = bytearray((damaged / "model.tflite").read_bytes())
    model[len(model) // 2] ^= 1
    (damaged / "model.tflite").write_bytes(model)
    device = DaemonProcess(tmp_path, bundles / "current", mosquitto.port)
    subscriber = Subscriber(mosquitto.port)
    first, second, third, _ = jobs_of(lots / "evaluate")
    device.start()
    device.submit(first)
    subscriber.wait_for(boards(1))

    def point_to(target: Path) -> None:
        (bundles / "new").symlink_to(target)
        (bundles / "new").rename(bundles / "current")
        device.signal(signal.SIGHUP)

    point_to(damaged)
    subscriber.wait_for(lambda s: s.payloads("/alarm"))
    device.submit(second)
    subscriber.wait_for(boards(2))
    point_to(other)
    subscriber.wait_for(lambda s: len(s.payloads("/status")) == 2)
    device.submit(third)
    subscriber.wait_for(boards(3))
    assert device.stop() == 0
    digests = {one["job_id"]: one["model"]["digest"] for one in verdicts(subscriber) if isinstance(one["model"], dict)}
    assert digests[first.name] == digests[second.name] != digests[third.name]
    (alarm,) = subscriber.payloads("/alarm")
    assert alarm["code"] == "reload_refused"
    assert "model.tflite" in alarm["text"]
    assert device.command("audit").returncode == 0
    subscriber.close()


def wait_until(condition: object, seconds: float = 60) -> None:
    """For what only the file system shows."""
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)
