"""What augmentation may do to a joint, and what it may not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from convert.training.augmentation import TURNS_ONLY, WRONG_BOXES_AND_LIGHT, Augmentation, augmented

SIZE, SLICES = 32, 6


def disc(radius: float = 8.0) -> NDArray[np.uint8]:
    """A dark disc in the middle of five grey slices; the sixth holds nothing."""
    rows, columns = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    patch = np.where(rows**2 + columns**2 < radius**2, 60, 180).astype(np.uint8)
    return np.stack([patch] * (SLICES - 1) + [np.zeros_like(patch)], axis=-1)


def changed(limits: Augmentation, seed: int, patch: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return augmented(patch[np.newaxis], limits, np.random.default_rng(seed))[0]


@given(st.integers(0, 2**16))
def test_turns_alone_are_the_eight_symmetries_of_the_square(seed: int) -> None:
    patch = np.random.default_rng(seed).integers(0, 256, (SIZE, SIZE, SLICES), np.uint8)
    found = changed(TURNS_ONLY, seed, patch)
    turned = [np.rot90(patch, turn) for turn in range(4)]
    assert any(np.array_equal(found, one) for one in (*turned, *(one[:, ::-1] for one in turned)))


def test_every_symmetry_comes_up() -> None:
    patch = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, SLICES), np.uint8)
    assert len({changed(TURNS_ONLY, seed, patch).tobytes() for seed in range(100)}) == 8


@given(st.integers(0, 2**16))
def test_an_empty_slice_stays_empty_and_what_is_there_stays_there(seed: int) -> None:
    found = changed(WRONG_BOXES_AND_LIGHT, seed, disc())
    assert (found.dtype, found.shape) == (np.uint8, (SIZE, SIZE, SLICES))
    assert not found[..., SLICES - 1].any()
    held = [slice_ for slice_ in range(SLICES) if found[..., slice_].any()]
    assert len(held) in {SLICES - 2, SLICES - 1}
    assert all(found[..., slice_].min() > 0 for slice_ in held)


def test_the_same_seed_gives_the_same_joint() -> None:
    assert np.array_equal(changed(WRONG_BOXES_AND_LIGHT, 5, disc()), changed(WRONG_BOXES_AND_LIGHT, 5, disc()))


@pytest.mark.parametrize(("scale", "wanted"), [(0.8, 1 / 0.64), (1.25, 0.64)])
def test_a_box_too_large_shows_the_joint_smaller(scale: float, wanted: float) -> None:
    limits = Augmentation(scale=(scale, scale))
    dark = [int((patch[..., 0] < 120).sum()) for patch in (disc(), changed(limits, 1, disc()))]
    assert dark[1] / dark[0] == pytest.approx(wanted, rel=0.1)


@given(st.integers(0, 2**16))
def test_a_shifted_box_moves_the_joint_no_further_than_it_may(seed: int) -> None:
    found = changed(Augmentation(shift=0.1), seed, disc())
    rows, columns = np.nonzero(found[..., 0] < 120)
    middle = np.array([rows.mean(), columns.mean()]) - (SIZE - 1) / 2
    assert np.abs(middle).max() <= 0.1 * SIZE + 0.5


@given(st.integers(0, 2**16))
def test_a_lost_slice_leaves_at_least_two(seed: int) -> None:
    two = disc()
    two[..., 2:] = 0
    assert changed(Augmentation(slice_loss=1.0), seed, two)[..., :2].all()
    lost = changed(Augmentation(slice_loss=1.0), seed, disc())
    assert sum(bool(lost[..., slice_].any()) for slice_ in range(SLICES)) == SLICES - 2
