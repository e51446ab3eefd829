"""What is said of the joints of a view, whole or not."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest

from edge.core.job import Job, Roi
from edge.core.verdict import Call, Reason
from edge.judging.decider import Decider
from tests.support.builders import make_job, make_quality_card
from tests.support.fakes import FakeReader, FakeScorer
from tests.support.line import CARD, DEFECT, Line, claimed


def test_each_slice_file_is_read_once_however_many_joints_share_it() -> None:
    line = Line([claimed(make_job(joints=20, slices=3))])
    line.run()
    assert len(line.reader.read) == 3


def test_a_score_at_the_threshold_is_a_defect_and_nan_is_unjudged() -> None:
    floats = msgspec.structs.replace(
        CARD.quantisation, output=msgspec.structs.replace(CARD.quantisation.output, dtype="float32")
    )
    outputs = [np.array([[6, 6, 0, 0]], np.float32), np.array([[math.nan] * 4], np.float32)]
    line = Line(
        [claimed(make_job(joints=3))],
        card=msgspec.structs.replace(CARD, quantisation=floats),
        scorer=FakeScorer(np.zeros((1, 4), np.float32), outputs),
    )
    line.run()
    assert [(verdict.verdict, verdict.reason) for verdict in line.verdicts()] == [
        (Call.DEFECT, None),
        (Call.UNJUDGED, Reason.NOT_FINITE),
        (Call.NORMAL, None),
    ]


@pytest.mark.parametrize("reason", [Reason.SLICE_MISSING, Reason.SLICE_UNREADABLE, Reason.SLICE_CORRUPT])
def test_a_bad_slice_sends_its_views_joints_and_no_others_to_the_specialist(reason: Reason) -> None:
    line = Line([claimed(make_job(joints=2, views=2))], reader=FakeReader({"01015101.png": reason}))
    line.run()
    assert [
        (verdict.joint[:2], verdict.verdict, verdict.reason, verdict.p_defect is None) for verdict in line.verdicts()
    ] == [
        ("J0", Call.NORMAL, None, False),
        ("J0", Call.NORMAL, None, False),
        ("J1", Call.UNJUDGED, reason, True),
        ("J1", Call.UNJUDGED, reason, True),
    ]


def test_slices_of_different_size_are_not_judged() -> None:
    line = Line([claimed(make_job(joints=1))], reader=FakeReader(shapes={"01015001.png": (96, 97)}))
    line.run()
    assert [verdict.reason for verdict in line.verdicts()] == [Reason.SLICE_SIZES_DIFFER]


def test_unsupported_types_and_boxes_off_the_frame_are_not_judged() -> None:
    job = make_job(joints=3)
    first, second, third = job.joints
    odd = msgspec.structs.replace(first, type="BGA")
    off = msgspec.structs.replace(second, roi=second.roi._replace(xmin=196, xmax=210))
    line = Line([claimed(msgspec.structs.replace(job, joints=(odd, off, third)))])
    line.run()
    assert [verdict.reason for verdict in line.verdicts()] == [Reason.UNSUPPORTED_JOINT_TYPE, Reason.ROI_OUTSIDE, None]


def of_types(job: Job, *types: str) -> Job:
    """The job with the joints of each view of these types, in turn."""
    joints = [msgspec.structs.replace(joint, type=types[i % len(types)]) for i, joint in enumerate(job.joints)]
    return msgspec.structs.replace(job, joints=tuple(joints))


def quality_grader(*outputs: Sequence[int]) -> Decider:
    card = make_quality_card()
    rows = [np.array([output], np.uint8) for output in outputs]
    return Decider(card, card.rule(), [FakeScorer(rows[-1], rows)], lambda: 0.0)


def test_each_joint_is_judged_by_the_bundle_of_its_type_also_within_one_view() -> None:
    job = of_types(make_job(joints=4, slices=1), "PTH", "SMT", "smt", "BGA")
    beside = {"SMT": quality_grader((255, 255, 0, 0), (255, 10, 0, 0))}
    line = Line([claimed(job)], beside=beside, scorer=FakeScorer(DEFECT))
    line.run()
    told = [
        (verdict.verdict, verdict.reason, verdict.p_defect is not None, verdict.grade or None)
        for verdict in line.verdicts()
    ]
    assert told == [
        (Call.DEFECT, None, True, None),
        (Call.NORMAL, None, False, "good"),
        (Call.NORMAL, None, False, "acceptable_poor"),
        (Call.UNJUDGED, Reason.UNSUPPORTED_JOINT_TYPE, False, None),
    ]
    assert [verdict.model and verdict.model.name for verdict in line.verdicts()] == ["m", "q", "q", "m"]
    (summary,) = (json.loads(m.payload) for m in line.messages() if "/board/" in m.topic)
    assert {grade: n for grade, n in summary["grades"].items() if n} == {"good": 1, "acceptable_poor": 1}
    trend = line.tally.take().quality["MB-7"]
    assert (trend.joints, trend.mean) == (2, pytest.approx(np.mean([0.5, 0.25 + 0.25 * 10 / 255]), abs=1e-4))


@pytest.mark.parametrize(
    ("output", "grade", "call"),
    [
        ((0, 0, 0, 0), "poor", Call.DEFECT),
        ((255, 255, 255, 255), "excessive", Call.DEFECT),
        ((255, 255, 255, 0), "acceptable_excessive", Call.NORMAL),
    ],
)
def test_the_ends_of_the_scale_are_defects(output: Sequence[int], grade: str, call: Call) -> None:
    line = Line([claimed(of_types(make_job(joints=1, slices=1), "SMT"))], beside={"SMT": quality_grader(output)})
    line.run()
    (one,) = line.verdicts()
    assert (one.grade, one.verdict) == (grade, call)


def test_what_a_network_cannot_see_rightly_is_not_judged_by_it() -> None:
    """A picture in colours is no X-ray image; of several slices an optical network would leave some out."""
    reader = FakeReader()
    reader.coloured = {"01015000.png"}
    coloured = of_types(make_job("L-1", joints=2, slices=1), "PTH", "SMT")
    stack = of_types(make_job("L-2", joints=1, slices=2), "SMT")
    line = Line([claimed(coloured)], reader=reader, beside={"SMT": quality_grader((255, 255, 0, 0))})
    line.run()
    assert [(verdict.reason, verdict.grade or None) for verdict in line.verdicts()] == [
        (Reason.SLICE_FORMAT, None),
        (None, "good"),
    ]
    line = Line([claimed(stack)], beside={"SMT": quality_grader((255, 255, 0, 0))})
    line.run()
    assert [verdict.reason for verdict in line.verdicts()] == [Reason.TOO_MANY_SLICES]


def test_a_joint_with_one_blank_slice_is_not_judged() -> None:
    reader = FakeReader()
    reader.blank = {"01015001.png"}
    line = Line([claimed(make_job(joints=2))], reader=reader)
    line.run()
    assert [verdict.reason for verdict in line.verdicts()] == [Reason.SLICE_BLANK] * 2


@pytest.mark.parametrize(("x", "y", "judged"), [(-7, 40, True), (-8, 40, False), (88, 88, True), (90, 40, False)])
def test_a_box_may_leave_the_frame_as_long_as_its_centre_is_in_it(x: int, y: int, judged: bool) -> None:
    job = make_job(joints=1)
    moved = msgspec.structs.replace(job.joints[0], roi=Roi(x, y, x + 14, y + 14))
    line = Line([claimed(msgspec.structs.replace(job, joints=(moved,)))])
    line.run()
    assert [verdict.reason for verdict in line.verdicts()] == [None if judged else Reason.ROI_OUTSIDE]


def test_a_box_larger_than_the_picture_is_not_judged() -> None:
    job = make_job(joints=1)
    huge = msgspec.structs.replace(job.joints[0], roi=Roi(-1_000_000, -1_000_000, 1_000_000, 1_000_000))
    line = Line([claimed(msgspec.structs.replace(job, joints=(huge,)))])
    line.run()
    assert [verdict.reason for verdict in line.verdicts()] == [Reason.ROI_OUTSIDE]
