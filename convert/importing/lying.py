"""Do boxes lie on joints, as far as pictures can tell? On what is darker than its surroundings, or brighter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.core.job import Polarity, Roi
from edge.core.preprocess import Grey

_ENOUGH = 20
"""Boxes that tell."""
_PLAINLY, _FAR_MORE, _NEARLY_ALL = 1.5, 3.0, 0.9
_AS_GOOD = 0.85
_STEPS = 32
"""Boxes are tried at so many steps of a quarter of their side each way."""
_TRIED_PICTURES, _TRIED_BOXES = 8, 40
_INSIDE = 0.8
"""The share of boxes that must lie in their pictures, where they are tried elsewhere."""
Boxes = NDArray[np.int64]
Shifts = NDArray[np.int64]


class Doubt(NamedTuple):
    """``grave``: nobody should go on."""

    text: str
    grave: bool


class OnSomething:
    """Gathers what pictures say of boxes: as they are, counted from below, and shifted."""

    def __init__(self) -> None:
        self._boxes, self._there, self._mirrored = 0, 0.0, 0.0
        self._ways: dict[str, tuple[int, int]] = {}
        """By board type, joints whose solder comes out darker and brighter than what is round it."""
        self._tried, self._shifts = 0, np.zeros((0, 2), np.int64)
        self._total, self._count = np.zeros(0), np.zeros(0)

    def add(self, grey: Grey, rois: Sequence[Roi], polarity: Polarity, board_type: str = "") -> None:
        """Boxes that an export gave, on one picture (height, width) of a board of that type."""
        if not rois:
            return
        sums = _integral(grey)
        boxes = np.clip(np.array(rois, np.int64), 0, [grey.shape[1], grey.shape[0]] * 2)
        mirrored = boxes.copy()
        mirrored[:, 1], mirrored[:, 3] = grey.shape[0] - boxes[:, 3], grey.shape[0] - boxes[:, 1]
        self._boxes += len(boxes)
        contrasts = _contrasts(sums, boxes)
        self._there += float(np.abs(contrasts).sum())
        self._mirrored += float(np.abs(_contrasts(sums, mirrored)).sum())
        self._add_polarity(contrasts, polarity, board_type)
        if self._tried < _TRIED_PICTURES:
            self._tried += 1
            self._try_elsewhere(sums, boxes[:: -(-len(boxes) // _TRIED_BOXES)])

    def add_whole(self, grey: Grey, roi: Roi, polarity: Polarity, board_type: str = "") -> None:
        """A picture that is cut out round its joint."""
        self._add_polarity(_contrasts(_integral(grey), np.array([roi], np.int64)), polarity, board_type)

    def _add_polarity(self, contrasts: NDArray[np.float64], polarity: Polarity, board_type: str) -> None:
        sign = 1 if polarity == "solder_dark" else -1
        darker, brighter = self._ways.get(board_type, (0, 0))
        self._ways[board_type] = (
            darker + int((sign * contrasts < 0).sum()),
            brighter + int((sign * contrasts > 0).sum()),
        )

    def _try_elsewhere(self, sums: NDArray[np.int64], boxes: Boxes) -> None:
        if not len(self._shifts):
            step = max(2, int(np.median(boxes[:, 2] - boxes[:, 0])) // 4)
            along = step * np.arange(-_STEPS, _STEPS + 1)
            self._shifts = np.stack(np.meshgrid(along, along, indexing="ij"), axis=-1).reshape(-1, 2)
            self._total, self._count = np.zeros(len(self._shifts)), np.zeros(len(self._shifts))
        moved = boxes[:, None, :] + np.tile(self._shifts, 2)[None]
        height, width = sums.shape[0] - 1, sums.shape[1] - 1
        inside = (moved[..., :2] >= 0).all(-1) & (moved[..., 2] <= width) & (moved[..., 3] <= height)
        contrasts = np.abs(_contrasts(sums, np.where(inside[..., None], moved, boxes[:, None, :])))
        self._total += np.where(inside, contrasts, 0).sum(axis=0)
        self._count += inside.sum(axis=0)

    def doubt(self, *, asserted: bool) -> Doubt | None:
        """``asserted``: somebody said from which corner rows are counted, so that nothing is held against it."""
        if self._boxes < _ENOUGH:
            return None
        there, mirrored = self._there / self._boxes, self._mirrored / self._boxes
        (right, down), elsewhere = self._elsewhere()
        if mirrored >= _PLAINLY * there and mirrored >= _AS_GOOD * elsewhere:
            remedy = "look at the whole pictures" if asserted else _ORIGIN
            return Doubt(f"{_BESIDE}, and on it when rows are counted from the other side; {remedy}", not asserted)
        if elsewhere >= _PLAINLY * there:
            far = " and ".join(filter(None, (_words(right, "right", "left"), _words(down, "down", "up"))))
            return Doubt(
                f"{_BESIDE}; {far} they would lie on more: look at the whole pictures, and correct the boxes, or say "
                '[boxes] origin = "top-left" where they are right as they are',
                elsewhere >= _FAR_MORE * there and not asserted,
            )
        return None

    def _elsewhere(self) -> tuple[tuple[int, int], float]:
        """The shift that boxes would lie best at, and how well."""
        enough = self._count >= _INSIDE * self._count.max(initial=1.0)
        means = np.where(enough, self._total / np.maximum(self._count, 1), 0.0)
        best = int(means.argmax()) if len(means) else 0
        return (tuple(self._shifts[best].tolist()), float(means[best])) if len(means) else ((0, 0), 0.0)

    def wrong_way_round(self, polarity: str) -> str:
        """A sentence where nearly all solder would be brighter than what is round it, or that of some board types, as
        two machines may store pictures in two ways; else empty.
        """
        darker, brighter = (sum(way[side] for way in self._ways.values()) for side in (0, 1))
        if _nearly_all(darker, brighter):
            return (
                f'with [image] polarity = "{polarity}" {brighter} of {darker + brighter} joints come out brighter than '
                "what is round them, and solder should be the darker: look at the pictures, and say the other polarity "
                "if so"
            )
        wrong = {name: way for name, way in sorted(self._ways.items()) if name and _nearly_all(*way)}
        if not wrong:
            return ""
        counts = ", ".join(f"{name} ({way[1]} of {sum(way)})" for name, way in wrong.items())
        return (
            f"of board type {counts} joints come out brighter than what is round them, and those of others darker: if "
            "another machine stores its pictures the other way round, import its boards by themselves, with the other "
            "[image] polarity"
        )


def _nearly_all(darker: int, brighter: int) -> bool:
    return darker + brighter >= _ENOUGH and brighter >= _NEARLY_ALL * (darker + brighter)


_BESIDE = "boxes lie beside what their pictures show"
_ORIGIN = 'say [boxes] origin = "bottom-left", or "top-left" where they are right as they are'


def _words(pixels: int, ahead: str, back: str) -> str:
    return f"{abs(pixels)} pixels further {ahead if pixels > 0 else back}" if pixels else ""


def _integral(grey: Grey) -> NDArray[np.int64]:
    """Sums of all pixels above and left of each corner, (height + 1, width + 1)."""
    sums = np.zeros((grey.shape[0] + 1, grey.shape[1] + 1), np.int64)
    np.cumsum(np.cumsum(grey, axis=0, dtype=np.int64), axis=1, out=sums[1:, 1:])
    return sums


def _contrasts(sums: NDArray[np.int64], boxes: Boxes) -> NDArray[np.float64]:
    """Of each box (..., 4) the mean of its middle less that of a frame half as wide round it; where the picture ends
    at the box, less that of its own rim.
    """
    quarter_x, quarter_y = (boxes[..., 2] - boxes[..., 0]) // 4, (boxes[..., 3] - boxes[..., 1]) // 4
    quarters = np.stack([quarter_x, quarter_y, -quarter_x, -quarter_y], axis=-1)
    limits = np.array([sums.shape[1] - 1, sums.shape[0] - 1] * 2)
    middle, outer = boxes + quarters, np.clip(boxes - quarters, 0, limits)
    middle_area, middle_sum = _sum(sums, middle)
    inner_area, inner_sum = _sum(sums, boxes)
    outer_area, outer_sum = _sum(sums, outer)
    open_ = outer_area > inner_area
    rest_area = np.where(open_, outer_area - inner_area, inner_area - middle_area)
    rest_sum = np.where(open_, outer_sum - inner_sum, inner_sum - middle_sum)
    found: NDArray[np.float64] = middle_sum / np.maximum(middle_area, 1) - rest_sum / np.maximum(rest_area, 1)
    return np.where((middle_area > 0) & (rest_area > 0), found, 0.0)


def _sum(sums: NDArray[np.int64], boxes: Boxes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Area and sum of each box."""
    left, top, right, bottom = (np.asarray(boxes[..., edge], np.int64) for edge in range(4))
    total = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
    area: NDArray[np.int64] = (right - left) * (bottom - top)
    return area, total
