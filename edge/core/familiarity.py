"""How familiar a joint looks: its pooled features, and what was learnt of those of joints and of wrong pictures.

A network has an answer to anything. One hidden layer over its features tells what it was made for from what it was not
(outlier exposure: Hendrycks et al. 2019). It is all whole numbers, so equal 8-bit features are judged alike everywhere.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Annotated

import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from edge.core.rules import Rate

Features = NDArray[np.uint8] | NDArray[np.float32]
"""Raw pooled features of one joint, shape (1, n) or (n,)."""
_WEIGHT = np.dtype("<i2")
_Floats = NDArray[np.float64]


class Familiarity(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A joint is strange by ``ends`` times what is positive of ``weights`` times its features plus ``offsets``; beyond
    ``limit`` it is unfamiliar.

    ``weights``: 16-bit whole numbers, little-endian, a row of all features for each of the offsets. ``unfamiliar``: of
    the joints of lot ``measured_on``.
    """

    weights: bytes
    offsets: Annotated[tuple[int, ...], Meta(min_length=1, max_length=1024)]
    ends: tuple[int, ...]
    limit: int
    measured_on: str
    unfamiliar: Rate

    @property
    def features(self) -> int:
        """How many it takes."""
        return len(self.weights) // (_WEIGHT.itemsize * len(self.offsets))

    def strangeness(self, features: Features) -> float:
        """A whole number where features are; infinite where they are no numbers."""
        weights, offsets, ends = _layers(self)
        if features.dtype.kind == "f" and not np.isfinite(features).all():
            return math.inf
        # Every product and sum is a whole number below 2**53 (``problem``), which float64 holds exactly.
        return float(np.maximum(weights @ features.ravel().astype(np.float64) + offsets, 0.0) @ ends)

    def knows(self, features: Features) -> bool:
        """Does the joint look like those that the network was made for?"""
        return self.strangeness(features) <= self.limit

    def problem(self) -> str:
        """Why it cannot be computed exactly; empty where it can."""
        hidden = len(self.offsets)
        if len(self.ends) != hidden or not self.features or len(self.weights) != 2 * hidden * self.features:
            return f"{len(self.weights)} bytes of weights, {hidden} offsets and {len(self.ends)} ends do not fit"
        weights, offsets, ends = _layers(self)
        largest = (255 * np.abs(weights).sum(axis=1) + np.abs(offsets)) @ np.abs(ends)
        return "" if max(largest, abs(self.limit)) < 2**53 else "its numbers are too large to be added exactly"


@lru_cache(maxsize=8)
def _layers(model: Familiarity) -> tuple[_Floats, _Floats, _Floats]:
    """Weights (hidden, features), offsets and ends (hidden,). Asked for at every joint."""
    weights = np.frombuffer(model.weights, _WEIGHT).reshape(len(model.offsets), -1).astype(np.float64)
    return weights, np.array(model.offsets, np.float64), np.array(model.ends, np.float64)


def packed(weights: NDArray[np.int64]) -> bytes:
    """Weights (hidden, features) as ``Familiarity`` holds them."""
    return weights.astype(_WEIGHT).tobytes()
