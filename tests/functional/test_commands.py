"""What people and programs ask a running device."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edge import __version__
from tests.support.daemon import DaemonProcess
from tests.support.lines import boards, jobs_of, verdicts, wait_until
from tests.support.mosquitto import Mosquitto, Subscriber


def test_check_and_status_tell_what_is_going_on(device: DaemonProcess, lots: Path, mosquitto: Mosquitto) -> None:
    before = device.command("status")
    assert before.returncode == 1
    assert "not running" in before.stdout
    checked = device.command("check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert {line.split()[0] for line in checked.stdout.splitlines()} <= {"ok", "warn"}
    subscriber = Subscriber(mosquitto.port)
    device.start()
    device.submit(jobs_of(lots / "evaluate")[0])
    subscriber.wait_for(boards(1))
    wait_until(lambda: "connected" in device.command("status").stdout)
    status = json.loads(device.command("status", "--json").stdout)
    assert (status["running"], status["backlog"], sum(status["verdicts"].values())) == (True, 0, 10)
    assert (status["version"], status["alarms"], status["configured"]) == (__version__, [], {})
    assert status["broker"].endswith("connected")
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
            subprocess.Popen(tail, stdout=readable),  # two of them do not take each other's place
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
    assert [load["code"] for load in json.loads(torn.stdout)["problems"]] == ["not_delivered"]
    subscriber.close()


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
    answers = {payload["op"]: payload for payload in subscriber.payloads("/response")}
    assert {op: answer["ok"] for op, answer in answers.items()} == {
        "ping": True,
        "status": True,
        "reload": True,
        "dance": False,
    }
    assert answers["status"]["status"]["bundle"]["name"] == bundle.name.rpartition("-")[0]
    assert answers["status"]["metrics"]["backlog"] == 0
    assert answers["status"]["alarms"] == []
    assert "alarms" not in answers["ping"]
    subscriber.wait_for(lambda s: len(s.payloads("axi1/status")) == 2)
    assert device.stop() == 0
    assert [payload["state"] for payload in subscriber.payloads("axi1/status")] == ["online", "online", "stopped"]
    device.start()
    subscriber.wait_for(lambda s: len(s.payloads("axi1/status")) == 4)
    assert device.stop() == 0
    assert len(subscriber.payloads("/response")) == 5, "a retained command is not obeyed at every connection"
    asked.close()
    subscriber.close()


def three_bundles(work: Path, bundle: Path) -> Path:
    """A folder with a link ``current`` to the bundle, an ``other`` of the same model, and a ``damaged`` one."""
    bundles = work / "bundles"
    for name in (bundle.name, "other", "damaged"):
        shutil.copytree(bundle, bundles / name)
    (bundles / "current").symlink_to(bundles / bundle.name)
    card, model = bundles / "other" / "card.json", bundles / "damaged" / "model.tflite"
    card.write_text(card.read_text().replace('"seed":', '"seed" :'))  # the same model, another digest
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    return bundles


def test_a_reload_switches_to_a_proved_bundle_and_keeps_the_old_one_when_the_new_is_refused(
    tmp_path: Path, bundle: Path, lots: Path, mosquitto: Mosquitto
) -> None:
    bundles = three_bundles(tmp_path, bundle)
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

    point_to(bundles / "damaged")
    subscriber.wait_for(lambda s: s.payloads("/alarm"))
    device.submit(second)
    subscriber.wait_for(boards(2))
    point_to(bundles / "other")
    subscriber.wait_for(lambda s: len(s.payloads("/status")) == 2)
    device.submit(third)
    subscriber.wait_for(boards(3))
    assert device.stop() == 0
    digests = {
        verdict["job_id"]: verdict["model"]["digest"]
        for verdict in verdicts(subscriber)
        if isinstance(verdict["model"], dict)
    }
    assert digests[first.name] == digests[second.name] != digests[third.name]
    refusals = {alarm["text"] for alarm in subscriber.payloads("/alarm") if alarm["code"] == "reload_refused"}
    assert len(refusals) == 1, "one refusal, however busy the machine is, and however often the broker brings it"
    assert "model.tflite" in refusals.pop()
    assert device.command("audit").returncode == 0
    subscriber.close()
