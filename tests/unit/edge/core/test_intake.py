"""What is asked of a joint before a model sees it."""

from __future__ import annotations

from collections.abc import Iterable

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convert.networks.neurofuzzy import spec_of
from convert.shipped.paths import QUALITY_MODEL
from convert.simulator.optical.board_type import optical_type
from convert.simulator.optical.view import OpticalView, simulate_optical_view
from edge.core.features import FeatureSpec
from edge.core.job import Roi
from edge.core.preprocess import PreprocessSpec, contrasts, luminance
from edge.core.verdict import Reason


@given(seed=st.integers(0, 999), channels=st.integers(1, 6))
def test_contrast_is_what_each_channel_spans(seed: int, channels: int) -> None:
    rng = np.random.default_rng(seed)
    low, width = rng.integers(0, 128, channels), rng.integers(1, 128, channels)
    patch = (low + rng.integers(0, width, (16, 16, channels))).astype(np.uint8)
    np.testing.assert_array_equal(contrasts(patch), np.ptp(patch, axis=(0, 1)))


def trained_spec() -> FeatureSpec:
    """Of the shipped network: what real work meets."""
    return spec_of(keras.models.load_model(QUALITY_MODEL))


SPEC = trained_spec()
KIND = optical_type(7, 900)


def view(*solder: float) -> OpticalView:
    return simulate_optical_view(KIND, solder, np.random.default_rng(5))


def doubts(pictures: Iterable[np.ndarray], boxes: Iterable[Roi]) -> list[Reason | None]:
    return [SPEC.prepared({0: picture}, box).doubt for picture, box in zip(pictures, boxes, strict=True)]


SEEN = view(*np.linspace(0.02, 0.98, 12))
GREY = SEEN.image if SEEN.image.ndim == 2 else luminance(SEEN.image)
BOXES = [joint.roi for joint in SEEN.joints]


def test_joints_of_every_amount_of_solder_on_an_unseen_board_are_familiar() -> None:
    assert doubts([GREY] * len(BOXES), BOXES) == [None] * len(BOXES)


@pytest.mark.parametrize("level", [0, 30, 128, 250])
@pytest.mark.parametrize("noise", [0.0, 0.7, 2.0, 5.0])
def test_a_frame_that_was_not_exposed_is_blank_whatever_the_camera_noise(level: int, noise: float) -> None:
    rng = np.random.default_rng(1)
    frame = np.clip(np.rint(level + noise * rng.normal(size=GREY.shape)), 0, 255).astype(np.uint8)
    frame[40, 40] = 255  # a hot pixel is no contrast
    assert set(doubts([frame] * len(BOXES), BOXES)) == {Reason.SLICE_BLANK}


def turned(quarters: int) -> tuple[np.ndarray, list[Roi]]:
    """The same joints as a camera sees them that stands on another side of the package."""
    height, width = GREY.shape
    one = {
        1: lambda roi: Roi(roi.ymin, width - roi.xmax, roi.ymax, width - roi.xmin),
        3: lambda roi: Roi(height - roi.ymax, roi.xmin, height - roi.ymin, roi.xmax),
    }[quarters]
    return np.ascontiguousarray(np.rot90(GREY, quarters)), [one(roi) for roi in BOXES]


@pytest.mark.parametrize("quarters", [1, 3])
def test_joints_whose_toes_point_sideways_are_not_judged(quarters: int) -> None:
    picture, boxes = turned(quarters)
    assert set(doubts([picture] * len(boxes), boxes)) == {Reason.UNFAMILIAR}


def test_noise_ramps_and_negatives_are_not_judged() -> None:
    height, width = GREY.shape
    noise = np.random.default_rng(2).integers(0, 256, GREY.shape).astype(np.uint8)
    across = np.broadcast_to(np.arange(width) * 5 % 256, GREY.shape).astype(np.uint8)
    down = np.broadcast_to((np.arange(height) * 5 % 256)[:, np.newaxis], GREY.shape).astype(np.uint8)
    for picture in (noise, across, down, 255 - GREY):
        assert None not in doubts([picture] * len(BOXES), BOXES)


def test_a_joint_of_a_few_pixels_is_not_judged() -> None:
    middle = BOXES[0]
    box = Roi(middle.xmin, middle.ymin, middle.xmin + 20, middle.ymin + 20)
    assert doubts([GREY], [box])[0] is not None


def test_an_optical_box_must_lie_in_the_frame_and_an_x_ray_box_have_its_centre_there() -> None:
    frame = np.zeros((100, 100), np.uint8)
    for spec, roi, shown in (
        (SPEC, Roi(0, 0, 100, 100), True),
        (SPEC, Roi(-1, 10, 60, 60), False),
        (SPEC, Roi(10, 60, 60, 101), False),
        (PreprocessSpec(), Roi(-10, 10, 60, 60), True),
        (PreprocessSpec(), Roi(-60, 10, 40, 60), False),
    ):
        assert spec.shows(roi, frame) is shown, (spec, roi)


@given(st.integers(0, 2**32 - 1))
def test_luminance_is_rounded_half_up_in_exact_integers(seed: int) -> None:
    colours = np.random.default_rng(seed).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    wide = colours.astype(np.int64)
    wanted = (29 * wide[..., 0] + 150 * wide[..., 1] + 77 * wide[..., 2] + 128) // 256
    np.testing.assert_array_equal(luminance(colours), wanted)
    assert luminance(np.full((1, 1, 3), 255, np.uint8))[0, 0] == 255
