"""A network of one hidden layer that tells two groups apart, trained in double precision, and rounded to whole numbers.

It is several small ones side by side, whose answers add up: what one of them takes for right, the others seldom do.
AdamW (Loshchilov and Hutter 2019) on the logistic loss. The same data and seed give the same network.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.core.familiarity import packed

Floats = NDArray[np.float64]

_NETWORKS, _UNITS = 5, 24
_EPOCHS, _LEAST_STEPS = 20, 2_000
_BATCH = 128
_RATE, _DECAY = 3e-3, 1e-3
_HELD = 3.0
"""What a member of the first group weighs against one of the second."""
_LIVELY, _LEAST_SPREAD = 0.2, 1e-3
"""Features that vary less than this share of the median, of those that vary at all, are not made to vary as much; nor
are those that vary by less than a thousandth of the liveliest.
"""
_WEIGHT, _END = 30_000, 2_000
"""The largest weights, as whole numbers."""


class Whole(NamedTuple):
    """As ``edge.core.familiarity.Familiarity`` takes it."""

    weights: bytes
    offsets: tuple[int, ...]
    ends: tuple[int, ...]


class _Layers(NamedTuple):
    weights: Floats
    offsets: Floats
    ends: Floats
    start: Floats


def told_apart(held: Floats, strange: Floats, seed: int) -> Whole:
    """Rises with how much a row looks like those of ``strange`` and not of ``held``, both (n, features)."""
    middle, spread = held.mean(axis=0), held.std(axis=0)
    lively = spread[spread > _LEAST_SPREAD * spread.max()]
    spread = np.maximum(spread, _LIVELY * float(np.median(lively))) if lively.size else np.ones_like(spread)
    rows = (np.concatenate([held, strange]) - middle) / spread
    target = np.concatenate([np.zeros(len(held)), np.ones(len(strange))])
    found = [_trained(rows, target, np.random.default_rng((seed, number))) for number in range(_NETWORKS)]
    weights = np.concatenate([layers.weights for layers in found]) / spread
    offsets = np.concatenate([layers.offsets for layers in found]) - weights @ middle
    return _whole(weights, offsets, np.concatenate([layers.ends for layers in found]))


def _whole(weights: Floats, offsets: Floats, ends: Floats) -> Whole:
    first, second = _WEIGHT / np.abs(weights).max(), _END / np.abs(ends).max()
    return Whole(
        packed(np.rint(weights * first).astype(np.int64)),
        tuple(int(value) for value in np.rint(offsets * first)),
        tuple(int(value) for value in np.rint(ends * second)),
    )


def _trained(rows: Floats, target: Floats, rng: np.random.Generator) -> _Layers:
    count = rows.shape[1]
    layers = _Layers(
        rng.normal(0, np.sqrt(2 / count), (_UNITS, count)),
        np.zeros(_UNITS),
        rng.normal(0, np.sqrt(1 / _UNITS), _UNITS),
        np.zeros(1),
    )
    moments = [(np.zeros_like(part), np.zeros_like(part)) for part in layers]
    batches = -(-len(rows) // _BATCH)
    epochs = max(_EPOCHS, -(-_LEAST_STEPS // batches))
    steps, step = epochs * batches, 0
    for _ in range(epochs):
        order = rng.permutation(len(rows))
        for first in range(0, len(order), _BATCH):
            chosen = order[first : first + _BATCH]
            step += 1
            rate = _RATE * 0.5 * (1 + np.cos(np.pi * step / steps))
            for part, slope, moment in zip(layers, _slopes(layers, rows[chosen], target[chosen]), moments, strict=True):
                _move(part, slope, moment, rate, step)
    return layers


def _slopes(layers: _Layers, rows: Floats, target: Floats) -> tuple[Floats, ...]:
    """Of the mean loss, in every layer's numbers."""
    before = rows @ layers.weights.T + layers.offsets
    hidden = np.maximum(before, 0)
    said = 1 / (1 + np.exp(-np.clip(hidden @ layers.ends + layers.start, -40, 40)))
    off = (said - target) * np.where(target == 0, _HELD, 1.0) / len(rows)
    back = np.outer(off, layers.ends) * (before > 0)
    return back.T @ rows, back.sum(axis=0), off @ hidden, off.sum(keepdims=True)


def _move(part: Floats, slope: Floats, moment: tuple[Floats, Floats], rate: float, step: int) -> None:
    """One step of AdamW, in place."""
    first, second = moment
    first += 0.1 * (slope - first)
    second += 0.001 * (slope**2 - second)
    part *= 1 - rate * _DECAY
    part -= rate * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
