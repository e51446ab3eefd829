"""Boxes beside the joints that a machine meant: what a device sees where a box is wrong by a joint's width."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convert.lots.reading import JobReading
from edge.core.intake import Spec
from edge.core.job import Roi

_MOST = 200


def cut_beside(lot: Path, spec: Spec, seed: int) -> Iterator[NDArray[np.uint8]]:
    """Patches (n, size, size, channels) as far from their joints as these are wide, in any direction; none where no
    such box lies in its picture. ``lot``: of job folders.
    """
    rng, found = np.random.default_rng(seed), list[NDArray[np.uint8]]()
    for view in JobReading(lot).views(spec):
        slices = view.slices()
        frame = next(iter(slices.values()))
        boxes = (_moved(joint.roi, rng.uniform(0, 2 * np.pi)) for joint in view.joints)
        found += [spec.prepared(slices, box).patch for box in boxes if spec.shows(box, frame)]
        if len(found) >= _MOST:
            break
    if found:
        yield np.stack(found[:_MOST])


def _moved(roi: Roi, angle: float) -> Roi:
    side = max(roi.xmax - roi.xmin, roi.ymax - roi.ymin)
    x, y = round(side * np.cos(angle)), round(side * np.sin(angle))
    return Roi(roi.xmin + x, roi.ymin + y, roi.xmax + x, roi.ymax + y)
