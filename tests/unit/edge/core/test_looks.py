"""Small pictures of views, and how they are laid over each other and compared."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.core.looks import (
    INNER,
    SIDE,
    Level,
    Look,
    Shift,
    blended,
    inner,
    shift_of,
    shifted_back,
    shifted_exactly,
)
from edge.core.mistakes import periods_of
from edge.core.template import RIM, Expected, Rivals, Template, correlation
from edge.judging.look import look_of
from tests.support.views import as_stored


@pytest.mark.parametrize("shift", [(0.0, 0.0), (3.0, -2.0), (1.5, 0.5), (-4.25, 2.75)])
def test_a_shift_is_found_to_a_tenth_of_a_pixel(shift: tuple[float, float]) -> None:
    rng = np.random.default_rng(11)
    large = cv2.GaussianBlur(rng.normal(size=(SIDE + 32, SIDE + 32)).astype(np.float32), (0, 0), 3)
    rows, columns = np.mgrid[16 : SIDE + 16, 16 : SIDE + 16].astype(np.float32)
    there = cv2.remap(large, columns, rows, cv2.INTER_CUBIC)
    moved = cv2.remap(large, columns - shift[1], rows - shift[0], cv2.INTER_CUBIC)
    found = shift_of(moved, inner(there))
    assert found == pytest.approx(Shift(*shift), abs=0.1)
    back = shifted_back(moved[None], found)[0]
    assert np.corrcoef(back.ravel(), inner(there).ravel())[0, 1] > 0.99


def test_moving_back_as_a_series_loses_nothing() -> None:
    rng = np.random.default_rng(12)
    picture = inner(cv2.GaussianBlur(rng.normal(size=(SIDE, SIDE)).astype(np.float32), (0, 0), 1.5))
    there = shifted_exactly(shifted_exactly(picture[None], Shift(0.5, -0.5)), Shift(-0.5, 0.5))[0]
    middle = (slice(8, -8), slice(8, -8))
    assert np.corrcoef(there[middle].ravel(), picture[middle].ravel())[0, 1] > 0.999


def test_what_is_laid_over_is_not_softened() -> None:
    """A mistake's mean that was softer than every board would always be less likely than the right one."""
    rng = np.random.default_rng(16)
    right = inner(cv2.GaussianBlur(rng.normal(size=(SIDE, SIDE)).astype(np.float32), (0, 0), 1.0))[None]
    template = Template(Expected(right, np.ones_like(right)), np.ones_like(right), frame=(100, 120))
    laid = template.laid_over(Expected(shifted_exactly(right, Shift(0.5, -0.5)), np.ones_like(right)))
    assert laid.means[RIM].std() > 0.97 * right[RIM].std()
    assert correlation(laid.means[RIM], right[RIM]) > 0.99


def test_a_mistake_counts_as_much_against_wrong_pictures_as_for_right_ones() -> None:
    """Where joints vary right pictures are given little weight; after the mistake joints lie where nothing varied."""
    rng, shape = np.random.default_rng(17), (1, INNER, INNER)
    right, wrong = (0.1 * rng.normal(size=shape).astype(np.float32) for _ in range(2))
    steady = np.where(np.arange(INNER) % 16 < 8, 0.3, 3.0).astype(np.float32) * np.ones(shape, np.float32)
    spreads = (steady, np.roll(steady, 8, axis=-1))
    own, other = (Expected(means, spread**-2) for means, spread in zip((right, wrong), spreads, strict=True))
    rivals = Rivals(own, [other])
    margins = [
        [float(rivals.margins(means + spread * rng.normal(size=shape).astype(np.float32))[0]) for _ in range(40)]
        for means, spread in zip((right, wrong), spreads, strict=True)
    ]
    for_right, against_wrong = np.mean(margins, axis=1)
    assert for_right > 0.05
    assert -against_wrong > 0.7 * for_right


@pytest.mark.parametrize("shape", [(1024, 1024), (1000, 1200), (300, 250), (200, 190), (90, 80)])
def test_a_turned_picture_has_a_turned_look(shape: tuple[int, int]) -> None:
    """Whatever the frame measures."""
    rng = np.random.default_rng(13)
    grey = as_stored(128 + 40 * cv2.GaussianBlur(rng.normal(size=shape), (0, 0), max(0.4, min(shape) / 400)))
    look, turned = (look_of({0: np.ascontiguousarray(each)}, "solder_dark") for each in (grey, grey[::-1, ::-1]))
    back = turned.seen()[:, ::-1, ::-1]
    over = shifted_back(np.ascontiguousarray(back), shift_of(blended(back), blended(inner(look.seen()))))
    assert correlation(over, inner(look.seen())) > 0.99


def test_what_a_grid_repeats_itself_by_is_found_in_all_directions() -> None:
    rows, columns = np.mgrid[:INNER, :INNER]
    grid = (np.cos(2 * np.pi * rows / 21) + np.cos(2 * np.pi * columns / 17)).astype(np.float32)
    found = periods_of(grid)
    assert {(0, 17), (0, -17), (21, 0), (-21, 0), (21, 17), (-21, -17)} <= set(found)
    assert periods_of(np.random.default_rng(14).normal(size=(INNER, INNER)).astype(np.float32)) == ()
    assert periods_of(np.zeros((INNER, INNER), np.float32)) == ()


@pytest.mark.parametrize("size", [384, 1024])
def test_the_grain_of_a_grid_does_not_hang_on_where_it_lies(size: int) -> None:
    """Rows at even distances would all lie on its joints, or all between them."""
    step = size // 32
    grid = np.full((size + step, size + step), 180, np.uint8)
    for middle in np.ndindex(34, 34):
        cv2.circle(grid, tuple(part * step for part in middle), step // 3, (80,), -1)
    cut = [np.ascontiguousarray(grid[down : down + size, :size]) for down in range(0, step, max(1, step // 8))]
    grains = [look_of({0: one}, "solder_dark").levels[0].grain for one in cut]
    assert max(grains) - min(grains) < 1


def test_a_look_of_another_size_cannot_be_read() -> None:
    """As a version with other small pictures wrote it down."""
    with pytest.raises(ValueError, match="another size"):
        Look((64, 64), (Level(1, 1, 1, 1),), bytes(128 * 128))
