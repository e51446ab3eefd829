"""What is known to go wrong on some computers is seen on them, and not on others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge.commands.findings import Finding, Health
from edge.commands.traps import WHEELS, kinds_of_cores, ranges, traps


def found(root: Path, what: str) -> list[Finding]:
    return [one for one in traps(root, lambda _module: "") if one.what == what]


def test_every_package_is_loaded(tmp_path: Path) -> None:
    asked = list[str]()
    (packages,) = [one for one in traps(tmp_path, lambda module: asked.append(module) or "") if one.what == "packages"]  # type: ignore[func-returns-value]
    assert tuple(asked) == WHEELS
    assert packages.health is Health.OK
    assert f"pages of {os.sysconf('SC_PAGE_SIZE') // 1024} KiB" in packages.text


def test_a_package_that_cannot_be_loaded_is_named_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sysconf", lambda _name: 16384)
    said = next(traps(tmp_path, lambda module: "it dies of signal 11" if module == "cv2" else ""))
    assert said.health is Health.FAIL
    assert (
        "cv2 cannot be loaded, pages of 16 KiB: it dies of signal 11; start a kernel with pages of 4 KiB" in said.text
    )


def test_packages_are_really_loaded(tmp_path: Path) -> None:
    assert [one.health for one in traps(tmp_path) if one.what == "packages"] == [Health.OK]


def test_an_npu_is_not_used_and_that_is_said(tmp_path: Path) -> None:
    assert not found(tmp_path, "NPU")
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "galcore").touch()
    assert [one.health for one in found(tmp_path, "NPU")] == [Health.OK]


def test_intels_hybrids_are_told_by_their_counters(tmp_path: Path) -> None:
    for kind, cpus in (("cpu_core", "0-3"), ("cpu_atom", "4-11")):
        (tmp_path / "sys/devices" / kind).mkdir(parents=True)
        (tmp_path / "sys/devices" / kind / "cpus").write_text(f"{cpus}\n")
    assert kinds_of_cores(tmp_path) == ({0, 1, 2, 3}, set(range(4, 12)))


@pytest.mark.parametrize(("slow_ones", "health"), [((0,), Health.WARN), ((4096,), Health.OK)])
def test_slow_cores_are_kept_from_judging(tmp_path: Path, slow_ones: tuple[int, ...], health: Health) -> None:
    """By Arm's capacities. Processor 0 is one that this test may use, 4096 is none."""
    for cpu in (*slow_ones, 5001, 5002):
        path = tmp_path / f"sys/devices/system/cpu/cpu{cpu}/cpu_capacity"
        path.parent.mkdir(parents=True)
        path.write_text("400\n" if cpu in slow_ones else "1024\n")
    (cores,) = found(tmp_path, "cores")
    assert cores.health is health
    if health is Health.WARN:
        assert "CPUAffinity=5001-5002" in cores.text
        assert "processes x threads = 1" in cores.text


def test_cores_of_one_kind_are_no_finding(tmp_path: Path) -> None:
    assert not found(tmp_path, "cores")


def test_ranges_are_written_as_systemd_reads_them() -> None:
    assert ranges({0, 1, 2, 5, 7, 8}) == "0-2,5,7-8"
