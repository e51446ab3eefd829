"""A lot divided into sides that share no board type, board or day, and no picture."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from edge.core.errors import UsageError

Sides = NDArray[np.int64]
"""The side of each joint."""
_ATTEMPTS = 200


def divided(ties: Sequence[Sequence[Hashable]], labels: NDArray[np.int64], shares: Sequence[float], seed: int) -> Sides:
    """The side of each joint, so that joints that share a tie are on one.

    ``ties``: for each joint what must not be on two sides: its board type, board or day, its job, its pictures. Each
    side gets about its share of the joints and of the defects. ``labels``: 1 for a defect. Raises UsageError where
    there are fewer groups than sides, or no division was found in which each side has both classes.
    """
    tied = _tied(ties)
    parts = int(tied.max()) + 1 if len(tied) else 0
    if parts < len(shares):
        raise UsageError(
            f"{parts} groups of joints that share nothing, but {len(shares)} sides; bring more board types or boards, "
            "or keep apart by less"
        )
    sizes = np.stack([np.bincount(tied[labels == label], minlength=parts) for label in (0, 1)], axis=1)
    side_of = _best(sizes.astype(np.float64), np.array(shares) / sum(shares), np.random.default_rng(seed))
    if side_of is None:
        raise UsageError(
            "one of the sides would hold no defect, or no normal joint; bring more joints, or keep apart by less "
            "(--by serial or day)"
        )
    return side_of[tied]


def _tied(ties: Sequence[Sequence[Hashable]]) -> NDArray[np.int64]:
    """A number for each joint, the same for all that hang together by ties."""
    parent: dict[Hashable, Hashable] = {}

    def root(key: Hashable) -> Hashable:
        parent.setdefault(key, key)
        while parent[key] != key:
            parent[key] = parent[parent[key]]  # so that chains stay short
            key = parent[key]
        return key

    for own in ties:
        for tie in own[1:]:
            parent[root(tie)] = root(own[0])
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(root(own[0]), len(numbers)) for own in ties], np.int64)


def _best(sizes: NDArray[np.float64], shares: NDArray[np.float64], rng: np.random.Generator) -> Sides | None:
    """Of several ways to fill the sides the one that is nearest to the shares; None where none gives both classes to
    each. ``sizes``: normals and defects of each part.
    """
    weights = sizes / np.maximum(sizes.sum(axis=0), 1)
    best, least = None, np.inf
    for attempt in range(_ATTEMPTS):
        shuffled = rng.permutation(len(weights))
        order = shuffled if attempt else shuffled[np.argsort(-weights[shuffled].max(axis=1), kind="stable")]
        side_of = _filled(weights, shares, order)
        held = np.stack([weights[side_of == side].sum(axis=0) for side in range(len(shares))])
        off = float(np.abs(held - shares[:, np.newaxis]).max())
        if held.min() > 0 and off < least:
            best, least = side_of, off
    return best


def _filled(weights: NDArray[np.float64], shares: NDArray[np.float64], order: NDArray[np.int64]) -> Sides:
    """The side of each part, in this order, each to the side that lacks most of what it brings."""
    held, side_of = np.zeros((len(shares), 2)), np.zeros(len(weights), np.int64)
    for part in order:
        lacking = (shares[:, np.newaxis] - held) / shares[:, np.newaxis]
        side = int((lacking * weights[part]).sum(axis=1).argmax())
        held[side] += weights[part]
        side_of[part] = side
    return side_of
