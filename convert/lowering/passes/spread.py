"""Spread what passes between two factors evenly over its values, so that one int8 scale serves them all.

A factorised matrix is left @ right with a few dozen values between. Singular vectors make them differ in size by an
order of magnitude, and int8 has one step for all, set by the largest. Measured on the reference models, most of the
rounding noise of the whole network arose there. left @ Q and Q.T @ right, with Q a random rotation, compute the same
from values of like size (the rotation that QuaRot and SpinQuant give a transformer, for a bottleneck). Of many
rotations the one is taken whose values reach least far on a sample, and where a bias can take it up each value is moved
to the middle of its range.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convert.lowering.evaluate import evaluate
from convert.lowering.layers import Dense, Layer, Lstm, Network, Softmax, Weights, single

_ROTATIONS = 64

Values = NDArray[np.float64]


def spread_factors(network: Network, sample: NDArray[np.uint8]) -> Network:
    """Rotate between each linear dense layer and the product after it, and between the factors of an LSTM.

    ``sample``: patches (n, height, width, slices) that show how far the values reach.
    """
    seen = _Seen()
    evaluate(network, sample, seen.observe)
    layers: list[Layer] = list(network.layers)
    for i, layer in enumerate(layers):
        after = layers[i + 1] if i + 1 < len(layers) else None
        if isinstance(layer, Dense) and layer.activation == "linear" and isinstance(after, Dense | Softmax):
            turn = best_turn(seen.of(layer.name), centred=True)
            layers[i] = replace(
                layer, kernel=single(layer.kernel @ turn.matrix), bias=single(layer.bias @ turn.matrix - turn.middle)
            )
            back = turn.matrix.T @ after.kernel
            layers[i + 1] = replace(after, kernel=single(back), bias=single(after.bias + turn.middle @ back))
        elif isinstance(layer, Lstm):
            kernel = _turned(layer.kernel, seen.of(f"{layer.name}/inputs"))
            recurrent = _turned(layer.recurrent, seen.of(f"{layer.name}/recurrent"))
            layers[i] = replace(layer, kernel=kernel, recurrent=recurrent)
    return network.with_layers(layers)


class Turn(NamedTuple):
    """A rotation (size, size), and the middle of each rotated value's range."""

    matrix: Values
    middle: Values


def best_turn(values: Values, *, centred: bool) -> Turn:
    """Of some random rotations of ``values`` (n, size) the one whose values span least, about their middles or zero."""
    return min(_turns(values, centred=centred), key=itemgetter(0))[1]


def _turns(values: Values, *, centred: bool) -> Iterator[tuple[float, Turn]]:
    """Some rotations, each with the span of what it gives."""
    for seed in range(_ROTATIONS):
        matrix = rotation(values.shape[1], seed)
        rotated = values @ matrix
        middle = (rotated.max(axis=0) + rotated.min(axis=0)) / 2 if centred else np.zeros(values.shape[1])
        yield float(np.ptp(rotated - middle)), Turn(matrix, middle)


def rotation(size: int, seed: int) -> Values:
    """A random orthogonal matrix (size, size), uniform over all of them (Stewart 1980)."""
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))
    turned: Values = q * np.sign(np.diag(r))
    return turned


def _turned(factors: tuple[Weights, ...], values: Values) -> tuple[Weights, ...]:
    if len(factors) < 2:
        return factors
    left, right = factors
    matrix = best_turn(values, centred=False).matrix
    return single(left @ matrix), single(matrix.T @ right)


class _Seen:
    """All values of narrow results, by name: those between factors are among them."""

    def __init__(self) -> None:
        self._parts: dict[str, list[NDArray[np.float32]]] = {}

    def observe(self, name: str, values: Any) -> None:
        if len(values.shape) < 4:  # not a volume
            self._parts.setdefault(name, []).append(np.asarray(values).reshape(-1, values.shape[-1]))

    def of(self, name: str) -> Values:
        return np.concatenate(self._parts[name]).astype(np.float64)
