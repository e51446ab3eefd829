"""Views of boards that were never made: a drawing that all boards of a type share, and pictures of single ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.core.job import Joint, Roi
from edge.core.learning import learnt
from edge.core.looks import Boxes, Sight
from edge.core.reference import Known, Reference
from edge.judging.look import look_of

SIDE = 256
SHIFTS = 3
"""Pixels by which boards lie elsewhere, each way."""
Stack = NDArray[np.float32]
"""Shape (slices, height, width)."""
Random = np.random.Generator


def drawing(seed: int, slices: int = 3) -> Stack:
    """Rows of joints, as on any board, and what is this one's own: lines and blocks. Joints look another way in each
    slice.
    """
    rng, whole = np.random.default_rng(seed), SIDE + 2 * SHIFTS
    ground = np.full((whole, whole), 190, np.float32)
    for _ in range(8):
        (x, y), (u, v) = rng.integers(0, whole, (2, 2)).tolist()
        cv2.line(ground, (x, y), (u, v), (float(rng.uniform(120, 170)),), int(rng.integers(2, 7)))
        cv2.rectangle(ground, (u, v), (u + 22, v + 12), (float(rng.uniform(110, 170)),), -1)
    stack = np.stack([ground] * slices)
    for x, y in places():
        for height in range(slices):
            middle = (x + SHIFTS + 2 * height, y + SHIFTS)
            cv2.circle(stack[height], middle, 9 + 2 * height, (90.0 - 15 * height,), -1)
    return stack


def places() -> list[tuple[int, int]]:
    """(x, y) of the joints."""
    return [(x, y) for y in (60, 130, 200) for x in (50, 110, 170, 215)]


def pictured(drawn: Stack, rng: Random, shift: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """One board of that drawing, uint8 (slices, SIDE, SIDE): somewhere near its place (or where ``shift``, down and
    across, says), a little darker or brighter, noisy.
    """
    down, across = rng.integers(-SHIFTS, SHIFTS + 1, 2) if shift is None else shift
    cut = drawn[:, SHIFTS - down : SHIFTS - down + SIDE, SHIFTS - across : SHIFTS - across + SIDE]
    return as_stored(cut * rng.normal(1, 0.04) + rng.normal(0, 4, cut.shape))


def as_stored(grey: NDArray[np.floating]) -> NDArray[np.uint8]:  # type: ignore[type-arg]  # whatever its precision
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)


def sight_of(pictures: NDArray[np.uint8], shift: tuple[int, int] = (0, 0)) -> Sight:
    """With boxes that lie ``shift`` (down, across) from where the joints should."""
    boxes = tuple((float(x + shift[1]), float(y + shift[0]), 30.0) for x, y in places())
    return Sight(
        look_of(dict(enumerate(pictures)), "solder_dark"), Boxes(tuple(f"J{n}" for n in range(len(boxes))), boxes)
    )


def sights(drawn: Stack, rng: Random, count: int) -> list[Sight]:
    """Boards of that drawing, whose boxes move with them."""
    found = []
    for _ in range(count):
        down, across = (int(part) for part in rng.integers(-SHIFTS, SHIFTS + 1, 2))
        found.append(sight_of(pictured(drawn, rng, (down, across)), (down, across)))
    return found


def reference_of(boards: Sequence[Sight], others: Mapping[str, Known] | None = None) -> Reference:
    found = learnt(boards, others).reference
    assert found is not None
    return found


def joints_of_view(view: str) -> tuple[Joint, ...]:
    rois = [Roi(x - 15, y - 15, x + 15, y + 15) for x, y in places()]
    return tuple(Joint(id=f"J{n}", type="PTH", view=view, roi=roi) for n, roi in enumerate(rois))
