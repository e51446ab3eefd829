"""Small pictures of a view's slices, to compare with those of other boards."""

from __future__ import annotations

import math
from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.core.job import Polarity
from edge.core.looks import SIDE, STEPS, Level, Look
from edge.core.preprocess import Grey

_ROWS = 2 * SIDE
"""Of a slice, that are looked at: half the pixels of most, and a third of the time."""
_SLOW = (17, 17)
"""Pixels of the small picture, over which the mean is taken twice: what changes slowly is taken off."""
_QUICK = 1.0
_GRAINY_ROWS = 32
_LEAST = 1e-3
_Small = NDArray[np.float32]


def look_of(slices: Mapping[int, Grey], stored: Polarity) -> Look:
    """Of slices (height, width), all of one shape, in the polarity that they are stored in."""
    levels, pictures = list[Level](), list[bytes]()
    for index in sorted(slices):
        small = _small(slices[index], stored)
        slow = cv2.blur(cv2.blur(small, _SLOW), _SLOW)
        quick = cv2.GaussianBlur(small, (0, 0), _QUICK) - slow
        detail = max(_spread(quick), _LEAST)
        logs = (math.log(max(value, _LEAST)) for value in (_spread(small), detail, _grain(slices[index])))
        levels.append(Level(float(cv2.mean(small)[0]), *logs))
        steps = np.clip(np.rint(quick * np.float32(STEPS / detail)), -127, 127)
        pictures.append(steps.astype(np.int8).tobytes())
    height, width = next(iter(slices.values())).shape
    return Look((height, width), tuple(levels), b"".join(pictures))


def _small(grey: Grey, stored: Polarity) -> _Small:
    rows = grey[:: max(1, len(grey) // _ROWS)]
    small = cv2.resize(rows, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    return small if stored == "solder_dark" else 255 - small


def _spread(picture: _Small) -> float:
    """Its standard deviation."""
    return float(cv2.meanStdDev(picture)[1][0, 0])


def _grain(grey: Grey) -> float:
    """Mean difference of neighbours in some of its rows."""
    rows = grey[:: max(1, len(grey) // _GRAINY_ROWS)]
    return float(cv2.mean(cv2.absdiff(rows[:, 1:], rows[:, :-1]))[0]) if rows.shape[1] > 1 else 0.0
