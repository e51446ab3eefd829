"""From a model's output to a decision. Doubt goes to the specialist; nothing is normal by default."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.core.card import OperatingPoint, Quantisation
from edge.core.verdict import Call, Reason, Score

Output = NDArray[np.uint8] | NDArray[np.int8] | NDArray[np.float32]


def score_of(output: Output, quantisation: Quantisation) -> Score:
    """Read the defect probability out of the model's raw output, shape (1, n) or (n,)."""
    logit = logit_of(output, quantisation)
    return Score(_sigmoid(logit) if math.isfinite(logit) else math.nan)


def logit_of(output: Output, quantisation: Quantisation) -> float:
    """The defect logit that the thermometer shows.

    Integer outputs are summed as integers, so equal outputs give equal scores on every machine.
    """
    info, head = quantisation.output, quantisation.head
    bands = output.size
    if info.dtype == "float32":
        filled = float(np.sum(output, dtype=np.float64))
    else:
        levels = int(np.sum(output, dtype=np.int64)) - bands * info.zero_point
        filled = levels * info.scale
    return head.low + (head.high - head.low) * filled / (bands * head.full)


def _sigmoid(logit: float) -> float:
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
