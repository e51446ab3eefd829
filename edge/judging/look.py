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

_SLOW = (25, 25)
"""Pixels of the small picture, over which the mean is taken twice: what changes slowly is taken off. Taken of a coarser
picture, in a quarter of the time, it left two slices alike that could be told before.
"""
_QUICK = 1.0
_GRAINY_ROWS = 32
_LEAST = 1e-3
_Small = NDArray[np.float32]


def look_of(slices: Mapping[int, Grey], stored: Polarity) -> Look:
    """Of slices (height, width), all of one shape, in the polarity that they are stored in."""
    levels, pictures = list[Level](), list[bytes]()
    for index in sorted(slices):
        small = _small(slices[index], stored)
        quick = _quick(small)
        (_, detail), (mean, contrast) = _spread(quick), _spread(small)
        detail = max(detail, _LEAST)
        logs = (math.log(max(value, _LEAST)) for value in (contrast, detail, _grain(slices[index])))
        levels.append(Level(mean, *logs))
        pictures.append(_stepped(quick, STEPS / detail))
    height, width = next(iter(slices.values())).shape
    return Look((height, width), tuple(levels), b"".join(pictures))


def _small(grey: Grey, stored: Polarity) -> _Small:
    small = cv2.resize(_halved(grey).astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return small.astype(np.float32, copy=False) if stored == "solder_dark" else 255 - small


def _halved(grey: Grey) -> Grey:
    """Means of two pixels, along each axis as often as ``SIDE`` of them are left. Parts of pixels would take ten times
    as long, and blur some places of the frame more than others: turned pictures would not turn that, too.
    """
    high, wide = (2 if size >= 2 * SIDE else 1 for size in grey.shape)
    if high == wide == 1:
        return grey
    even = grey[: len(grey) // high * high, : grey.shape[1] // wide * wide]
    size = even.shape[1] // wide, len(even) // high
    return _halved(cv2.resize(even, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False))


def _quick(small: _Small) -> _Small:
    """What does not change slowly across it."""
    slow = cv2.blur(cv2.blur(small, _SLOW), _SLOW)
    quick = cv2.subtract(cv2.GaussianBlur(small, (0, 0), _QUICK), slow)
    return quick.astype(np.float32, copy=False)


def _stepped(quick: _Small, steps: float) -> bytes:
    values = np.rint(quick * np.float32(steps))
    np.minimum(values, 127, out=values)
    np.maximum(values, -127, out=values)
    found: bytes = values.astype(np.int8).tobytes()
    return found


def _spread(picture: _Small) -> tuple[float, float]:
    """Its mean and its standard deviation. OpenCV's ``meanStdDev`` takes twice as long."""
    mean = cv2.mean(picture)[0]
    rest = (picture - np.float32(mean)).ravel()
    return mean, math.sqrt(float(rest @ rest) / rest.size)


def _grain(grey: Grey) -> float:
    """Mean difference of neighbours in some of its rows, which lie further and further apart: no grid's rows do."""
    rows = grey[np.unique((np.linspace(0, 1, _GRAINY_ROWS) ** 1.3 * (len(grey) - 1)).astype(int))]
    return float(cv2.mean(cv2.absdiff(rows[:, 1:], rows[:, :-1]))[0]) if rows.shape[1] > 1 else 0.0
