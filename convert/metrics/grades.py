"""What quality indices are worth: Recognition Rate, confusion, ordinal error, and what would escape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from convert.lots.graded_truth import GradedRow, Grades, expected
from convert.metrics.defects import rate
from edge.core.errors import UsageError
from edge.core.grades import GRADES, RELEASED
from edge.core.rules import Rate

Numbers = NDArray[np.float64]

_GOOD = GRADES.index("good")
_PASSES = np.array([grade in RELEASED for grade in GRADES])


class Recognition(msgspec.Struct, frozen=True):
    """How grades compare with the experts' on one lot.

    ``recognised``: the Recognition Rate; ``outside``: of joints outside the band where experts disagree.
    ``confusion``: joints by the experts' grade (rows) and ours. ``ordinal_error``: mean distance in grades;
    ``two_off``: joints two grades off or more; ``poor_as_good``: poor joints graded good or better.
    ``recall`` and ``false_positive_rate``: of poor and excessive joints, as defects.
    """

    recognised: Rate
    outside: Rate
    confusion: tuple[tuple[int, ...], ...]
    ordinal_error: float
    two_off: int
    poor_as_good: int
    recall: Rate
    false_positive_rate: Rate


def thresholds(qi: NDArray[np.floating[Any]], grades: Grades) -> tuple[Numbers, Numbers]:
    """Class means (5,) of the Quality Index and the midpoints (4,) between neighbours (Acciani et al., 2009).

    From training joints only. Raises UsageError for a class without joints, and where the means do not rise.
    """
    missing = sorted(set(range(len(GRADES))) - set(grades.tolist()))
    if missing:
        raise UsageError(f"no joint of grade {GRADES[missing[0]]}; give a lot with joints of all five")
    means = np.array([qi[grades == grade].mean(dtype=np.float64) for grade in range(len(GRADES))])
    if not (np.diff(means) > 0).all():
        raise UsageError(f"mean quality indices {means.round(3).tolist()} do not rise with the grade; train longer")
    return means, (means[:-1] + means[1:]) / 2


def grades_of(qi: NDArray[np.floating[Any]], thresholds: Sequence[float]) -> Grades:
    """Grades of quality indices (n,), as ``edge.core.grades.grade_of`` gives them one by one."""
    index = np.asarray(qi, np.float64)
    above = index[:, np.newaxis] >= np.asarray(thresholds)
    above[:, 0] = index > thresholds[0]
    grades: Grades = above.sum(axis=1, dtype=np.int64)
    return grades


def recognition(found: Grades, rows: Sequence[GradedRow]) -> Recognition:
    """Compare grades (n,) with the experts' on these joints."""
    wanted = expected(rows)
    outside = np.array([row.disputed != 1 for row in rows])
    right, apart = found == wanted, np.abs(found - wanted)
    defects = ~_PASSES[wanted]
    called = ~_PASSES[found]
    confusion = np.zeros((len(GRADES), len(GRADES)), np.int64)
    np.add.at(confusion, (wanted, found), 1)
    return Recognition(
        recognised=rate(int(right.sum()), len(rows)),
        outside=rate(int(right[outside].sum()), int(outside.sum())),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        ordinal_error=float(apart.mean()),
        two_off=int((apart >= 2).sum()),
        poor_as_good=int(((wanted == 0) & (found >= _GOOD)).sum()),
        recall=rate(int(called[defects].sum()), int(defects.sum())),
        false_positive_rate=rate(int(called[~defects].sum()), int((~defects).sum())),
    )


class Agreement(msgspec.Struct, frozen=True):
    """Both sides' quality indices on one lot, at the same thresholds.

    ``changed``: joints of another grade; ``jumps``: of those two grades apart or more. Differences are converted less
    Keras, in QI.
    """

    keras: Recognition
    tflite: Recognition
    changed: int
    jumps: int
    mean_difference: float
    typical_difference: float
    largest_difference: float


def agreement(keras: Numbers, tflite: Numbers, thresholds: Sequence[float], rows: Sequence[GradedRow]) -> Agreement:
    """Compare quality indices (n,) of Keras and of the converted model."""
    before, after = (grades_of(qi, thresholds) for qi in (keras, tflite))
    apart, difference = np.abs(after - before), tflite - keras
    return Agreement(
        keras=recognition(before, rows),
        tflite=recognition(after, rows),
        changed=int((apart > 0).sum()),
        jumps=int((apart > 1).sum()),
        mean_difference=float(difference.mean()),
        typical_difference=float(np.abs(difference).mean()),
        largest_difference=float(np.abs(difference).max()),
    )
