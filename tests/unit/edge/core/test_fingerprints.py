from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.core.fingerprints import fingerprint

rng = np.random.default_rng(4)
GREY = rng.integers(0, 256, (70, 90)).astype(np.uint8)


def test_the_same_picture_is_known_in_either_polarity() -> None:
    assert fingerprint(GREY, "solder_dark") == fingerprint(GREY.copy(), "solder_dark")
    assert fingerprint(255 - GREY, "solder_bright") == fingerprint(GREY, "solder_dark")
    assert fingerprint(GREY, "solder_bright") != fingerprint(GREY, "solder_dark")


@given(st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_a_little_noise_makes_another_picture(levels: int, seed: int) -> None:
    noise = np.random.default_rng(seed).integers(-levels, levels + 1, GREY.shape)
    other = np.clip(GREY.astype(np.int64) + noise, 0, 255).astype(np.uint8)
    assert fingerprint(other, "solder_dark") != fingerprint(GREY, "solder_dark")


def test_size_counts_and_what_shows_nothing_has_none() -> None:
    assert fingerprint(GREY[:69], "solder_dark") != fingerprint(GREY, "solder_dark")
    assert fingerprint(np.full((70, 90), 17, np.uint8), "solder_dark") is None
    labelled = np.zeros((700, 900), np.uint8)
    labelled[660:690, 20:300] = GREY.max()  # a scale bar on a slice that was not exposed
    assert fingerprint(labelled, "solder_dark") is None


@given(st.floats(0.85, 0.95), st.booleans(), st.integers(0, 2**32 - 1))
def test_what_nine_tenths_of_the_pixels_share_decides(share: float, gathered: bool, seed: int) -> None:
    shuffler = np.random.default_rng(seed)
    sampled = np.full(40 * 50, 200, np.uint8)
    others = sampled.size - round(share * sampled.size)
    sampled[:others] = np.arange(others) % 199
    grey = np.zeros((280, 350), np.uint8)
    grey[::7, ::7] = (sampled if gathered else shuffler.permutation(sampled)).reshape(40, 50)
    assert (fingerprint(grey, "solder_dark") is None) == (others < 0.1 * sampled.size)
