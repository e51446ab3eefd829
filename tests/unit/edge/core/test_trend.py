"""The control chart of the quality index: quiet while nothing moves, soon heard when something does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.core.trend import FIRST, Trend


def run(samples: np.ndarray) -> list[Trend]:
    trend, seen = Trend(), []
    for sample in samples.tolist():
        trend = trend.after(sample)
        seen.append(trend)
    return seen


@given(st.lists(st.floats(0, 1), min_size=FIRST, max_size=FIRST))
def test_usual_and_scatter_are_those_of_the_first_samples(samples: list[float]) -> None:
    trend = run(np.array(samples))[-1]
    assert trend.usual == pytest.approx(np.mean(samples), abs=1e-12)
    assert trend.squares == pytest.approx(np.var(samples) * FIRST, abs=1e-12)


def test_there_are_no_limits_before_the_usual_is_known() -> None:
    assert all(chart.limits is None and not chart.drifting for chart in run(np.linspace(0, 1, FIRST - 1)))


def test_a_steady_line_is_seldom_called_drifting() -> None:
    """200 lines of 500 views each: measured 6 of them; the textbook's limit of 3 calls 150."""
    lines = [run(np.random.default_rng(seed).normal(0.5, 0.02, 500)) for seed in range(200)]
    assert sum(any(chart.drifting for chart in line) for line in lines) < 20


def test_a_shift_of_two_scatters_is_seen_within_thirty_views() -> None:
    for seed in range(50):
        rng = np.random.default_rng(seed)
        line = run(np.concatenate([rng.normal(0.5, 0.02, 100), rng.normal(0.46, 0.02, 30)]))
        assert any(chart.drifting for chart in line[100:]), seed
