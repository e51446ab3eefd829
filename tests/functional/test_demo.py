"""The demo, as a newcomer runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from convert.demo.device import BASE, CONFIG
from convert.demo.ports import free_port
from convert.demo.station import offer, station
from convert.lots.truth import read_truth
from edge.cli import main as axi_edge
from edge.station.database import Database
from edge.station.store import JointStore
from edge.toml import toml_text
from tests.support.station import Robot

pytestmark = pytest.mark.slow


def test_a_line_is_judged_by_the_bundle_that_ships_and_then_by_one_just_built(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = tmp_path / "demo"
    environment = {name: value for name, value in os.environ.items() if name != "MQTT_URL"}
    done = subprocess.run(
        [sys.executable, "-m", "convert.demo", str(work)],
        capture_output=True,
        text=True,
        check=False,
        env={**environment, "COLUMNS": "160"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    sent = [json.loads(line) for line in (work / "capture.jsonl").read_text().splitlines()]
    verdicts = [message["payload"] for message in sent if "/verdict/" in message["topic"]]
    later = read_truth(work / "later")
    truth = read_truth(work / "line") | later
    assert {(verdict["job_id"], verdict["joint"]) for verdict in verdicts} == set(truth)
    judged = Counter((verdict["model"]["name"], verdict["verdict"] == "unjudged") for verdict in verdicts)
    assert {("slicenet", False), ("slicenet-demo", False)} <= set(judged), "each of both judged"
    assert {verdict["reason"] for verdict in verdicts} <= {None, "unfamiliar", "learning", "audit"}
    licences = [message["payload"] for message in sent if "/licence/" in message["topic"]]
    assert len({licence["board_type"] for licence in licences if licence["state"] == "licensed"}) == 2
    released = [
        verdict for verdict in verdicts if verdict["job_id"].startswith("L2-") and verdict["route"] == "release"
    ]
    assert len(released) > 100
    assert "of 20 released" in done.stderr
    names = {row.truth for row in truth.values()}
    assert {verdict["defect_class"]["name"] for verdict in verdicts if verdict["verdict"] == "defect"} <= names | {
        "insufficient",
        "missing",
        "short",
        "voided",
    }
    assert "first verdict" in done.stderr
    kept = JointStore(Database(work / "state" / "station.db"), "demo")
    assert kept.said_so_far(), "the station has heard the line"
    assert {(one["job_id"], one["joint"]) for one in verdicts if kept.joint(one["event_id"])} == set(truth)
    words = ["audit", "--config", str(work / "axi-edge.toml"), "--capture", str(work / "capture.jsonl")]
    assert axi_edge(words) == 0, "a command that it offers"
    assert "every joint is accounted for" in capsys.readouterr().out


def test_its_station_opens_to_its_own_account_and_stays_up_until_it_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    section = {"name": "demo", "port": free_port(), "path": str(tmp_path / "station.db")}
    config = {"station": section, "device": {"name": "axi1"}, "spool": {"path": str(tmp_path / "spool")}}
    config |= {"mqtt": {"base_topic": BASE, "port": free_port()}, "model": {"bundle": "none"}}
    (tmp_path / CONFIG).write_text(toml_text(config))
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with station(tmp_path) as there:
        assert there is not None
        robot = Robot(there.address)
        robot.log_in("demo", password=there.password)
        assert robot.waiting() == 0
        robot.close()
        offer(there)
        assert "DEMO_KEEP=1 make demo" in capsys.readouterr().err
        monkeypatch.setenv("DEMO_KEEP", "1")
        ending = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM))
        ending.start()
        try:
            offer(there)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
    assert there.password in capsys.readouterr().err
