"""Pictures that come again: the daemon as a process, a real broker, real files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import pytest

from tests.support.daemon import DaemonProcess
from tests.support.lines import boards, jobs_of, verdicts
from tests.support.mosquitto import Mosquitto, Subscriber

pytestmark = pytest.mark.broker


def again(job: Path, out: Path, suffix: str) -> Path:
    """The same board's pictures under another id, stored in another kind of file."""
    folder = out / f"{job.name}-again"
    shutil.copytree(job, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["job_id"] = folder.name
    for view in manifest["views"]:
        for part in view["slices"]:
            old = folder / part["file"]
            new = old.with_suffix(suffix)
            cv2.imwrite(str(new), cv2.imread(str(old), cv2.IMREAD_UNCHANGED))
            old.unlink()
            part["file"], part["sha256"] = new.name, None
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_no_joint_is_released_on_pictures_that_were_judged_before(
    tmp_path: Path, bundle: Path, lots: Path, mosquitto: Mosquitto
) -> None:
    device, subscriber = DaemonProcess(tmp_path, bundle, mosquitto.port), Subscriber(mosquitto.port)
    device.config.write_text(device.config.read_text().replace("repeated_days = 0", "repeated_days = 7"))
    first, other = jobs_of(lots / "evaluate")[:2]
    device.start()
    device.submit(first)
    subscriber.wait_for(boards(1))
    assert device.stop() == 0
    device.start()  # it is the journal that remembers
    device.submit(again(first, tmp_path, ".bmp"))
    device.submit(other)
    subscriber.wait_for(boards(3))
    assert device.stop() == 0
    reasons: dict[str, set[str | None]] = {}
    for verdict in verdicts(subscriber):
        reasons.setdefault(verdict["job_id"], set()).add(verdict["reason"])
    assert reasons[f"{first.name}-again"] == {"slice_repeated"}
    assert "slice_repeated" not in reasons[first.name] | reasons[other.name]
    codes = [alarm["code"] for alarm in subscriber.payloads("/alarm")]
    assert [code for code in codes if code != "unfamiliar_board"] == ["slice_repeated"]  # that is a poor network's
    subscriber.close()
