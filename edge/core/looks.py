"""How a view looks: a small picture of each slice, freed of what changes slowly across it, and how bright it is.

Two boards' pictures of one view are laid over each other by the shift at which they agree best, to fractions of a
pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

SIDE = 192
"""Pixels of a small picture, whatever the frame measures."""
STEPS = 20.0
"""Of a small picture's values in one standard deviation."""
EDGE = 12
"""Pixels that are left out on each side, so that the rest can be shifted."""
INNER = SIDE - 2 * EDGE
REACH = 7
"""How far apart, in pixels of a small picture, two boards lie at most: 3.6 % of the frame."""
Pictures = NDArray[np.float32]
"""Shape (slices, height, width)."""


class Level(NamedTuple):
    """``mean``: grey level where solder is dark; ``contrast`` and ``detail``: logarithms of the standard deviations of
    the small picture, and of what is left of it without its slow changes; ``grain``: of the mean difference of
    neighbouring pixels of the slice itself, which blur and noise change first.
    """

    mean: float
    contrast: float
    detail: float
    grain: float


class Look(Struct, frozen=True, array_like=True):
    """``frame``: pixels (height, width) of the slices; ``pictures``: int8 (slices, SIDE, SIDE), in ``STEPS``."""

    frame: tuple[int, int]
    levels: tuple[Level, ...]
    pictures: bytes

    def __post_init__(self) -> None:
        """Raises ValueError where it is not a picture for each level, as where another version made it."""
        if len(self.pictures) != self.slices * SIDE * SIDE:
            raise ValueError("a look whose pictures are of another size")

    @property
    def slices(self) -> int:
        return len(self.levels)

    @property
    def form(self) -> tuple[int, int, int]:
        """What two looks must share to be compared at all: height, width and number of slices."""
        return *self.frame, self.slices

    def seen(self) -> Pictures:
        """In standard deviations."""
        steps = np.frombuffer(self.pictures, np.int8).reshape(-1, SIDE, SIDE)
        return steps.astype(np.float32) / np.float32(STEPS)


class Boxes(Struct, frozen=True, array_like=True):
    """Of a view's joints, in the same order: their ids, and (x, y) of the middle and the mean side, in pixels."""

    joints: tuple[str, ...]
    places: tuple[tuple[float, float, float], ...]


class Sight(Struct, frozen=True, array_like=True):
    """A view of a board as it was seen, and where its joints' boxes lay."""

    look: Look
    boxes: Boxes


class Shift(NamedTuple):
    """In pixels of a small picture, down and across."""

    down: float
    across: float


def blended(pictures: Pictures) -> Pictures:
    """All slices in one picture, shape (height, width)."""
    mean: Pictures = pictures.mean(axis=0, dtype=np.float32)
    return mean


def inner(pictures: Pictures) -> Pictures:
    """Without the edges."""
    return pictures[..., EDGE:-EDGE, EDGE:-EDGE]


def padded(pictures: Pictures) -> Pictures:
    """Inner parts with empty edges."""
    return np.pad(pictures, ((0, 0), (EDGE, EDGE), (EDGE, EDGE)))


def shift_of(picture: Pictures, against: Pictures) -> Shift:
    """By how much ``picture`` (SIDE, SIDE) is shifted against the inner part of another, ``against`` (INNER, INNER)."""
    whole = np.zeros((SIDE, SIDE), np.float32)
    whole[EDGE:-EDGE, EDGE:-EDGE] = against
    found = np.fft.irfft2(np.conj(np.fft.rfft2(whole)) * np.fft.rfft2(picture), (SIDE, SIDE))
    near = np.roll(found, (REACH, REACH), axis=(0, 1))[: 2 * REACH + 1, : 2 * REACH + 1]
    row, column = np.unravel_index(int(near.argmax()), near.shape)
    down, across = _peak(near[:, column], int(row)), _peak(near[row], int(column))
    return Shift(down - REACH, across - REACH)


def _peak(values: Sequence[float] | NDArray[np.float64], place: int) -> float:
    """Of a parabola through the greatest value and its neighbours."""
    if place in {0, len(values) - 1}:
        return float(place)
    before, there, after = (float(values[place + step]) for step in (-1, 0, 1))
    bend = before - 2 * there + after
    return place + (0.5 * (before - after) / bend if bend < 0 else 0.0)


def shifted_exactly(pictures: Pictures, shift: Shift) -> Pictures:
    """Inner parts (slices, INNER, INNER), moved back by ``shift`` without loss between pixels, as Fourier series;
    mirrored at the edges.
    """
    whole = np.pad(pictures, ((0, 0), (EDGE, EDGE), (EDGE, EDGE)), mode="reflect")
    waves = np.fft.fftfreq(SIDE)[:, None] * shift.down + np.fft.rfftfreq(SIDE) * shift.across
    moved = np.fft.irfft2(np.fft.rfft2(whole) * np.exp(2j * np.pi * waves), (SIDE, SIDE))
    return inner(moved.astype(np.float32))


def shifted_back(pictures: Pictures, shift: Shift) -> Pictures:
    """The inner part of pictures (slices, SIDE, SIDE), once they are moved back by ``shift``; between pixels it is
    interpolated.
    """
    down, across = int(np.floor(shift.down)), int(np.floor(shift.across))
    low, right = np.float32(shift.down - down), np.float32(shift.across - across)
    rows = pictures[:, EDGE + down : EDGE + down + INNER + 1, EDGE + across : EDGE + across + INNER + 1]
    upright = rows[:, :-1] + low * (rows[:, 1:] - rows[:, :-1])
    found: Pictures = upright[..., :-1] + right * (upright[..., 1:] - upright[..., :-1])
    return found
