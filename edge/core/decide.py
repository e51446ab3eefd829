"""From a model's output to a decision. Doubt goes to the specialist; nothing is normal by default."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.core.card import GradeScale, Head, OperatingPoint, Quantisation, Rule, SugenoHead
from edge.core.grades import RELEASED, grade_of
from edge.core.verdict import Call, Reason, Score

Output = NDArray[np.uint8] | NDArray[np.int8] | NDArray[np.float32]


class Decision(NamedTuple):
    """What is said of a joint, why nothing could be, and by what figures."""

    call: Call
    reason: Reason | None = None
    p_defect: float | None = None
    threshold: float | None = None
    operating_point: str | None = None
    quality_index: float | None = None
    grade: str | None = None


def decide(output: Output, quantisation: Quantisation, rule: Rule) -> Decision:
    """Read a model's raw output, shape (1, n) or (n,), and decide by the card's rule."""
    if isinstance(rule, GradeScale):
        return graded(reading_of(output, quantisation), rule)
    score = score_of(output, quantisation)
    call, reason = judge(score, rule)
    if call is Call.UNJUDGED:
        return Decision(call, reason)
    return Decision(call, p_defect=score.p_defect, threshold=rule.threshold, operating_point=rule.name)


def graded(quality_index: float, scale: GradeScale) -> Decision:
    """Good and the two acceptable grades are normal; what is not an index is not judged."""
    if not 0.0 <= quality_index <= 1.0:  # NaN fails this comparison, as it should
        return Decision(Call.UNJUDGED, Reason.NOT_FINITE)
    grade = grade_of(quality_index, scale.thresholds)
    call = Call.NORMAL if grade in RELEASED else Call.DEFECT
    return Decision(call, operating_point=scale.name, quality_index=quality_index, grade=grade)


def score_of(output: Output, quantisation: Quantisation) -> Score:
    """Read the defect probability out of the model's raw output, shape (1, n) or (n,)."""
    logit = reading_of(output, quantisation)
    return Score(_sigmoid(logit) if math.isfinite(logit) else math.nan)


def reading_of(output: Output, quantisation: Quantisation) -> float:
    """What the output shows: the defect logit of a thermometer, the quality index of a Sugeno head.

    One product after another in a fixed order, so equal outputs give equal readings on every machine.
    """
    info, head = quantisation.output, quantisation.head
    floats = info.dtype == "float32"
    values = output.ravel().tolist() if floats else (output.ravel().astype(np.int64) - info.zero_point).tolist()
    moved: float = sum(weight * value for weight, value in zip(weights_of(head, len(values)), values, strict=True))
    return start_of(head) + (1.0 if floats else info.scale) * moved


def start_of(head: Head) -> float:
    """The reading when all values are 0."""
    return head.consequents[0] if isinstance(head, SugenoHead) else head.low


def weights_of(head: Head, bands: int) -> Sequence[float]:
    """How far the reading moves when each of the ``bands`` values grows by 1."""
    if isinstance(head, SugenoHead):
        return [(after - before) / head.full for before, after in pairwise(head.consequents)]
    return [(head.high - head.low) / (bands * head.full)] * bands


def _sigmoid(logit: float) -> float:
    """1 / (1 + exp(-logit)), whatever the logit."""
    if logit >= 0:
        return 1.0 / (1.0 + math.exp(-logit))
    grown = math.exp(logit)
    return grown / (1.0 + grown)


def judge(score: Score, point: OperatingPoint) -> tuple[Call, Reason | None]:
    """A joint is a defect when p_defect >= threshold; what is not a probability is not judged."""
    if not 0.0 <= score.p_defect <= 1.0:  # NaN fails this comparison, as it should
        return Call.UNJUDGED, Reason.NOT_FINITE
    return (Call.DEFECT if score.p_defect >= point.threshold else Call.NORMAL), None


def supported(joint_type: str, card_types: Sequence[str]) -> bool:
    """Was the model made for this type of joint? Compared without regard to case."""
    return joint_type.casefold() in {known.casefold() for known in card_types}
