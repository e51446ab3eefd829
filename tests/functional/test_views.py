"""Views that are known by sight: a real daemon and broker, real pictures, real reviews, a real kill."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from convert.simulator.plan import LotPlan
from convert.simulator.xray.lot import simulate_lot
from edge.core.learning import LEAST_BOARDS
from tests.support.daemon import DaemonProcess
from tests.support.lines import boards, jobs_of, verdicts, wait_until
from tests.support.mosquitto import Mosquitto, Subscriber

pytestmark = [pytest.mark.broker, pytest.mark.slow]

BOARD_TYPE = "MB-9100"
PLAN = LotPlan(boards=LEAST_BOARDS + 2, joints=8 * (LEAST_BOARDS + 2), seed=5, types=1, first_type=9_100, alike=True)


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Job folders of boards of one type, from one drawing."""
    lot = tmp_path_factory.mktemp("line") / "lot"
    assert sum(simulate_lot(lot, PLAN)) == PLAN.joints
    return jobs_of(lot)


@pytest.fixture
def plant(device: DaemonProcess, mosquitto: Mosquitto) -> Iterator[tuple[DaemonProcess, Subscriber]]:
    device.config.write_text(device.config.read_text() + "\n[health]\ninterval_s = 0.1\n")
    subscriber = Subscriber(mosquitto.port)
    device.start()
    yield device, subscriber
    subscriber.close()


def changed(job: Path, out: Path, name: str, change: Callable[[np.ndarray], np.ndarray]) -> Path:
    """The same board under another id, with other pictures."""
    folder = out / name
    shutil.copytree(job, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["job_id"] = name
    for view in manifest["views"]:
        for part in view["slices"]:
            file, grey = folder / part["file"], cv2.imread(str(folder / part["file"]), cv2.IMREAD_UNCHANGED)
            part["sha256"], part["file"] = None, file.with_suffix(".bmp").name
            cv2.imwrite(str(file.with_suffix(".bmp")), change(grey))
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def review(device: DaemonProcess, said: list[dict[str, Any]]) -> None:
    """As the network says."""
    words = {True: "defect", False: "false_call"}
    rows = [
        f"{one['job_id']},{one['joint']},{words[one['p_defect'] >= one['threshold']]},r1,2026-11-29T08:00:00Z"
        for one in said
        if one["p_defect"] is not None
    ]
    file = device.work / "reviews.csv"
    file.write_text("\n".join(["job_id,joint,decision,reviewer,time", *rows, ""]))
    done = device.command("review", "import", str(file))
    assert done.returncode == 0, done.stderr


def known(device: DaemonProcess) -> bool:
    return "known since" in device.command("view", "list").stdout


def test_a_turned_board_goes_to_the_specialist_once_its_view_is_known(
    plant: tuple[DaemonProcess, Subscriber], line: list[Path], tmp_path: Path
) -> None:
    device, subscriber = plant
    first, *later = line[:LEAST_BOARDS]
    turned = changed(line[-1], tmp_path, "turned", lambda grey: np.ascontiguousarray(grey[::-1, ::-1]))
    for number, job in enumerate((first, turned, *later), 1):
        device.submit(job)
        subscriber.wait_for(boards(number))
    before = verdicts(subscriber)
    assert "view_unfamiliar" not in {one["reason"] for one in before}, "nothing is known yet"
    review(device, [one for one in before if one["job_id"] != "turned"])
    wait_until(lambda: known(device))

    device.kill()
    device.start()  # it is the journal that remembers
    again = changed(line[-1], tmp_path, "turned-again", lambda grey: np.ascontiguousarray(grey[::-1, ::-1]))
    for job in (line[-2], again):
        device.submit(job)
    subscriber.wait_for(boards(len(later) + 4))
    reasons: dict[str, set[Any]] = {}
    for one in verdicts(subscriber)[len(before) :]:
        reasons.setdefault(str(one["job_id"]), set()).add(one["reason"])
        assert (one["route"], one["verdict"]) == ("specialist", "unjudged") or one["job_id"] != "turned-again"
    assert reasons["turned-again"] == {"view_unfamiliar"}
    assert "view_unfamiliar" not in reasons[line[-2].name]
    (alarm,) = [one for one in subscriber.payloads("/alarm") if one["code"] == "view_unfamiliar"]
    assert "turned by 180 degrees" in alarm["text"]
    assert device.command("view", "forget", BOARD_TYPE).returncode == 0
    assert not known(device)
