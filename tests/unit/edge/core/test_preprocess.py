from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.core.job import Roi
from edge.core.preprocess import PreprocessSpec, Slices, _rounded, crop_of, prepare, to_grey8, to_polarity

SPEC = PreprocessSpec()


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width)).astype(np.uint8)


@st.composite
def boxes(draw: st.DrawFn, low: int = -80, high: int = 160) -> Roi:
    x, y = draw(st.integers(low, high)), draw(st.integers(low, high))
    return Roi(x, y, x + draw(st.integers(1, 60)), y + draw(st.integers(1, 60)))


def test_algorithm_1_by_hand() -> None:
    """ROI {412, 470, 300, 358}: centre (441, 329), crop length 1.5 x 58 = 87, corner (397.5, 285.5) -> (397, 285)."""
    assert crop_of(Roi(412, 300, 470, 358)) == (397, 285, 87)
    # A 2 x 1 box: crop length 3, corner (1 - 1.5, 0.5 - 1.5) -> (-1, -1); cells of 3/128 pixel.
    frame = np.array([[10, 20, 30], [40, 50, 60], [70, 80, 90]], np.uint8)
    patch = prepare(SPEC, {0: frame}, Roi(0, 0, 2, 1))
    crop = np.array([[0, 0, 0], [0, 10, 20], [0, 40, 50]], np.float64)
    expected = np.zeros((128, 128))
    for i in range(128):
        for j in range(128):
            for y in range(3):
                for x in range(3):
                    rows = max(0.0, min((i + 1) * 3 / 128, y + 1) - max(i * 3 / 128, y))
                    columns = max(0.0, min((j + 1) * 3 / 128, x + 1) - max(j * 3 / 128, x))
                    expected[i, j] += rows * columns * crop[y, x]
    expected /= (3 / 128) ** 2
    np.testing.assert_array_equal(patch[..., 0], np.floor(expected + 0.5 + 1e-9).astype(np.uint8))


def test_the_crop_side_rounds_to_the_nearest_and_is_never_zero() -> None:
    assert [crop_of(Roi(0, 0, n, 1)).side for n in (1, 2, 3, 4, 5)] == [2, 3, 5, 6, 8]
    assert crop_of(Roi(0, 0, 1, 1), margin=0.1).side == 1


@given(boxes())
def test_the_crop_is_centred_on_the_box(roi: Roi) -> None:
    crop = crop_of(roi)
    assert 0 <= (roi.xmin + roi.xmax) - (2 * crop.x + crop.side) <= 1
    assert 0 <= (roi.ymin + roi.ymax) - (2 * crop.y + crop.side) <= 1


@settings(deadline=None)
@given(boxes(), st.integers(30, 120), st.integers(30, 120))
def test_leaving_the_frame_equals_lying_in_a_frame_padded_with_zeros(roi: Roi, height: int, width: int) -> None:
    frame = noise(height, width)
    padded = np.pad(frame, 300)
    moved = Roi(roi.xmin + 300, roi.ymin + 300, roi.xmax + 300, roi.ymax + 300)
    np.testing.assert_array_equal(prepare(SPEC, {2: frame}, roi), prepare(SPEC, {2: padded}, moved))


@pytest.mark.parametrize(
    "roi",
    [
        Roi(-9, 40, 9, 58),
        Roi(91, 40, 109, 58),
        Roi(40, -9, 58, 9),
        Roi(40, 91, 58, 109),
        Roi(-9, -9, 9, 9),
        Roi(91, -9, 109, 9),
        Roi(-9, 91, 9, 109),
        Roi(91, 91, 109, 109),
    ],
)
def test_every_edge_and_corner_pads_with_zeros(roi: Roi) -> None:
    patch = prepare(SPEC, {0: np.full((100, 100), 200, np.uint8)}, roi)[..., 0]
    outside = np.ones((128, 128), bool)
    crop = crop_of(roi)
    rows = crop.y + (np.arange(128) + 0.5) * crop.side / 128
    columns = crop.x + (np.arange(128) + 0.5) * crop.side / 128
    outside[np.ix_((rows > 0) & (rows < 100), (columns > 0) & (columns < 100))] = False
    assert set(np.unique(patch[outside])) <= set(range(101))  # border cells may straddle the edge
    assert (patch[~outside] >= 50).all()  # a corner cell may lie in by a quarter
    assert 0.2 < outside.mean() < 0.8


def test_a_box_wholly_outside_gives_zeros() -> None:
    assert not prepare(SPEC, {0: noise(50, 50)}, Roi(500, 500, 520, 520)).any()


def test_a_gigantic_box_costs_no_gigantic_memory() -> None:
    patch = prepare(SPEC, {0: np.full((40, 40), 255, np.uint8)}, Roi(-900_000, -900_000, 900_000, 900_000))
    assert patch.shape == (128, 128, 6)


