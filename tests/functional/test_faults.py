"""A little of ``make faults``: every fault, a round or a few."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.faults import FAULTS
from tests.faults.rig import BaseJob, Bundles, base_jobs
from tests.faults.run import run_fault
from tests.faults.stage import Fault
from tests.support.mosquitto import find_mosquitto

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def bundles(bundle: Path, quality_bundle: Path) -> Bundles:
    return Bundles(bundle, quality_bundle)


@pytest.fixture(scope="module")
def jobs(lots: Path, optical_lots: Path, bundles: Bundles) -> list[BaseJob]:
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed here: apt-get install mosquitto")
    return base_jobs([lots / "evaluate", optical_lots / "evaluate"], bundles)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
def test_no_joint_is_lost_doubled_or_wrongly_passed(
    fault: Fault, tmp_path: Path, bundles: Bundles, jobs: list[BaseJob]
) -> None:
    if fault.needs():
        pytest.skip(fault.needs())
    result = run_fault(fault, tmp_path, bundles, jobs, fault.short, quiet=True)
    assert (result.lost, result.duplicated, result.wrong) == (0, 0, 0)
    assert result.joints > 0
