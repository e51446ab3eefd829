from __future__ import annotations

from functools import cache

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.core.features import FeatureSpec, encode, fitted, levels_of, measure
from edge.core.fillet import FEATURES, stretched, wavelet_energies
from edge.core.job import Roi
from edge.core.preprocess import PreprocessSpec, prepare

SPEC = FeatureSpec()
SIDE = 256
"""Pixels of a drawn joint's side, well above the crop's 64."""
FILLETS = st.floats(0.1, 0.9)
GEOMETRY = [feature.meaning.startswith("geometry") for feature in FEATURES]


def drawn(
    fillet: float, side: int = SIDE, down: float = 0.0, right: float = 0.0, wide: float = 1.0, shine: float = 1.0
) -> NDArray[np.uint8]:
    """A lead on its pad with a toe fillet of this extent, in the middle of a frame three sides wide.

    ``down`` and ``right`` move it, in shares of the side; ``wide`` and ``shine`` tell one product from another.
    """
    place = (np.arange(3 * side) + 0.5) / side - 1
    y, x = place[:, None] - down, np.abs(place[None, :] - right - 0.5) / wide

    def inside(distance: NDArray[np.float64]) -> NDArray[np.float64]:
        """1 where positive, with a soft edge as a lens makes it."""
        return np.clip(0.5 + distance / 0.02, 0, 1)

    pad = inside(0.18 - x) * inside(y - 0.06) * inside(0.94 - y)
    lead = inside(0.11 - x) * inside(0.60 - y)
    solder = inside(0.15 - x) * inside(y - 0.62) * inside(0.62 + 0.3 * fillet - y)
    light = 35 + 75 * pad + 60 * shine * solder * (1 - (y - 0.62))
    light = light * (1 - lead) + 190 * lead * inside(y - 0.1) + 70 * lead * (1 - inside(y - 0.1))
    return np.rint(light).astype(np.uint8)


