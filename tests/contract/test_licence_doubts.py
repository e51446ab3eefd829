"""Whatever could pass for evidence and is none, and whatever could be lost: nothing is released by it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from edge.adapters.journal.store import Journal
from edge.core.errors import JournalError
from edge.core.licence import Act, Deed
from edge.core.review import Said
from edge.feedback.ports import ActHeld
from tests.support.licences import Device


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path)


def test_an_escape_that_was_settled_stays_one_whoever_looks_again(device: Device) -> None:
    device.earn()
    job = device.board(40, score=0.01)
    device.review(job, 40, Said.DEFECT)
    device.review(job, 40, Said.DEFECT, settled=True)
    for reviewer in ("r1", "r2"):
        device.review(job, 40, Said.DEFECT, by=reviewer)
    device.licences.step()
    assert device.permit.rule is None


def test_nobody_is_measured_by_claims_that_were_settled_and_said_again(device: Device) -> None:
    for _ in range(30):
        job = device.board(10)
        device.review(job, 5, Said.DEFECT)
        device.review(job, 5, Said.FALSE_CALL, first=5)
        device.review(job, 5, Said.DEFECT, settled=True)
        device.review(job, 5, Said.FALSE_CALL, first=5, settled=True)
        device.review(job, 5, Said.DEFECT)
    device.licences.step()
    assert device.permit.rule is None
    assert device.heard("/licence/")[-1]["reviewers_miss"] == 1.0


def test_false_calls_by_somebody_without_a_record_are_no_reviews(device: Device) -> None:
    device.measure_reviewer()
    for _ in range(12):
        job = device.board(30)
        device.review(job, 5, Said.DEFECT)
        device.review(job, 25, Said.FALSE_CALL, first=5, by="apprentice")
    device.licences.step()
    assert device.permit.rule is None
    assert "are reviewed" in device.heard("/licence/")[-1]["reason"]


def test_what_was_never_reviewed_is_remembered_when_verdicts_are_forgotten(device: Device) -> None:
    device.measure_reviewer()
    for _ in range(14):
        device.review(device.board(20), 5, Said.DEFECT)
    device.licences.step()
    assert device.permit.rule is None
    journal = Journal(device.path)
    journal.mark_sent([row.seq for row in journal.pending(100_000)], device.time)
    device.time += timedelta(days=30)
    journal.forget(journal.settled_before(device.time))
    journal.close()
    device.licences.step()
    assert device.permit.rule is None


def test_a_backup_is_noticed_whatever_reviews_were_entered_first(device: Device, tmp_path: Path) -> None:
    device.earn()
    device.back_up(tmp_path / "backup.db")
    job = device.board(40, score=0.01)
    device.review(job, 40, Said.DEFECT)
    device.licences.step()
    device.put_back(tmp_path / "backup.db")
    device.prove(60)
    device.start()
    device.licences.step()
    assert device.permit.rule is None


def test_a_suspension_by_hand_outlives_the_journal(device: Device, tmp_path: Path) -> None:
    device.earn()
    device.back_up(tmp_path / "backup.db")
    device.book.enter([ActHeld("MB-7", None, None, Act(Deed.SUSPEND, "kim", "tombstones"))], device.time)
    device.licences.step()
    for backup in (tmp_path / "backup.db", None):
        device.put_back(backup)
        device.start()
        device.measure_reviewer()
        device.prove(100)
        device.licences.step()
        assert device.permit.rule is None
        assert device.heard("/licence/")[-1]["reason"] == "kim: tombstones"


def test_what_may_be_released_is_forgotten_when_nobody_looks_at_reviews(device: Device) -> None:
    device.earn()
    device.time += timedelta(minutes=9)
    assert device.permit.rule is not None
    device.time += timedelta(minutes=2)
    assert device.permit.rule is None
    device.licences.step()
    assert device.permit.rule is not None


def test_a_clock_that_was_set_back_keeps_nobody_from_looking_whether_reviews_come(device: Device) -> None:
    device.earn()
    device.time += timedelta(days=1_500)
    device.licences.step()
    device.time -= timedelta(days=1_500)
    device.licences.step()
    device.board(300)
    device.time += timedelta(days=3)
    device.licences.step()
    assert device.permit.rule is None


def test_a_type_is_suspended_however_its_joint_type_is_spelled(device: Device) -> None:
    device.earn()
    device.book.enter([ActHeld("MB-7", "pth", None, Act(Deed.SUSPEND, "kim", "x"))], device.time)
    device.licences.step()
    assert device.permit.rule is None


def test_what_could_not_be_said_is_said_later(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    device.earn()
    device.review(device.board(40, score=0.01), 40, Said.DEFECT)

    def full(*_: object) -> None:
        raise JournalError("disk full")

    with monkeypatch.context() as broken:
        broken.setattr(device.book, "say", full)
        with pytest.raises(JournalError):
            device.licences.step()
    assert device.permit.rule is None
    device.time += timedelta(minutes=2)
    device.licences.step()
    assert device.states()[-1] == "suspended"
    assert [alarm["code"] for alarm in device.heard("/alarm")] == ["licence_suspended"]


def test_one_board_does_not_prove_a_type(device: Device) -> None:
    device.measure_reviewer()
    device.review(device.board(300), 300, Said.DEFECT)
    device.licences.step()
    assert device.permit.rule is None


def test_joints_that_nobody_is_sure_of_would_have_escaped_for_all_we_know(device: Device) -> None:
    device.earn()
    device.review(device.board(40, score=0.01), 40, Said.UNSURE)
    device.licences.step()
    assert device.permit.rule is None


def test_a_board_may_be_under_review_for_a_while_and_then_what_is_missing_counts(device: Device) -> None:
    device.earn()
    job = device.board(60)
    device.review(job, 20, Said.FALSE_CALL)
    device.licences.step()
    assert device.permit.rule is not None
    device.time += timedelta(minutes=61)
    device.licences.step()
    assert device.permit.rule is None
    device.review(job, 40, Said.FALSE_CALL, first=20)
    device.licences.step()
    assert device.permit.rule is not None
