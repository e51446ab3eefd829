"""Where joints lie, in pixels of their pictures, whatever units and corners an export counts by."""

from __future__ import annotations

import math

from convert.importing.found import Corners
from convert.importing.mapping import Mapping
from edge.core.job import COORDINATE_LIMIT_PX, Roi

_SMALL_PX = 4


def placed(box: Corners | None, height: int, width: int, mapping: Mapping, *, ours: bool = False) -> Roi | str:
    """The box on a picture of that size; a text where it lies on none, or is none. ``ours``: by contract axi-job/1 it
    may leave its picture in part.
    """
    if box is None:
        roi, said = _middle(height, width, mapping.boxes.cutout), f"a picture of {width} x {height} pixels"
        remedy = "for its joint; correct [boxes] cutout, or export it larger"
    else:
        said = f"box ({', '.join(f'{value:g}' for value in box)})"
        corners = _in_pixels(box, height, mapping)
        problem = _wrong_corners(corners, height, width, mapping, ours=ours)
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


def _wrong_corners(corners: Corners, height: int, width: int, mapping: Mapping, *, ours: bool) -> str:
    """Empty where they are right."""
    xmin, ymin, xmax, ymax = corners
    if not all(map(math.isfinite, corners)) or max(map(abs, corners)) > COORDINATE_LIMIT_PX:
        return "lies too far out; export pixels of the picture"
    if xmin >= xmax or ymin >= ymax:
        upwards = ', or say [boxes] origin = "bottom-left" where rows are counted from below'
        return "is empty; export left below right and top below bottom" + (
            upwards if xmin < xmax and not mapping.boxes.origin else ""
        )
    within = xmin < width and ymin < height and xmax > 0 and ymax > 0
    if not (ours and within) and (xmin < 0 or ymin < 0 or xmax > width or ymax > height):
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
