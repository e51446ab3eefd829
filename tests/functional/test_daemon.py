"""The daemon as a process, against a real broker, on real files, with real kills."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
from pathlib import Path

import pytest

from convert.lots.truth import read_truth
from tests.support.daemon import DaemonProcess
from tests.support.lines import alarms, boards, jobs_of, verdicts, wait_until
from tests.support.mosquitto import Mosquitto, Subscriber

pytestmark = pytest.mark.broker


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
    assert {(verdict["job_id"], verdict["joint"]) for verdict in arrived} == set(read_truth(lots / "evaluate"))
    assert len({verdict["event_id"] for verdict in arrived}) == len(arrived) == 40
    reasons = [verdict["reason"] for verdict in arrived]
    assert set(reasons) <= {None, "unfamiliar"}
    assert reasons.count(None) > 20, "most of them look familiar"
    assert device.folders("done") == [job.name for job in jobs_of(lots / "evaluate")]
    states = [payload["state"] for payload in subscriber.payloads("/status")]
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
    subscriber.wait_for(lambda s: len({payload["job_id"] for payload in s.payloads("/board/")}) == 12)
    assert device.stop() == 0
    events: dict[tuple[object, object], set[object]] = {}
    for verdict in verdicts(subscriber):
        events.setdefault((verdict["job_id"], verdict["joint"]), set()).add(verdict["event_id"])
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
    assert {(verdict["job_id"], verdict["joint"]) for verdict in verdicts(subscriber)} == set(
        read_truth(lots / "evaluate")
    )
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
    refused = [verdict for verdict in verdicts(subscriber) if verdict["reason"] == "job_refused"]
    assert len(refused) == len(manifest["joints"])
    assert {verdict["route"] for verdict in refused} == {"specialist"}
    assert device.folders("rejected") == ["BAD", "EMPTY"]
    reason = json.loads((device.spool / "rejected" / "BAD" / "reason.json").read_text())
    assert "joints[0].roi" in reason["reason"]
    assert device.folders("done") == [job.name], "the corrected job under the same id is taken"
    subscriber.close()


def test_a_stop_in_the_middle_leaves_nothing_half_done(device: DaemonProcess, lots: Path, mosquitto: Mosquitto) -> None:
    subscriber = Subscriber(mosquitto.port)
    for job in jobs_of(lots / "evaluate"):
        device.submit(job)
    device.start()
    subscriber.wait_for(verdicts)
    assert device.stop() == 0
    assert device.folders("work") == []
    done = {payload["job_id"] for payload in subscriber.payloads("/board/")}
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
    pid, before = device.pid, {*device.workers}
    first = min(before)
    os.kill(first, blow)
    state = Path(f"/proc/{first}/stat")
    wait_until(lambda: blow is signal.SIGSTOP or not state.exists() or " Z " in state.read_text())
    for job in jobs_of(lots / "evaluate"):
        device.submit(job)
    subscriber.wait_for(boards(4))
    assert device.pid == pid
    after = {*device.workers}
    assert first not in after
    assert len(after) == len(before) == 2
    assert device.stop() == 0
    assert {(verdict["job_id"], verdict["joint"]) for verdict in verdicts(subscriber)} == set(
        read_truth(lots / "evaluate")
    )
    assert all(verdict["reason"] in {None, "unfamiliar"} for verdict in verdicts(subscriber))
    codes = {payload["code"] for payload in subscriber.payloads("/alarm")} - {"unfamiliar_board"}  # a poor network's
    assert codes == ({"runtime_hung"} if blow is signal.SIGSTOP else set()), "a death at rest costs nothing"
    assert device.command("audit").returncode == 0
    subscriber.close()


def test_a_bundle_changed_where_it_lies_judges_nothing_and_is_told_of(
    device: DaemonProcess, lots: Path, mosquitto: Mosquitto, bundle: Path, tmp_path: Path
) -> None:
    """The processes that judge die, and find another bundle than the one that verdicts name."""
    served, kept = tmp_path / "served", tmp_path / "kept"
    for copy in (served, kept):
        shutil.copytree(bundle, copy)
    device.config.write_text(device.config.read_text().replace(str(bundle), str(served)))
    subscriber = Subscriber(mosquitto.port)
    device.start()
    subscriber.wait_for(lambda s: s.payloads("/status"))
    pid, workers = device.pid, device.workers
    assert workers
    (served / "model.tflite").write_bytes((served / "model.tflite").read_bytes()[:-1] + b"x")
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    for job in jobs_of(lots / "evaluate"):
        device.submit(job)

    subscriber.wait_for(lambda s: "bundle_refused" in alarms(s))
    assert not verdicts(subscriber)
    shutil.rmtree(served)
    kept.rename(served)
    subscriber.wait_for(boards(4))
    subscriber.wait_for(lambda s: "bundle_refused_over" in alarms(s))
    assert device.pid == pid
    assert device.stop() == 0
    assert len(verdicts(subscriber)) == 40
    assert device.command("audit").returncode == 0
    subscriber.close()


def test_a_spool_whose_folders_are_removed_under_it_is_said_and_jobs_come_again(
    device: DaemonProcess, lots: Path, mosquitto: Mosquitto
) -> None:
    subscriber = Subscriber(mosquitto.port)

    device.start()
    subscriber.wait_for(lambda s: s.payloads("/status"))
    pid = device.pid
    shutil.rmtree(device.spool / "incoming")
    subscriber.wait_for(lambda s: "job_left" in alarms(s))
    device.spool.rename(device.work / "away")
    subscriber.wait_for(lambda s: "spool_gone" in alarms(s))
    (device.work / "away").rename(device.spool)
    subscriber.wait_for(lambda s: "spool_gone_over" in alarms(s))
    for job in jobs_of(lots / "evaluate"):
        device.submit(job)
    subscriber.wait_for(boards(4))
    assert device.pid == pid
    assert "somebody removed this folder" in device.command("status").stdout, "until somebody has seen it"
    assert device.stop() == 0
    assert len(verdicts(subscriber)) == 40
    subscriber.close()
