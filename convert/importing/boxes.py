"""Where joints lie, in pixels of their pictures, whatever units and corners an export counts by."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from convert.importing.found import Corners
from convert.importing.mapping import Mapping
from edge.core.job import COORDINATE_LIMIT_PX, Polarity, Roi
from edge.core.preprocess import Grey

_SMALL_PX = 4
_ENOUGH = 20
"""Boxes that tell whether they lie on something."""
_PLAINLY = 1.5
_NEARLY_ALL = 0.9


def placed(box: Corners | None, height: int, width: int, mapping: Mapping) -> Roi | str:
    """The box on a picture of that size; a text where it lies on none, or is none."""
    if box is None:
        roi, said = _middle(height, width, mapping.boxes.cutout), f"a picture of {width} x {height} pixels"
        remedy = "for its joint; correct [boxes] cutout, or export it larger"
    else:
        said = f"box ({', '.join(f'{value:g}' for value in box)})"
        corners = _in_pixels(box, height, mapping)
        problem = _wrong_corners(corners, height, width, mapping)
        if problem:
            return f"{said} {problem}"
        roi = Roi(*map(round, corners))
        remedy = 'a side; are they millimetres? say [boxes] units = "millimetres" and [image] pixel_um'
    if min(roi.xmax - roi.xmin, roi.ymax - roi.ymin) < _SMALL_PX:
        return f"{said} has fewer than {_SMALL_PX} pixels {remedy}"
    return roi


def _in_pixels(box: Corners, height: int, mapping: Mapping) -> Corners:
    """Counted from the picture's upper left corner."""
    scale = 1.0
    if mapping.boxes.units == "millimetres" and mapping.image.pixel_um:
        scale = 1000 / mapping.image.pixel_um
    xmin, ymin, xmax, ymax = (scale * value for value in box)
    if mapping.boxes.origin == "bottom-left":
        ymin, ymax = height - ymax, height - ymin
    return Corners(xmin, ymin, xmax, ymax)


def _wrong_corners(corners: Corners, height: int, width: int, mapping: Mapping) -> str:
    """Empty where they are right."""
    xmin, ymin, xmax, ymax = corners
    if not all(map(math.isfinite, corners)) or max(map(abs, corners)) > COORDINATE_LIMIT_PX:
        return "lies too far out; export pixels of the picture"
    if xmin >= xmax or ymin >= ymax:
        upwards = ', or say [boxes] origin = "bottom-left" where rows are counted from below'
        return "is empty; export left below right and top below bottom" + (
            upwards if xmin < xmax and not mapping.boxes.origin else ""
        )
    if xmin < 0 or ymin < 0 or xmax > width or ymax > height:
        return f"leaves its picture of {width} x {height} pixels; {_outside(ymin, ymax, mapping)}"
    return ""


def _middle(height: int, width: int, cutout: float) -> Roi:
    left, top = round((width - width / cutout) / 2), round((height - height / cutout) / 2)
    return Roi(left, top, width - left, height - top)


def _outside(ymin: float, ymax: float, mapping: Mapping) -> str:
    if mapping.boxes.units == "millimetres":
        return "correct it, or [image] pixel_um"
    if ymax <= 0 < -ymin and not mapping.boxes.origin:
        return 'rows are counted upwards? say [boxes] origin = "bottom-left"'
    return "export the box as it lies in that picture (corners, or columns for the middle and the size)"


class OnSomething:
    """Do boxes lie on what is darker or brighter than what is round them, or rather do those counted from below?"""

    def __init__(self) -> None:
        self._boxes, self._there, self._mirrored = 0, 0.0, 0.0
        self._darker, self._brighter = 0, 0

    def add(self, grey: Grey, rois: Sequence[Roi], polarity: Polarity) -> None:
        """Boxes on one picture (height, width)."""
        height = grey.shape[0]
        for roi in rois:
            self._boxes += 1
            contrast = _contrast(grey, roi)
            self._there += abs(contrast)
            self._mirrored += abs(_contrast(grey, roi._replace(ymin=height - roi.ymax, ymax=height - roi.ymin)))
            darker = contrast < 0 if polarity == "solder_dark" else contrast > 0
            self._darker += darker
            self._brighter += bool(contrast) and not darker

    def wrong_way_round(self) -> str:
        """A sentence where nearly all solder would be brighter than what is round it; else empty."""
        if self._darker + self._brighter < _ENOUGH or self._brighter < _NEARLY_ALL * (self._darker + self._brighter):
            return ""
        return (
            f"by [image] polarity solder is the darker, but {self._brighter} of {self._darker + self._brighter} boxes "
            "are brighter than what is round them: look at the pictures, and say the other polarity if it is wrong"
        )

    def doubt(self) -> str:
        """Empty where there is none."""
        if self._boxes < _ENOUGH or self._mirrored < _PLAINLY * self._there:
            return ""
        return (
            "boxes lie beside what their pictures show, and on it when rows are counted from below; say "
            '[boxes] origin = "bottom-left", or "top-left" where they are right as they are'
        )


def _contrast(grey: Grey, roi: Roi) -> float:
    """The middle of a box less a frame as wide as half of it."""
    wide, high = roi.xmax - roi.xmin, roi.ymax - roi.ymin
    middle = grey[roi.ymin + high // 4 : roi.ymax - high // 4, roi.xmin + wide // 4 : roi.xmax - wide // 4]
    top, left = max(0, roi.ymin - high // 4), max(0, roi.xmin - wide // 4)
    whole = grey[top : roi.ymax + high // 4, left : roi.xmax + wide // 4].astype(np.float64)
    inside = grey[roi.ymin : roi.ymax, roi.xmin : roi.xmax].astype(np.float64)
    rest = whole.size - inside.size
    if not middle.size or rest <= 0:
        return 0.0
    return float(middle.mean()) - float(whole.sum() - inside.sum()) / rest
