"""X-rays that drift: a real daemon and broker, real pictures, a real kill."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from convert.simulator.plan import LotPlan
from convert.simulator.xray.lot import simulate_lot
from tests.support.daemon import DaemonProcess
from tests.support.lines import boards, jobs_of, wait_until
from tests.support.mosquitto import Mosquitto, Subscriber

pytestmark = [pytest.mark.broker, pytest.mark.slow]

USUAL, MOVED = 50, 40
PLAN = LotPlan(boards=USUAL + MOVED, joints=4 * (USUAL + MOVED), seed=8, types=1, first_type=9_300, alike=True)
TYPE = "MB-9300"


def dimmed(job: Path, out: Path) -> Path:
    """The same board by an older tube: less light, and so less contrast."""
    folder = out / job.name
    shutil.copytree(job, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    for view in manifest["views"]:
        for part in view["slices"]:
            file = folder / part["file"]
            grey = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
            top = np.iinfo(grey.dtype).max
            part["sha256"] = None
            cv2.imwrite(str(file), (top * (0.1 + 0.6 * (grey / top))).astype(grey.dtype))
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_pictures_of_an_older_tube_raise_an_alarm_which_a_kill_does_not_forget(
    device: DaemonProcess, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    device.config.write_text(device.config.read_text() + "\n[health]\ninterval_s = 0.1\n")
    lot = tmp_path / "lot"
    assert sum(simulate_lot(lot, PLAN)) == PLAN.joints
    jobs = jobs_of(lot)
    subscriber = Subscriber(mosquitto.port)
    device.start()
    for job in jobs[:USUAL]:
        device.submit(job)
    subscriber.wait_for(boards(USUAL))

    def charted() -> int:
        said = subscriber.payloads("/metrics")
        return int(said[-1]["drift"].get(TYPE, {"boards": 0})["boards"]) if said else 0

    wait_until(lambda: charted() == USUAL)
    assert "xray_drift" not in {one["code"] for one in subscriber.payloads("/alarm")}
    device.kill()
    device.start()  # it is the journal that remembers what is usual
    for job in jobs[USUAL:]:
        device.submit(dimmed(job, tmp_path))
    subscriber.wait_for(boards(USUAL + MOVED))
    subscriber.wait_for(lambda one: "xray_drift" in {said["code"] for said in one.payloads("/alarm")})
    assert charted() > USUAL
    (alarm,) = [one for one in subscriber.payloads("/alarm") if one["code"] == "xray_drift"]
    assert f"board type {TYPE}: " in alarm["text"]
    assert "look at the machine's tube" in alarm["text"]
    done = device.command("view", "forget", TYPE)
    assert done.returncode == 0, done.stdout
    subscriber.wait_for(lambda one: "xray_drift_over" in {said["code"] for said in one.payloads("/alarm")})
    subscriber.close()