def crop(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The middle third of a frame, as the device cuts and resamples it."""
    side = len(image) // 3
    cut = PreprocessSpec(size=SPEC.size, channels=1, margin=SPEC.margin)
    return prepare(cut, {0: image}, Roi(side, side, 2 * side, 2 * side))[..., 0]


@cache
def trained() -> FeatureSpec:
    """Ranges of drawn joints of all extents and many products, somewhat out of place."""
    rng = np.random.default_rng(0)
    images = [
        drawn(rng.random(), 128, *rng.normal(0, 0.02, 2), rng.uniform(0.85, 1.2), rng.uniform(0.3, 1.7))
        for _ in range(100)
    ]
    return fitted(SPEC, np.stack([measure(SPEC, crop(image)) for image in images]))


def levels(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Levels of a crop, not rounded and not clipped, so that every change shows."""
    low, high = np.array(trained().ranges).T
    return (measure(SPEC, image) - low) / (high - low) * 255


def change(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Root mean square change over all features, in levels."""
    return float(np.sqrt(np.mean((levels(one) - levels(other)) ** 2)))


@given(FILLETS, st.floats(0.5, 1.2), st.floats(0, 1))
def test_brightness_and_contrast_cancel(fillet: float, contrast: float, share: float) -> None:
    """Measured: at most 4 levels, from rounding to 8 bits; without the stretching several hundred."""
    image = crop(drawn(fillet, 128))
    room = 250 - contrast * float(image.max())
    other = np.rint(contrast * image + share * room).astype(np.uint8)
    assert change(image, other) < 8


def test_without_stretching_brightness_would_not_cancel() -> None:
    image = crop(drawn(0.5, 128))
    darker = np.rint(0.6 * image).astype(np.uint8)
    assert np.abs(stretched(image) - stretched(darker)).max() < 0.02
    assert np.abs(image.astype(float) - darker).max() / 255 > 0.25


@given(FILLETS, st.floats(-0.02, 0.02), st.floats(-0.02, 0.02))
def test_a_small_shift_changes_little(fillet: float, down: float, right: float) -> None:
    """Measured: at most 44 levels, half of them below 18; three times that far it is 130, out of a range of 255."""
    assert change(crop(drawn(fillet, 128)), crop(drawn(fillet, 128, down, right))) < 60


@given(FILLETS, st.integers(64, 256))
def test_scale_cancels(fillet: float, side: int) -> None:
    """Measured: at most 6 levels, from sampling."""
    assert change(crop(drawn(fillet)), crop(drawn(fillet, side))) < 12


def test_a_different_fillet_changes_more_than_the_camera_does() -> None:
    """Measured: 51 levels; brightness and scale change less than 8 and 12."""
    assert change(crop(drawn(0.3)), crop(drawn(0.7))) > 30


@given(st.integers(0, 2**32 - 1), st.integers(0, 255), st.integers(0, 255))
def test_features_of_any_image_are_finite_and_their_levels_fit_8_bits(seed: int, low: int, high: int) -> None:
    low, high = sorted((low, high))
    image = np.random.default_rng(seed).integers(low, high + 1, (64, 64)).astype(np.uint8)
    values = measure(SPEC, image)
    assert values.shape == (len(FEATURES),)
    assert values.dtype == np.float64
    assert np.isfinite(values).all()
    encoded = encode(trained(), values)
    assert encoded.shape == (1, 1, len(FEATURES))
    assert encoded.dtype == np.uint8


def test_the_ends_of_the_range_are_0_and_255_and_halves_round_up() -> None:
    spec = FeatureSpec(ranges=((0.0, 255.0),) * 5)
    assert levels_of(spec, np.array([-7.0, 0.0, 0.5, 255.0, 300.0])).tolist() == [0, 0, 1, 255, 255]


def test_fitted_ranges_hold_almost_all_training_values_even_of_a_constant_feature() -> None:
    values = np.random.default_rng(0).normal(size=(1000, 3)) * [1.0, 50.0, 0.0]
    spec = fitted(SPEC, values)
    encoded = levels_of(spec, values)
    assert ((encoded > 0) & (encoded < 255)).mean(axis=0).min() > 0.985
    assert len(set(encoded[:, 2].tolist())) == 1


def test_values_need_a_range_each_and_images_the_right_shape() -> None:
    with pytest.raises(ValueError, match="ranges"):
        encode(SPEC, np.zeros(len(FEATURES)))
    with pytest.raises(ValueError, match="takes uint8"):
        measure(SPEC, np.zeros((32, 64), np.uint8))


def test_the_spec_survives_json_and_names_its_algorithm() -> None:
    text = msgspec.json.encode(trained())
    assert b'"algorithm":"fillet-features/1"' in text
    assert msgspec.json.decode(text, type=FeatureSpec) == trained()


def test_feature_names_are_unique() -> None:
    names = [feature.name for feature in FEATURES]
    assert len(set(names)) == len(names)


@given(st.integers(0, 2**32 - 1))
def test_haar_energies_keep_parsevals_law(seed: int) -> None:
    """All detail energies and that of the means of 8 x 8 blocks add up to the image's."""
    image = np.random.default_rng(seed).random((32, 16))
    means = image.reshape(4, 8, 2, 8).mean(axis=(1, 3))
    total = wavelet_energies(image, SPEC.wavelet, SPEC.levels).sum() + np.mean(means**2)
    assert total == pytest.approx(np.mean(image**2), rel=1e-12)


def test_haar_energies_of_one_level_by_hand() -> None:
    """Of every 2 x 2 block ((a, b), (c, d)): the halved differences of rows, of columns, and across."""
    image = np.random.default_rng(3).random((16, 16))
    a, b, c, d = image[0::2, 0::2], image[0::2, 1::2], image[1::2, 0::2], image[1::2, 1::2]
    by_hand = [np.sum((q / 2) ** 2) / 256 for q in (a + b - c - d, a - b + c - d, a - b - c + d)]
    assert wavelet_energies(image, SPEC.wavelet, SPEC.levels)[0] == pytest.approx(by_hand, rel=1e-12)
