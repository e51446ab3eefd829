"""Licences, kept by a real journal: from reviews to permits, and to what everyone is told."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.core.licence import Act, Deed
from edge.core.payloads import ModelRef
from edge.core.review import Said
from edge.core.verdict import Reason
from edge.feedback.evidence import Evidence
from edge.feedback.ports import ActHeld
from tests.support.licences import MODEL, POINTS, RELEASE, START, Device


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path)


def test_a_type_learns_earns_and_loses_its_licence_and_each_is_said_once(device: Device) -> None:
    device.board(5)
    assert device.permit.rule is None
    device.licences.step()
    device.earn()
    device.licences.step()
    assert device.states() == ["learning", "licensed"]
    device.review(device.board(40, score=0.01), 40, Said.DEFECT)
    device.licences.step()
    assert device.permit.rule is None
    device.start()
    device.licences.step()
    device.licences.step()
    assert device.states() == ["learning", "licensed", "suspended", "suspended"]  # once more at the start
    assert [alarm["code"] for alarm in device.heard("/alarm")] == ["licence_suspended"]


def _folded(device: Device, evidence: Evidence) -> object:
    """What is known by all that was said, once ``evidence`` has heard what it had not."""
    while spoken := device.book.spoken(evidence.heard, list(RELEASE.rules)):
        evidence.take(spoken)
    acts = device.book.acts()
    return evidence.relied_on, {key: line.course(acts).standing() for key, line in evidence.lines.items()}


@pytest.mark.parametrize("seed", range(12))
def test_what_was_heard_bit_by_bit_and_all_at_once_says_the_same(device: Device, seed: int) -> None:
    """Whatever came in which order: joints that were drawn and that were not, truth that is settled before, later, or
    of joints that nobody had called defects, second looks, suspensions and what is lifted.
    """
    rng, listening = np.random.default_rng(seed), Evidence(RELEASE.terms, RELEASE.rules)
    device.measure_reviewer()
    boards = [(device.board(150, sampled=False), 150)]
    for _ in range(60):
        what, (job, joints) = rng.integers(12), boards[rng.integers(len(boards))]
        said = (Said.DEFECT, Said.DEFECT, Said.FALSE_CALL, Said.UNSURE)[rng.integers(4)]
        if what < 3:
            device.prove(10)
        elif what < 6:
            score, sampled = float(rng.choice([0.05, 0.2, 0.9])), bool(rng.random() < 0.3)
            boards.append((device.board(4, score=score, sampled=sampled), 4))
        elif what < 11:
            first = int(rng.integers(joints))
            some, settled = int(rng.integers(1, joints - first + 1)), what >= 9
            device.review(job, some, said, first=first, settled=settled, by=str(rng.choice(["r1", "r2"])))
        else:
            deed = (Deed.SUSPEND, Deed.LIFT)[rng.integers(2)]
            device.book.enter([ActHeld("MB-7", "PTH", None, Act(deed, "kim", ""))], device.time)
        device.time += timedelta(minutes=1)
        if rng.random() < 0.5:
            assert _folded(device, listening) == _folded(device, Evidence(RELEASE.terms, RELEASE.rules))


def test_a_reviewer_who_looks_again_once_the_truth_is_out_gets_no_record_by_that(device: Device) -> None:
    """Of joints that nobody drew, the first looks are not heard of until they matter."""
    job = device.board(150, sampled=False)
    device.review(job, 150, Said.FALSE_CALL)
    device.prove(5)
    device.licences.step()
    for settled in (True, False):
        device.review(job, 50, Said.DEFECT, settled=settled)
        device.review(job, 100, Said.FALSE_CALL, first=50, settled=settled)
        device.licences.step()
    device.prove(100)
    device.licences.step()
    assert device.permit.rule is None


@pytest.mark.parametrize("settled", [False, True])
def test_unfamiliar_joints_tell_nothing_of_what_is_near(device: Device, settled: bool) -> None:
    device.measure_reviewer()
    for _ in range(40):
        device.review(device.board(5), 5, Said.DEFECT)
        device.review(device.board(2, score=0.2), 2, Said.DEFECT)
    for _ in range(60):
        job = device.board(2, score=0.2, sampled=False, reason=Reason.VIEW_UNFAMILIAR)
        device.review(job, 2, Said.DEFECT)
        if settled:
            device.review(job, 2, Said.DEFECT, settled=True)
    device.licences.step()
    assert device.permit.rule == POINTS[0]


def _nearly_released(device: Device, said: Said) -> None:
    """Joints that nobody drew: called defects by the point that is licensed, normal by the next."""
    for _ in range(40):
        device.review(device.board(2, score=0.2, sampled=False), 2, said)
    device.licences.step()


def test_a_licence_is_suspended_when_more_defects_are_nearly_released_though_nobody_drew_them(device: Device) -> None:
    device.measure_reviewer()
    for _ in range(40):
        device.review(device.board(5), 5, Said.DEFECT)
        device.review(device.board(2, score=0.2), 2, Said.DEFECT)
    device.licences.step()
    assert device.permit.rule == POINTS[0], "the next would release a quarter of the defects"
    _nearly_released(device, Said.FALSE_CALL)
    assert device.permit.rule == POINTS[0]
    _nearly_released(device, Said.DEFECT)
    assert device.permit.rule is None
    assert "nearly" in device.heard("/licence/")[-1]["reason"]
    assert [alarm["code"] for alarm in device.heard("/alarm")] == ["licence_suspended"]
    device.start()
    device.licences.step()
    assert device.permit.rule is None


def test_a_suspension_that_a_crash_kept_from_being_said_is_said_at_the_next_start(device: Device) -> None:
    device.earn()
    device.review(device.board(40, score=0.01), 40, Said.DEFECT)
    device.start()
    device.licences.step()
    assert device.permit.rule is None
    assert [alarm["code"] for alarm in device.heard("/alarm")] == ["licence_suspended"]


def test_a_licence_does_not_outlive_its_evidence_in_a_journal_put_back_from_a_backup(
    device: Device, tmp_path: Path
) -> None:
    device.earn()
    device.back_up(tmp_path / "backup.db")
    device.review(device.board(40, score=0.01), 40, Said.DEFECT)
    device.licences.step()
    device.put_back(tmp_path / "backup.db")
    for _ in range(2):
        device.start()
        device.licences.step()
        assert device.permit.rule is None
    assert "backup" in device.heard("/licence/")[-1]["reason"]
    device.prove(80)
    device.licences.step()
    assert device.permit.rule is not None, "it can be earned again"


def test_a_journal_of_an_unknown_past_proves_nothing(device: Device) -> None:
    """A new device was given the journal of an old one."""
    device.earn()
    device.spool._root.joinpath(".mark").unlink()
    device.start()
    device.licences.step()
    assert device.permit.rule is None


def test_where_only_defects_are_reviewed_nothing_is_proved(device: Device) -> None:
    device.measure_reviewer()
    for _ in range(6):
        device.review(device.board(20), 10, Said.DEFECT)
    device.licences.step()
    assert device.permit.rule is None
    assert "only 60 of 120 drawn joints of reviewed boards are reviewed" in device.heard("/licence/")[-1]["reason"]


def test_a_licence_rests_where_reviews_no_longer_come_and_goes_on_when_they_do(device: Device) -> None:
    device.earn()
    job = device.board(300)
    device.time += timedelta(days=3)
    device.licences.step()
    assert device.permit.rule is None
    assert "2 days ago" in device.heard("/licence/")[-1]["reason"]
    device.review(job, 300, Said.FALSE_CALL)
    device.licences.step()
    assert device.permit.rule is not None


def test_three_strange_boards_in_succession_end_a_licence(device: Device) -> None:
    device.earn()
    for strange in (True, True, False, True, True):
        device.licences.closed("MB-7", strange=strange)
        device.licences.step()
        assert device.permit.rule is not None
    device.licences.closed("MB-7", strange=True)
    device.licences.step()
    assert device.permit.rule is None
    assert "in succession" in device.heard("/licence/")[-1]["reason"]


def test_what_is_done_by_hand_is_taken_up_and_kept(device: Device) -> None:
    device.board(5)
    device.book.enter([ActHeld("MB-7", "PTH", MODEL.digest, Act(Deed.GRANT, "kim", "twin", "recall-0.99"))], START)
    device.licences.step()
    assert device.permit.rule == POINTS[0]
    said = device.heard("/licence/")[-1]
    assert (said["by"], said["reason"]) == ("hand", "kim: twin")
    device.book.enter([ActHeld("MB-7", None, None, Act(Deed.SUSPEND, "kim", "tombstones"))], START)
    device.start()
    device.licences.step()
    assert device.permit.rule is None


@pytest.mark.parametrize("policy", ["advise", "card"])
def test_under_other_policies_nothing_is_permitted_by_licences(device: Device, policy: Any) -> None:
    device.earn()
    device.release = RELEASE._replace(policy=policy)
    device.licences.step()
    assert device.permit.rule is None
    said = device.heard("/licence/")[-1]
    assert (said["state"], said["policy"]) == ("learning", policy)
    assert f"policy {policy}" in said["reason"]


def test_forget_trends_begins_from_nothing_and_the_one_before_keeps_what_it_earned(device: Device) -> None:
    device.earn()
    other = ModelRef(name="tiny", version="2.0.0", digest="sha256:b")
    device.release = RELEASE._replace(rules={"sha256:b": POINTS}, models={"sha256:b": other})
    device.licences.step()
    assert device.permit.rule is None
    assert device.licences.permit("MB-7", "PTH", "sha256:b").rule is None
    device.licences.step()
    assert device.heard("/licence/")[-1]["model"]["version"] == "2.0.0"
    device.release = RELEASE
    device.licences.step()
    assert device.permit.rule == POINTS[1]


def test_boards_without_a_type_earn_nothing(device: Device) -> None:
    device.licences.permit("", "PTH", MODEL.digest)
    device.licences.step()
    assert device.heard("/licence/") == []
