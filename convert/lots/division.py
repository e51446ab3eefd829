"""A lot divided into sides that share no board type, board or day, and no picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.core.errors import UsageError

Sides = NDArray[np.int64]
"""The side of each joint."""


def divided(
    groups: Sequence[str], labels: NDArray[np.int64], pictures: Sequence[bytes], shares: Sequence[float], seed: int
) -> Sides:
    """The side of each joint, so that no group and no picture is on two of them.

    Each side gets about its share of the joints and of the defects; the rarer of the two classes weighs as much as the
    other. ``labels``: 1 for a defect; ``pictures``: equal where joints look the same. Raises UsageError where there are
    fewer groups than sides, or a side would lack a class.
    """
    tied = _tied(groups, pictures)
    parts = sorted(set(tied.tolist()))
    if len(parts) < len(shares):
        raise UsageError(
            f"{len(parts)} groups of joints that share nothing, but {len(shares)} sides; bring more board types or "
            "boards, or keep apart by less (--by serial or day)"
        )
    sizes = np.array([[np.sum((tied == part) & (labels == label)) for label in (0, 1)] for part in parts], np.float64)
    weights = sizes / np.maximum(sizes.sum(axis=0), 1)
    side_of = _filled(weights, np.array(shares) / sum(shares), seed)
    sides = np.array([side_of[parts.index(part)] for part in tied.tolist()], np.int64)
    for side in range(len(shares)):
        if len(set(labels[sides == side].tolist())) < 2:
            raise UsageError(
                "one of the sides would hold no defect, or no normal joint; bring more joints, or keep apart by less "
                "(--by serial or day)"
            )
    return sides


def _tied(groups: Sequence[str], pictures: Sequence[bytes]) -> NDArray[np.int64]:
    """A number for each joint, the same for all that are tied by a group or a picture."""
    parent: dict[object, object] = {}

    def root(key: object) -> object:
        while parent.setdefault(key, key) != key:
            key = parent[key]
        return key

    for group, picture in zip(groups, pictures, strict=True):
        parent[root(("group", group))] = root(("picture", picture))
    numbers: dict[object, int] = {}
    return np.array([numbers.setdefault(root(("group", group)), len(numbers)) for group in groups], np.int64)


def _filled(weights: NDArray[np.float64], shares: NDArray[np.float64], seed: int) -> list[int]:
    """The side of each part: large ones first, each to the side that lacks most of what it brings."""
    rng = np.random.default_rng(seed)
    order = sorted(range(len(weights)), key=lambda part: (-weights[part].max(), rng.random()))
    held, side_of = np.zeros((len(shares), 2)), [0] * len(weights)
    for number, part in enumerate(order):
        lacking = (shares[:, np.newaxis] - held) / shares[:, np.newaxis]
        gain = (lacking * weights[part]).sum(axis=1)
        left = len(order) - number
        empty = [side for side in range(len(shares)) if not held[side].any()]
        candidates = empty if len(empty) >= left else range(len(shares))
        side = max(candidates, key=lambda one: gain[one])
        held[side] += weights[part]
        side_of[part] = side
    return side_of