@settings(deadline=None)
@given(st.sets(st.integers(0, 5)), boxes(0, 60))
def test_slice_k_stands_in_channel_k_and_missing_slices_are_zero(present: set[int], roi: Roi) -> None:
    frames = {k: noise(90, 90, seed=k) for k in present}
    patch = prepare(SPEC, frames, roi)
    assert patch.shape == (128, 128, 6)
    assert patch.dtype == np.uint8
    for k in range(6):
        if k in present:
            np.testing.assert_array_equal(patch[..., k], prepare(SPEC, {0: frames[k]}, roi)[..., 0])
        else:
            assert not patch[..., k].any()


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 400))
def test_resampling_is_that_of_opencv_within_one_level(side: int) -> None:
    frame = noise(side, side)
    box = Roi(0, 0, side, side)
    ours = prepare(PreprocessSpec(margin=1.0), {0: frame}, box)[..., 0]
    theirs = cv2.resize(frame, (128, 128), interpolation=cv2.INTER_AREA)
    assert np.abs(ours.astype(int) - theirs).max() <= 1


@given(st.integers(1, 300), st.integers(0, 255))
def test_a_uniform_frame_stays_uniform(side: int, grey: int) -> None:
    patch = prepare(PreprocessSpec(margin=1.0), {0: np.full((300, 300), grey, np.uint8)}, Roi(0, 0, side, side))
    assert (patch[..., 0] == grey).all()


def test_slices_of_different_shape_are_an_error() -> None:
    with pytest.raises(ValueError, match="shapes"):
        prepare(SPEC, {0: noise(10, 10), 1: noise(10, 11)}, Roi(0, 0, 5, 5))


def test_sixteen_bits_map_through_the_window() -> None:
    image = np.array([[0, 1000, 1500, 2000, 65535]], np.uint16)
    assert to_grey8(image, (1000, 2000)).tolist() == [[0, 0, 128, 255, 255]]
    with pytest.raises(ValueError, match="window"):
        to_grey8(image, None)


def test_polarity_is_converted_only_where_it_differs() -> None:
    image = noise(4, 4)
    assert to_polarity(image, "solder_dark", "solder_dark") is image
    np.testing.assert_array_equal(to_polarity(image, "solder_bright", "solder_dark"), 255 - image)


def by_definition(spec: PreprocessSpec, slices: Slices, roi: Roi) -> np.ndarray:
    """Area means in Python's integers, a cell at a time."""
    crop, patch = crop_of(roi, spec.margin), np.zeros((spec.size, spec.size, spec.channels), np.uint8)
    (height, width) = next(iter(slices.values())).shape

    def overlaps(cell: int, first: int, stop: int) -> list[tuple[int, int]]:
        begin, end = cell * crop.side, (cell + 1) * crop.side
        found = ((j, min(end, (j + 1) * spec.size) - max(begin, j * spec.size)) for j in range(crop.side))
        return [(first + j, overlap) for j, overlap in found if overlap > 0 and 0 <= first + j < stop]

    for index, image in slices.items():
        for i in range(spec.size):
            for j in range(spec.size):
                parts = [(y, x, a * b) for y, a in overlaps(i, crop.y, height) for x, b in overlaps(j, crop.x, width)]
                total = sum(int(image[y, x]) * weight for y, x, weight in parts)
                patch[i, j, index] = (2 * total + crop.side**2) // (2 * crop.side**2)
    return patch


@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(-10, 30), st.integers(1, 60), st.sampled_from([1, 5, 16, 33])
)
@settings(max_examples=25)
def test_a_patch_is_what_its_definition_says_to_the_last_bit(
    height: int, width: int, at: int, box: int, size: int
) -> None:
    frames = np.random.default_rng(height * width).integers(0, 256, (2, height, width)).astype(np.uint8)
    spec, roi = PreprocessSpec(size=size), Roi(at, at // 2, at + box, at // 2 + max(1, box // 2))
    slices = {4: frames[0], 1: frames[1]}
    assert (prepare(spec, slices, roi) == by_definition(spec, slices, roi)).all()


@pytest.mark.parametrize("side", [1, 2, 3, 127, 128, 181, 182, 255, 256])
def test_means_round_half_up_also_in_single_precision(side: int) -> None:
    """At every half, one sum above it and one below, for the largest sides that single precision holds."""
    area = side * side
    halves = np.array([(2 * level + 1) * area // 2 for level in range(255)])
    sums = np.unique(np.concatenate([halves - 1, halves, halves + 1, np.arange(256) * area])).clip(0, 255 * area)
    assert sums.max() < 2**24
    expected = (2 * sums + area) // (2 * area)
    assert (_rounded(sums.astype(np.float32), area) == expected).all()
    assert (_rounded(sums.astype(np.float64), area) == expected).all()
