"""What the judge asks of a patch before the model sees it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.core.intake import contrasts


@given(seed=st.integers(0, 999), channels=st.integers(1, 6))
def test_contrast_is_what_each_channel_spans(seed: int, channels: int) -> None:
    rng = np.random.default_rng(seed)
    low, width = rng.integers(0, 128, channels), rng.integers(1, 128, channels)
    patch = (low + rng.integers(0, width, (16, 16, channels))).astype(np.uint8)
    np.testing.assert_array_equal(contrasts(patch), np.ptp(patch, axis=(0, 1)))
