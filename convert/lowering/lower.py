"""Lower a Keras model: read it, rewrite it pass by pass, flatten it. Every step is checked against the one before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convert.lots.patches import scaled_batches
from convert.lowering.bands import band_channels
from convert.lowering.evaluate import readings
from convert.lowering.flat import flatten_network
from convert.lowering.graphs.handed import Handed
from convert.lowering.graphs.lower import lowering_steps, shaken_difference, with_thermometers
from convert.lowering.layers import Network, number_of_weights, readings_from
from convert.lowering.passes.balance import balance_channels
from convert.lowering.passes.dropout import drop_dropout
from convert.lowering.passes.head import sugeno_head, thermometer_head
from convert.lowering.passes.merge import merge_lstm_inputs, merge_products
from convert.lowering.passes.norm import fold_norms
from convert.lowering.passes.relu import fuse_relu
from convert.lowering.passes.spread import spread_factors
from convert.lowering.program import Program
from convert.lowering.read import read_network
from convert.lowering.running import run
from edge.core.errors import ConfigError, GateRefused

Scores = NDArray[np.float64]
Patches = NDArray[np.uint8]

PASSES: dict[str, Callable[[Network, Patches], Network]] = {
    "drop-dropout": lambda network, _: drop_dropout(network),
    "fold-norms": lambda network, _: fold_norms(network),
    "fuse-relu": lambda network, _: fuse_relu(network),
    "merge-products": lambda network, _: merge_products(network),
    "merge-lstm-inputs": lambda network, _: merge_lstm_inputs(network),
    "balance-channels": balance_channels,
    "spread-factors": spread_factors,
    "thermometer-head": lambda network, _: thermometer_head(network),
    "sugeno-head": lambda network, _: sugeno_head(network),
}
"""Each takes a network and a sample of patches, and gives a network that computes the same."""
USUAL_PASSES = (
    "drop-dropout",
    "fold-norms",
    "fuse-relu",
    "merge-lstm-inputs",
    "spread-factors",
    "thermometer-head",
    "sugeno-head",
)
"""``merge-products`` undoes a factorisation: it is for those who want the full matrix back. ``balance-channels`` is for
those who have many calibration joints; with few, the ranges of the channels that it grows are too narrow."""
TOLERANCE = 1e-5
"""Largest allowed difference in p_defect or quality index, both sides in float32."""
_SHAKEN_TIMES = 8
"""What every layer's rounding may come to, against that of the input alone."""
_MOST_TOLERANCE = 1e-3
"""Beyond this it is no rounding."""


class Rewrite(NamedTuple):
    """What a pass did: layers and weights after it, and the largest difference of a score it made on the sample."""

    name: str
    layers: int
    weights: int
    difference: float


class Lowered(NamedTuple):
    """``program``: exact; ``banded``: the same with channels in bands, for int8 to round, or simply ``program``.

    ``tolerance``: how far a score may differ from before.
    """

    program: Program
    banded: Program
    rewrites: tuple[Rewrite, ...]
    tolerance: float = TOLERANCE


def lower(model: Any, sample: Patches, passes: Sequence[str] = USUAL_PASSES) -> Program:
    """The program of a trained Keras model, unchecked. ``sample``: patches (n, height, width, slices).

    It takes (n, height, width, slices) in [0, 1] and gives what the head reads, (n, bands).
    Raises ConfigError naming a layer that nothing here knows, or a pass that does not exist.
    """
    return lower_network(read_network(model), sample, passes)


def lower_network(network: Network, sample: Patches, passes: Sequence[str], growth: float = 0.0) -> Program:
    """``lower``, for a network that was read already; in bands where layers may grow (``convert.lowering.bands``)."""
    for name in passes:
        network = rewritten(network, name, sample)
    return flatten_network(band_channels(network, sample, growth) if growth else network)


