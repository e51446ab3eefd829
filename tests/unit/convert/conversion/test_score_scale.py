from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convert.conversion.score_scale import fitted_head
from edge.core.rules import ThermometerHead

HEAD = ThermometerHead(low=-12, high=12, full=6)


def probabilities(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))


@given(st.floats(0.8, 1.25), st.floats(-0.5, 0.5))
def test_a_straight_shift_is_undone(slope: float, offset: float) -> None:
    mine = np.linspace(-4, 4, 50)
    head = fitted_head(HEAD, probabilities(mine), probabilities(slope * mine + offset))
    assert (head.low, head.high) == pytest.approx((-12 * slope + offset, 12 * slope + offset), abs=1e-6)


def test_logits_that_hardly_vary_are_only_moved() -> None:
    mine = np.full(20, 0.3) + np.linspace(-0.01, 0.01, 20)
    head = fitted_head(HEAD, probabilities(mine), probabilities(mine[::-1] + 0.1))
    assert (head.low, head.high) == pytest.approx((-11.9, 12.1), abs=1e-6)


def test_saturated_joints_and_too_few_joints_say_nothing() -> None:
    assert fitted_head(HEAD, np.zeros(50), np.ones(50)) == HEAD
    assert fitted_head(HEAD, np.array([0.4]), np.array([0.6])) == HEAD
