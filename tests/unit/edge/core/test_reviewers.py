"""Reviewers' own records, and the bounds that they give."""

from __future__ import annotations

from edge.core.evidence import Count
from edge.core.review import Said
from edge.core.reviewers import Known, Record, Reliance, records_of, reliances


def _known(reviewer: str, truth: Said, said: Said, times: int = 1) -> list[Known]:
    return [Known(reviewer, truth, said)] * times


def test_misses_and_false_alarms_are_counted_apart() -> None:
    known = [
        *_known("r1", Said.DEFECT, Said.DEFECT, 8),
        *_known("r1", Said.DEFECT, Said.FALSE_CALL, 2),
        *_known("r1", Said.FALSE_CALL, Said.FALSE_CALL, 5),
        *_known("r1", Said.FALSE_CALL, Said.DEFECT),
        *_known("r2", Said.DEFECT, Said.UNSURE),
        *_known("r2", Said.UNSURE, Said.DEFECT),
    ]
    assert records_of(known) == {"r1": Record(Count(2, 10), Count(1, 6)), "r2": Record()}


def test_nobody_is_relied_on_without_a_record_of_both_kinds() -> None:
    nothing, only_defects = records_of([]), records_of(_known("r1", Said.DEFECT, Said.DEFECT, 500))
    assert reliances(nothing, 0.01) == {}
    assert not reliances(only_defects, 0.01)["r1"].enough
    both = _known("r1", Said.DEFECT, Said.DEFECT, 60) + _known("r1", Said.FALSE_CALL, Said.FALSE_CALL, 100)
    assert reliances(records_of(both), 0.01)["r1"].enough


def test_whoever_misses_a_third_is_never_relied_on() -> None:
    missing = [
        *_known("r1", Said.DEFECT, Said.DEFECT, 200),
        *_known("r1", Said.DEFECT, Said.FALSE_CALL, 100),
        *_known("r1", Said.FALSE_CALL, Said.FALSE_CALL, 500),
    ]
    assert not reliances(records_of(missing), 0.01)["r1"].enough


def test_another_reviewer_makes_nobody_else_less_sure() -> None:
    first = _known("r1", Said.DEFECT, Said.DEFECT, 50)
    alone = reliances(records_of(first), 0.01)
    together = reliances(records_of(first + _known("r2", Said.DEFECT, Said.DEFECT, 50)), 0.01)
    assert together["r1"] == alone["r1"]
    assert together["r2"].misses > alone["r1"].misses


def test_expected_alarms_grow_with_good_joints_and_with_the_share() -> None:
    assert Reliance(0.0, 0.1).expected_alarms(90) == 10
    assert Reliance(0.0, 0.0).expected_alarms(90) == 0
    assert Reliance().expected_alarms(90) == 90
