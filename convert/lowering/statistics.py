"""What joints show of a network: how far its channels reach, and how much its verdict hangs on each of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.lots.patches import scaled_batches
from convert.lowering.evaluate import forward, readings
from convert.lowering.layers import Network, Sugeno, Thermometer
from convert.lowering.running import reading_tensor
from convert.lowering.slopes import with_slopes
from edge.core.rules import SugenoHead

Patches = NDArray[np.uint8]
ByChannel = dict[str, NDArray[np.float64]]
"""By layer, a number a channel: (channels,)."""

_DOUBTFUL = 32
_BATCH = 8


def reaches(network: Network, patches: Patches) -> ByChannel:
    """The largest size of a value. ``patches``: (n, height, width, slices)."""
    return reaches_and_doubtful(network, patches)[0]


def reaches_and_doubtful(network: Network, patches: Patches) -> tuple[ByChannel, Patches]:
    """``reaches``, and the patches whose verdict is most in doubt, of one evaluation of them all."""
    found: ByChannel = {}

    def observe(name: str, values: Any) -> None:
        largest = np.abs(np.asarray(values, np.float64)).reshape(-1, values.shape[-1]).max(axis=0)
        found[name] = np.maximum(found.get(name, largest), largest)

    found_readings = readings(network, patches, observe)
    return found, patches[np.argsort(_distance_to_doubt(network, found_readings))[:_DOUBTFUL]]


def _distance_to_doubt(network: Network, found: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far readings are from where a verdict turns, about: 0 for a logit, between two rules for a quality index."""
    match network.layers[-1]:
        case Sugeno(consequents=rules):
            concluded = rules.astype(np.float64)
        case Thermometer(head=SugenoHead(consequents=rules)):
            concluded = np.array(rules)
        case _:
            return np.abs(found)
    turns = (concluded[1:] + concluded[:-1]) / 2
    nearest: NDArray[np.float64] = np.abs(found[:, np.newaxis] - turns).min(axis=1)
    return nearest


def rounding_weights(network: Network, patches: Patches) -> ByChannel:
    """How much rounding a channel's values costs: variance of the reading by variance of the rounding.

    The reading is the defect logit or the quality index. That is its squared slope in a value, summed over the places
    of the channel, mean over these joints. A value of 0 is not counted: int8 has it exactly.
    """
    found: ByChannel = {}
    for inputs in scaled_batches(patches, _BATCH):
        for name, squares in _squared_slopes(network, inputs):
            found[name] = found.get(name, 0.0) + squares.reshape(-1, squares.shape[-1]).sum(axis=0) / len(patches)
    return found


def _squared_slopes(network: Network, inputs: NDArray[np.float32]) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """By layer, the squared slope of the logit in every value that is not 0."""
    names: list[str] = []

    def compute(patches: Any) -> tuple[list[Any], Any]:
        met: list[Any] = []

        def observe(name: str, values: Any) -> None:
            names.append(name)
            met.append(values)

        last = forward(network, patches, observe)
        return met, _readings(network, last)

    for name, (values, slopes) in zip(names, with_slopes(compute, inputs), strict=True):
        yield name, np.where(values != 0, slopes**2, 0.0)


def _readings(network: Network, last: Any) -> Any:
    """``readings`` of what the last layer gives, as a tensor, to a constant."""
    match network.layers[-1]:
        case Thermometer(head=head):
            return reading_tensor(head, last)
        case Sugeno():
            return last
        case _:
            return last[:, 1] - last[:, 0]
