"""X-ray and optical joints through one daemon and one broker, each judged by the bundle of its type."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from convert.lots.graded_truth import read_graded_truth
from convert.lots.truth import read_truth
from edge.bundle.format import open_bundle, write_bundle
from edge.core.grades import GRADES, RELEASED
from tests.support.daemon import DaemonProcess
from tests.support.mosquitto import Mosquitto, Subscriber


def routed(device: DaemonProcess, bundle: Path) -> None:
    """Give SMT joints a bundle of their own."""
    route = f'[model.routes.SMT]\nbundle = "{bundle}"\n[inference]'
    device.config.write_text(device.config.read_text().replace("[inference]", route))


@pytest.fixture
def device(tmp_path: Path, bundle: Path, quality_bundle: Path, mosquitto: Mosquitto) -> Iterator[DaemonProcess]:
    daemon = DaemonProcess(tmp_path, bundle, mosquitto.port)
    routed(daemon, quality_bundle)
    yield daemon
    daemon.kill()


def jobs_of(*lots: Path) -> list[Path]:
    """Jobs of all lots, in turn."""
    each = [sorted(path for path in lot.iterdir() if path.is_dir()) for lot in lots]
    return [job for turn in zip(*each, strict=True) for job in turn]


@pytest.mark.broker
def test_each_joint_of_a_mixed_lot_is_judged_by_its_own_bundle(
    device: DaemonProcess, bundle: Path, quality_bundle: Path, lots: Path, optical_lots: Path, mosquitto: Mosquitto
) -> None:
    subscriber = Subscriber(mosquitto.port)
    device.start()
    jobs = jobs_of(lots / "evaluate", optical_lots / "evaluate")
    for job in jobs:
        device.submit(job)
    subscriber.wait_for(lambda seen: len(seen.payloads("/board/")) >= len(jobs))
    assert device.command("audit").returncode == 0
    assert "for SMT       quality-test 1.0.0" in device.command("status").stdout
    assert device.stop() == 0
    told = subscriber.payloads("/verdict/")
    arrived: dict[tuple[str, str], Any] = {(verdict["job_id"], verdict["joint"]): verdict for verdict in told}
    x_ray, optical = read_truth(lots / "evaluate"), read_graded_truth(optical_lots / "evaluate")
    assert set(arrived) == set(x_ray) | set(optical)
    for key in x_ray:
        one = arrived[key]
        assert one["model"]["digest"] == open_bundle(bundle).digest
        assert one["p_defect"] is not None
        assert "grade" not in one
    for key, truth in optical.items():
        one = arrived[key]
        assert one["model"]["digest"] == open_bundle(quality_bundle).digest
        assert (one["p_defect"], one["reason"], one["operating_point"]) == (None, None, "midpoints")
        assert 0 <= one["quality_index"] <= 1
        assert one["verdict"] == ("normal" if one["grade"] in RELEASED else "defect")
        assert one["route"] == ("release" if one["grade"] in RELEASED else "specialist")
        assert truth.grade != "poor" or one["grade"] in GRADES[:2]
    for board in subscriber.payloads("/board/"):
        grades = Counter(
            verdict["grade"] for verdict in told if verdict["job_id"] == board["job_id"] and "grade" in verdict
        )
        assert {grade: n for grade, n in board.get("grades", {}).items() if n} == grades
    assert subscriber.payloads("/status")[0]["routes"]["SMT"]["digest"] == open_bundle(quality_bundle).digest
    subscriber.close()


@pytest.mark.broker
def test_metrics_show_the_index_by_board_type(device: DaemonProcess, optical_lots: Path, mosquitto: Mosquitto) -> None:
    device.config.write_text(f"{device.config.read_text()}\n[health]\ninterval_s = 0.5\n")
    subscriber = Subscriber(mosquitto.port)
    device.start()
    for job in jobs_of(optical_lots / "evaluate"):
        device.submit(job)

    def all_told(seen: Subscriber) -> bool:
        return (
            sum(verdict["joints"] for told in seen.payloads("/metrics") for verdict in told["quality"].values()) >= 120
        )

    subscriber.wait_for(all_told)
    last = subscriber.payloads("/metrics")[-1]["quality"]
    assert set(last) == {row.board_type for row in read_graded_truth(optical_lots / "evaluate").values()}
    assert all(0 < trend["trend"] < 1 and not trend["drifting"] for trend in last.values())
    subscriber.close()


@pytest.mark.broker
def test_a_route_to_the_wrong_bundle_is_found_by_check_and_refused_by_reload(
    device: DaemonProcess, bundle: Path, quality_bundle: Path, mosquitto: Mosquitto
) -> None:
    good = device.command("check").stdout
    assert "for SMT, 8 golden joints reproduced, operating point midpoints" in good
    subscriber = Subscriber(mosquitto.port)
    device.start()
    subscriber.wait_for(lambda seen: bool(seen.payloads("/status")))
    device.config.write_text(device.config.read_text().replace(str(quality_bundle), str(bundle)))
    bad = device.command("check")
    assert bad.returncode == 1
    assert "judges PTH, but [model.routes.SMT] names it" in bad.stdout
    os.kill(device.pid, signal.SIGHUP)
    subscriber.wait_for(lambda seen: any(payload["code"] == "reload_refused" for payload in seen.payloads("/alarm")))
    assert device.alive
    subscriber.close()


def test_a_routes_bundle_is_activated_and_rolled_back_by_its_joint_type(
    tmp_path: Path, bundle: Path, quality_bundle: Path
) -> None:
    device = DaemonProcess(tmp_path, bundle, 1)
    link = tmp_path / "bundles" / "smt-current"
    routed(device, link)
    first = device.command("bundle", "activate", str(quality_bundle), "--type", "SMT")
    assert first.returncode == 0, first.stderr
    held = open_bundle(quality_bundle)
    raised = msgspec.structs.replace(held.card, version="1.0.1")
    newer = write_bundle(tmp_path / "newer", raised, held.model_path.read_bytes(), held.golden)
    assert device.command("bundle", "activate", str(newer), "--type", "SMT").returncode == 0
    assert link.resolve().name == "quality-test-1.0.1"
    assert device.command("bundle", "rollback", "--type", "SMT").returncode == 0
    assert link.resolve().name == "quality-test-1.0.0"
    wrong = device.command("bundle", "activate", str(bundle), "--type", "SMT")
    assert (wrong.returncode, "judges PTH" in wrong.stderr) == (4, True)
    unknown = device.command("bundle", "activate", str(bundle), "--type", "BGA")
    assert (unknown.returncode, "or add the route; there are: SMT" in unknown.stderr) == (3, True)


def inspect(*words: str | Path) -> subprocess.CompletedProcess[str]:
    call = [sys.executable, "-m", "edge.cli", "inspect", *map(str, words)]
    return subprocess.run(call, capture_output=True, text=True, check=False)


def test_inspect_takes_several_bundles(bundle: Path, quality_bundle: Path, lots: Path, optical_lots: Path) -> None:
    jobs = jobs_of(lots / "evaluate", optical_lots / "evaluate")[:2]
    both = inspect(*jobs, "--bundle", bundle, "--bundle", quality_bundle)
    assert both.returncode == 0, both.stderr
    told = [json.loads(line) for line in both.stdout.splitlines()]
    assert Counter(verdict["model"]["name"] for verdict in told) == {"cnn3d-test": 10, "quality-test": 30}
    alone = inspect(jobs[1], "--bundle", bundle)
    assert {json.loads(line)["reason"] for line in alone.stdout.splitlines()} == {"unsupported_joint_type"}
    twice = inspect(jobs[1], "--bundle", quality_bundle, "--bundle", quality_bundle)
    assert (twice.returncode, "joint type SMT is another bundle's already" in twice.stderr) == (4, True)