def lower_checked(
    network: Network | Handed, before: Scores, sample: Patches, passes: Sequence[str], growth: float = 0.0
) -> Lowered:
    """Lower, and after every pass compare scores with the step before; in bands where layers may grow.

    ``sample``: patches (n, height, width, slices) that passes are fitted to; on the first of them scores are compared,
    as many as ``before`` has: what the network was before it was read. Raises ConfigError as ``lower`` does,
    GateRefused naming the first pass that changes a score.
    """
    if isinstance(network, Handed):
        return _lower_handed(network, before, sample, passes, growth)
    compared = sample[: len(before)]
    rewrites = []
    for name in ("read", *passes):
        network = network if name == "read" else rewritten(network, name, sample)
        after = network_scores(network, compared)
        difference = require_equivalence(before, after, name)
        rewrites.append(Rewrite(name, len(network.layers), number_of_weights(network), difference))
        before = after
    program = flatten_network(network)
    difference = require_equivalence(before, program_scores(program, compared), "flatten")
    rewrites.append(Rewrite("flatten", len(program.ops), number_of_weights(network), difference))
    banded = program
    if growth:
        network = band_channels(network, sample, growth)
        banded = flatten_network(network)
        difference = require_equivalence(before, program_scores(banded, compared), "bands")
        rewrites.append(Rewrite("bands", len(banded.ops), number_of_weights(network), difference))
    return Lowered(program, banded, tuple(rewrites))


def _lower_handed(handed: Handed, before: Scores, sample: Patches, passes: Sequence[str], growth: float) -> Lowered:
    if growth:
        raise ConfigError(f"[quantisation] bands: {handed.name} is no chain of layers that bands are cut in; remove it")
    if tuple(passes) != USUAL_PASSES:
        raise ConfigError(f"[lowering] passes: {handed.name} is lowered as a graph, all of it or not; remove the key")
    compared, rewrites = sample[: len(before)], []
    tolerance = min(max(TOLERANCE, _SHAKEN_TIMES * shaken_difference(handed, compared)), _MOST_TOLERANCE)
    steps = list(lowering_steps(handed, compared))
    for name, program, after in steps:
        difference = require_equivalence(before, after, name, tolerance)
        rewrites.append(Rewrite(name, len(program.ops), program.weights, difference))
        before = after
    program = with_thermometers(steps[-1].program, handed.ending)
    difference = require_equivalence(before, program_scores(program, compared), "thermometers", tolerance)
    rewrites.append(Rewrite("thermometers", len(program.ops), program.weights, difference))
    return Lowered(program, program, tuple(rewrites), tolerance)


def network_scores(network: Network, patches: Patches) -> Scores:
    """p_defect, or quality index, under a network of plain layers in float32, float64 (n,)."""
    return network.scores_from(readings(network, patches))


def program_scores(program: Program, patches: Patches, batch: int = 32) -> Scores:
    """p_defect, or quality index, under the lowered program in float32, float64 (n,)."""
    bands = [np.asarray(run(program, inputs), np.float64) for inputs in scaled_batches(patches, batch)]
    return program.head.scores(readings_from(program.head, np.concatenate(bands)))


def require_equivalence(before: Scores, after: Scores, step: str, tolerance: float = TOLERANCE) -> float:
    """The largest difference; raises GateRefused when it exceeds the tolerance or is not a number."""
    difference = largest_difference(before, after)
    require_within(difference, step, tolerance)
    return difference


def largest_difference(before: Scores, after: Scores) -> float:
    """NaN where one of them is no number."""
    return float(np.abs(before - after).max())


def require_within(difference: float, step: str, tolerance: float = TOLERANCE) -> None:
    """Raises GateRefused for a difference beyond the tolerance."""
    if not difference <= tolerance:
        raise GateRefused(
            f"no bundle written: lowering step {step!r} changes a score by {difference:.2e}, more than "
            f"{tolerance:.0e}; a layer is not rewritten exactly: report it with the model"
        )


def rewritten(network: Network, name: str, sample: Patches) -> Network:
    """The network after one pass. Raises ConfigError for a pass that does not exist."""
    if name not in PASSES:
        raise ConfigError(f"[lowering] passes: {name!r} is not a pass; use {', '.join(PASSES)}")
    return PASSES[name](network, sample)
