"""Boxes beside the joints that a machine meant: what a device sees where a box is wrong by a joint's width."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convert.lots.reading import JobReading, read_any_truth
from edge.core.intake import Spec
from edge.core.job import Roi

_MOST = 200


def cut_beside(lot: Path, spec: Spec, seed: int) -> Iterator[NDArray[np.uint8]]:
    """Patches (n, size, size, channels) as far from joints of the lot as these are wide, in any direction; none where
    no such box lies in its picture. ``lot``: of job folders, read as ever, joints with truth alone.
    """
    rng, found = np.random.default_rng(seed), list[NDArray[np.uint8]]()
    for slices, joint, _ in JobReading(lot).joints(spec, read_any_truth(lot), lambda _: None):
        box = _moved(joint.roi, rng.uniform(0, 2 * np.pi))
        if spec.shows(box, next(iter(slices.values()))):
            found.append(spec.prepared(slices, box).patch)
        if len(found) == _MOST:
            break
    if found:
        yield np.stack(found)


def _moved(roi: Roi, angle: float) -> Roi:
    side = max(roi.xmax - roi.xmin, roi.ymax - roi.ymin)
    x, y = round(side * np.cos(angle)), round(side * np.sin(angle))
    return Roi(roi.xmin + x, roi.ymin + y, roi.xmax + x, roi.ymax + y)
