"""Between logits and probabilities: the one pair of functions that everything here computes them with."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def probability(logit: float) -> float:
    """1 / (1 + exp(-logit)), whatever the logit; the same bits on every machine for the same logit."""
    if logit >= 0:
        return 1.0 / (1.0 + math.exp(-logit))
    grown = math.exp(logit)
    return grown / (1.0 + grown)


def probabilities(logits: Floats) -> Floats:
    """The same of many, to within rounding; beyond 50 either way the probability is 0 or 1 in all but name."""
    scores: Floats = 1 / (1 + np.exp(-np.clip(logits, -50, 50)))
    return scores


def together(logits: Sequence[float]) -> float:
    """ln of the sum of exp(logit): the odds of one of several things, each with its own. NaN if one is no number."""
    if not all(map(math.isfinite, logits)):
        return math.nan
    greatest = max(logits)
    return greatest + math.log(math.fsum(math.exp(logit - greatest) for logit in logits))


def logit(score: float) -> float:
    """ln(p / (1 - p)) of a probability between 0 and 1, neither of them included."""
    return math.log(score / (1 - score))


def logits(scores: Floats, end: float) -> Floats:
    """ln(p / (1 - p)) of many; nearer than ``end`` to 0 or 1 counts as ``end``."""
    inside = np.clip(scores, end, 1 - end)
    found: Floats = np.log(inside / (1 - inside))
    return found
