"""Metrics of a binary decision, pure functions. Positive = defect = 1; a joint is called when score >= threshold."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from edge.core.card import Rate

Scores = NDArray[np.float64]
Labels = NDArray[np.int64]


def auroc(scores: Scores, labels: Labels) -> float:
    """Area under the ROC: the probability that a random defect scores above a random normal, ties counting half.

    NaN when one of the classes is empty.
    """
    positives, negatives = int(labels.sum()), int((1 - labels).sum())
    if not positives or not negatives:
        return math.nan
    ranks = stats.rankdata(scores)
    return float((ranks[labels == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def rate(hits: int, total: int, confidence: float = 0.95) -> Rate:
    """A proportion with its two-sided Clopper-Pearson interval; ``total`` must be positive."""
    tail = (1 - confidence) / 2
    low = float(stats.beta.ppf(tail, hits, total - hits + 1)) if hits else 0.0
    high = float(stats.beta.ppf(1 - tail, hits + 1, total - hits)) if hits < total else 1.0
    return Rate(value=hits / total, low=low, high=high, hits=hits, total=total)


class Outcome(NamedTuple):
    """Recall and false positive rate at a threshold."""

    threshold: float
    recall: Rate
    false_positive_rate: Rate


def outcome_at(scores: Scores, labels: Labels, threshold: float) -> Outcome:
    """Both rates; both classes must be there."""
    called = scores >= threshold
    defects, normals = labels == 1, labels == 0
    return Outcome(
        threshold,
        rate(int((called & defects).sum()), int(defects.sum())),
        rate(int((called & normals).sum()), int(normals.sum())),
    )


def threshold_for_recall(scores: Scores, labels: Labels, recall: float) -> float:
    """The highest threshold at which at least this share of the defects is called."""
    defects = np.sort(scores[labels == 1])[::-1]
    if not len(defects):
        raise ValueError("no defect to choose a threshold on")
    return float(defects[max(1, math.ceil(recall * len(defects) - 1e-9)) - 1])


def flipped(before: Scores, after: Scores, threshold: float) -> NDArray[np.int64]:
    """Positions whose decision differs between two models at one threshold."""
    return np.flatnonzero((before >= threshold) != (after >= threshold))
