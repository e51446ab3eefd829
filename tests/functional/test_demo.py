"""The demo, as a newcomer runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from convert.lots.truth import read_truth
from edge.cli import main as axi_edge

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
    words = ["audit", "--config", str(work / "axi-edge.toml"), "--capture", str(work / "capture.jsonl")]
    assert axi_edge(words) == 0, "a command that it offers"
    assert "every joint is accounted for" in capsys.readouterr().out
