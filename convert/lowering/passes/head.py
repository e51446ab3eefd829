"""The last layers as clipped products that an int8 output shows finely: an int8 softmax has 256 score levels only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.lowering.layers import Dense, Network, Partition, Softmax, Sugeno, Thermometer, Weights
from edge.core.rules import ClassesHead, SugenoHead, ThermometerHead

HEAD = ThermometerHead(low=-12.0, high=12.0, full=6.0)
"""The logit range; beyond it p_defect is within 6.2e-6 of 0 or 1. Bands are 6 wide, so that RELU6 clips them."""
_REACH = 24.0
"""Of logits of several classes: they are compared with each other, too, also where none of them is in doubt."""
_WIDTH = 0.75
"""Of a band, in logits."""


def thermometer_head(network: Network) -> Network:
    """The final Dense(2, softmax) as a Thermometer (``edge.core.card.ThermometerHead`` says how it is read)."""
    *before, last = network.layers
    if not isinstance(last, Softmax):
        return network
    matrix, bias = in_bands(HEAD, (last.kernel[:, 1] - last.kernel[:, 0])[np.newaxis], last.bias[1:] - last.bias[:1])
    return network.with_layers([*before, Thermometer(last.name, np.ascontiguousarray(matrix.T), bias, HEAD)])


def head_of(defects: Sequence[str]) -> ThermometerHead | ClassesHead:
    """How a network that tells these kinds of defect apart is read."""
    return ClassesHead(classes=tuple(defects), low=-_REACH, high=_REACH, full=HEAD.full) if len(defects) > 1 else HEAD


def in_bands(
    head: ThermometerHead | ClassesHead, kernel: NDArray[np.floating[Any]], bias: NDArray[np.floating[Any]]
) -> tuple[Weights, Weights]:
    """Logits (c, in) and (c,) as thermometers (c * bands, in) and (c * bands,), one logit's bands after the other's."""
    gain = head.full / _WIDTH
    floors = np.arange(head.low, head.high, _WIDTH)
    offsets = (bias[:, np.newaxis] - floors) * gain
    return np.repeat(kernel * gain, len(floors), axis=0).astype(np.float32), offsets.ravel().astype(np.float32)


def sugeno_head(network: Network) -> Network:
    """Coordinate, fuzzy sets and rules as a Thermometer of the ramps between the sets (``edge.core.card.SugenoHead``).

    The degrees of neighbouring sets sum to one, so ramps say all: ramp i is the coordinate's product, scaled and
    shifted, clipped to [0, 1]; times ``full``, so that RELU6 clips it.
    """
    if not isinstance(network.layers[-1], Sugeno):
        return network
    *before, place, sets, rules = network.layers
    if not isinstance(rules, Sugeno) or not isinstance(sets, Partition) or not isinstance(place, Dense):
        return network
    gain = HEAD.full / (sets.high.astype(np.float64) - sets.low)
    kernel = place.kernel.astype(np.float64) * gain
    bias = (place.bias.astype(np.float64) - sets.low) * gain
    consequents = tuple(float(value) for value in rules.consequents)
    head = SugenoHead(consequents=consequents, full=HEAD.full)  # type: ignore[arg-type]  # one a grade
    return network.with_layers(
        [*before, Thermometer(rules.name, kernel.astype(np.float32), bias.astype(np.float32), head)]
    )
