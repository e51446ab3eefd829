"""The review station as a service: killed again and again, and scraped."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import httpx2 as httpx
import pytest

from convert.demo.ports import free_port
from tests.support.killing import killed_while_reviewing
from tests.support.review_line import JOINTS, Line

pytestmark = [pytest.mark.slow, pytest.mark.broker]
DASHBOARDS = Path(__file__).parents[2] / "firmware_cfg" / "dashboards"


def test_prometheus_scrapes_the_station_and_takes_the_alerts(line: Line, tmp_path: Path) -> None:
    if shutil.which("prometheus") is None or shutil.which("promtool") is None:
        pytest.skip("prometheus is not installed here: apt-get install prometheus")
    shutil.copytree(DASHBOARDS, tmp_path / "prometheus")
    config = tmp_path / "prometheus" / "prometheus.yml"
    text = config.read_text().replace("localhost:8440", f"127.0.0.1:{line.station.port}")
    config.write_text(text.replace("scrape_interval: 15s", "scrape_interval: 1s"))
    checked = subprocess.run(["promtool", "check", "config", str(config)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    port, robot = free_port(), line.robot
    words = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={tmp_path}/tsdb"]
    with (tmp_path / "prometheus.log").open("wb") as log:
        process = subprocess.Popen([*words, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    asked = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=5)

    def value(expression: str) -> float | None:
        try:
            found = asked.get("/api/v1/query", params={"query": expression}).json()["data"]["result"]
        except (httpx.HTTPError, KeyError, ValueError):
            return None
        return float(found[0]["value"][1]) if found else None

    try:
        robot.until(lambda: value("axi_waiting_joints") == JOINTS)
        robot.until(lambda: value("axi_device_online") == 1)
        robot.until(lambda: (value('sum(axi_joints_total{line="line3"})') or 0) >= 0)
        for one in robot.claimed():
            robot.decide(one["event_id"])
        robot.until(lambda: value('axi_reviews_total{decision="false_call"}') == 3)
    finally:
        asked.close()
        process.terminate()
        process.wait(30)


def test_no_review_is_lost_or_doubled_over_a_station_that_is_killed(line: Line) -> None:
    """A robot reviews; what it was told is saved is on the broker once, whenever the station died."""
    found = killed_while_reviewing(line, 12, random.Random(5))
    assert not found.lost
    assert found.doubled == 0, "one reviewer, one joint, one review"
    assert not found.invented
    assert len(found.saved) >= 60
