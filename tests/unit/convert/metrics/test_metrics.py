from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from convert.conversion.gate import Check, require_passed
from convert.metrics.defects import (
    auroc,
    auroc_interval,
    calibration_bins,
    flipped,
    outcome_at,
    rate,
    roc,
    threshold_for_recall,
)
from edge.core.errors import GateRefused

scored = st.lists(st.tuples(st.integers(0, 8).map(lambda n: n / 8), st.integers(0, 1)), min_size=2, max_size=40).filter(
    lambda pairs: len({label for _, label in pairs}) == 2
)


def arrays(pairs: list[tuple[float, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([score for score, _ in pairs]), np.array([label for _, label in pairs], np.int64)


@given(scored)
def test_auroc_is_the_chance_that_a_defect_scores_above_a_normal(pairs: list[tuple[float, int]]) -> None:
    scores, labels = arrays(pairs)
    wins = [
        1.0 if high > low else 0.5 if high == low else 0.0
        for high in scores[labels == 1]
        for low in scores[labels == 0]
    ]
    assert auroc(scores, labels) == pytest.approx(np.mean(wins))


def test_auroc_of_one_class_is_not_a_number() -> None:
    assert math.isnan(auroc(np.array([0.1, 0.2]), np.array([1, 1])))


@given(scored, st.floats(0.05, 1.0))
def test_the_threshold_is_the_highest_that_reaches_the_recall(pairs: list[tuple[float, int]], recall: float) -> None:
    scores, labels = arrays(pairs)
    threshold = threshold_for_recall(scores, labels, recall)
    assert outcome_at(scores, labels, threshold).recall.value >= recall - 1e-9
    higher = scores[(labels == 1) & (scores > threshold)]
    if len(higher):
        assert outcome_at(scores, labels, higher.min()).recall.value < recall


def test_clopper_pearson_agrees_with_known_values() -> None:
    """0 of 10, 5 of 10 and 10 of 10 at 95 %: tabulated bounds."""
    assert rate(0, 10).high == pytest.approx(0.3085, abs=1e-4)
    assert (rate(5, 10).low, rate(5, 10).high) == pytest.approx((0.1871, 0.8129), abs=1e-4)
    assert (rate(10, 10).low, rate(10, 10).high) == pytest.approx((0.6915, 1.0), abs=1e-4)


def test_flips_are_counted_at_the_threshold() -> None:
    assert flipped(np.array([0.1, 0.5, 0.9]), np.array([0.5, 0.5, 0.4]), 0.5).tolist() == [0, 2]


def test_the_gate_names_what_is_exceeded_and_lets_nothing_unmeasured_pass() -> None:
    require_passed([Check("drop", 0.005, 0.005)])
    with pytest.raises(GateRefused, match=r"drop is 0\.006, budget 0\.005"):
        require_passed([Check("drop", 0.006, 0.005), Check("flips", 0.0, 0.01)])
    with pytest.raises(GateRefused):
        require_passed([Check("drop", math.nan, 0.005)])


def test_delongs_interval_covers_the_true_auroc_about_95_times_in_100() -> None:
    """Two normal distributions one deviation apart: AUROC = Phi(1 / sqrt 2)."""
    rng, true = np.random.default_rng(0), float(stats.norm.cdf(1 / np.sqrt(2)))
    labels = np.repeat([1, 0], [60, 140])
    covered = 0
    for _ in range(400):
        interval = auroc_interval(rng.normal(size=200) + labels, labels)
        covered += interval.low <= true <= interval.high
    assert 0.92 <= covered / 400 <= 0.98


def test_an_interval_is_wide_where_nothing_varies_and_never_empty() -> None:
    labels = np.repeat([1, 0], [20, 30])
    apart = auroc_interval(labels.astype(float), labels)
    assert apart.value == apart.high == 1.0
    assert apart.low == pytest.approx(0.025 ** (1 / 20))
    tied = auroc_interval(np.full(50, 0.3), labels)
    assert tied.low < tied.value == 0.5 < tied.high
    assert np.isnan(auroc_interval(np.array([0.9, 0.8]), np.array([1, 1])).value)


@given(seed=st.integers(0, 999), ties=st.integers(2, 50))
def test_the_area_under_the_corners_is_the_auroc(seed: int, ties: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.append(rng.integers(0, 2, 40), [0, 1])
    scores = rng.integers(0, ties, 42) / ties
    corners = roc(scores, labels)
    area = np.trapezoid if hasattr(np, "trapezoid") else np.trapz
    x, y = [corner.false_positive_rate for corner in corners], [corner.recall for corner in corners]
    assert area(y, x) == pytest.approx(auroc(scores, labels))
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)


def test_calibration_bins_hold_every_joint_once() -> None:
    scores = np.array([0.0, 0.1, 0.55, 0.99, 1.0])
    bins = calibration_bins(scores, np.array([0, 0, 1, 1, 1]))
    assert [score_bin.defects.total for score_bin in bins] == [1, 1, 1, 2]
    assert bins[-1].mean_score == pytest.approx(0.995)
