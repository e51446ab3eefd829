"""Metrics of a binary decision, pure functions. Positive = defect = 1; a joint is called when score >= threshold."""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy import stats

from edge.core.logistic import logit, probability
from edge.core.rules import Rate

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


class Interval(msgspec.Struct, frozen=True):
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


def auroc_interval(scores: Scores, labels: Labels, confidence: float = 0.95) -> Interval:
    """AUROC with the interval of DeLong, DeLong and Clarke-Pearson (1988), on the logit scale.

    The variance is that of the placement values: for each defect the share of normals below it, for each normal the
    share of defects above it, from midranks (Sun and Xu 2014). The logit keeps the interval inside [0, 1]. Where
    nothing varies (all apart, all tied, a class of one) it is Clopper's and Pearson's for as many trials as the smaller
    class has joints: wide, but never empty. NaN throughout when a class is empty.
    """
    value = auroc(scores, labels)
    defects, normals = scores[labels == 1], scores[labels == 0]
    fewest = min(len(defects), len(normals))
    if not fewest:
        return Interval(value, value, value)
    ranks = stats.rankdata(np.concatenate([defects, normals]))
    above = (ranks[: len(defects)] - stats.rankdata(defects)) / len(normals)
    below = 1 - (ranks[len(defects) :] - stats.rankdata(normals)) / len(defects)
    variance = above.var(ddof=1) / len(defects) + below.var(ddof=1) / len(normals) if fewest > 1 else 0.0
    if not variance:
        bounds = rate(round(value * fewest), fewest, confidence)
        return Interval(value, min(value, bounds.low), max(value, bounds.high))
    reach = float(stats.norm.ppf((1 + confidence) / 2)) * math.sqrt(variance) / (value * (1 - value))
    middle = logit(value)
    return Interval(value, probability(middle - reach), probability(middle + reach))


def rate(hits: int, total: int, confidence: float = 0.95) -> Rate:
    """A proportion with its two-sided Clopper-Pearson interval; ``total`` must be positive."""
    tail = (1 - confidence) / 2
    low = float(stats.beta.ppf(tail, hits, total - hits + 1)) if hits else 0.0
    high = float(stats.beta.ppf(1 - tail, hits + 1, total - hits)) if hits < total else 1.0
    return Rate(value=hits / total, low=low, high=high, hits=hits, total=total)


class Outcome(msgspec.Struct, frozen=True):
    """Recall and false positive rate at a threshold."""

    threshold: float
    recall: Rate
    false_positive_rate: Rate


def outcome_at(scores: Scores, labels: Labels, threshold: float) -> Outcome:
    """Both rates; both classes must be there."""
    return Outcome(threshold, called_rate(scores[labels == 1], threshold), called_rate(scores[labels == 0], threshold))


def called_rate(scores: Scores, threshold: float) -> Rate:
    """Share of these joints, at least one, that are called a defect."""
    return rate(int((scores >= threshold).sum()), len(scores))


def threshold_for_recall(scores: Scores, labels: Labels, recall: float) -> float:
    """The highest threshold at which at least this share of the defects is called."""
    defects = np.sort(scores[labels == 1])[::-1]
    if not len(defects):
        raise ValueError("no defect to choose a threshold on")
    return float(defects[max(1, math.ceil(recall * len(defects) - 1e-9)) - 1])


def flipped(before: Scores, after: Scores, threshold: float) -> NDArray[np.int64]:
    """Positions whose decision differs between two models at one threshold."""
    return np.flatnonzero((before >= threshold) != (after >= threshold))


class RocPoint(msgspec.Struct, frozen=True):
    """One corner of a ROC: a threshold and both rates there."""

    threshold: float
    recall: float
    false_positive_rate: float


def roc(scores: Scores, labels: Labels) -> list[RocPoint]:
    """The corners of the ROC from (0, 0) to (1, 1), highest threshold first; points on a straight line are left out."""
    order = np.argsort(-scores, kind="stable")
    last_of_ties = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    defects = np.append(0, np.cumsum(labels[order])[last_of_ties])
    normals = np.append(0, np.cumsum(1 - labels[order])[last_of_ties])
    up, right = np.diff(defects), np.diff(normals)
    turns = up[:-1] * right[1:] != up[1:] * right[:-1]
    kept = np.concatenate([[0], 1 + np.flatnonzero(turns), [len(defects) - 1]])
    above_all = np.nextafter(scores[order][0], math.inf)
    thresholds = np.append(above_all, scores[order][last_of_ties])
    recall, false = defects / max(1, defects[-1]), normals / max(1, normals[-1])
    return [RocPoint(float(thresholds[i]), float(recall[i]), float(false[i])) for i in kept]


class Bin(msgspec.Struct, frozen=True):
    """Joints whose score lies in one range: their mean score, and the share of defects among them."""

    low: float
    high: float
    mean_score: float
    defects: Rate


def calibration_bins(scores: Scores, labels: Labels, bins: int = 10) -> list[Bin]:
    """Reliability: equal ranges of the score, empty ones left out."""
    found = []
    for i in range(bins):
        low, high = i / bins, (i + 1) / bins
        inside = (scores >= low) & ((scores < high) | ((scores == high) & (i == bins - 1)))
        if inside.any():
            hits = rate(int(labels[inside].sum()), int(inside.sum()))
            found.append(Bin(low, high, float(scores[inside].mean()), hits))
    return found
