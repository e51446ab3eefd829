"""A second output: what the network sees of a joint, averaged over the picture, by which unfamiliar joints are told.

Of the last three sizes that the picture has on its way, the last result each: early ones know strange textures, late
ones strange shapes. Large pictures are left out where there are small ones: they take longest to average. Each channel
is scaled to what calibration joints show, so that 8 bits serve them all.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from convert.lots.patches import scaled_batches
from convert.lowering.graphs.means import averaging
from convert.lowering.program import Concat, MatMul, Op, Program, Reshape, Step
from convert.lowering.running import trace

_NAME = "features"
_SIZES = 3
_LARGE = 32 * 32
_REACH = 3.0
"""What a channel's mean comes to on calibration joints at most."""
_DULL = 0.05
"""Channels that show less than this share of what the liveliest shows are not made to show as much."""


class _Level(NamedTuple):
    """An operation whose result is averaged: its place, its rows a joint, and what its shape is without them."""

    place: int
    rows: int
    shape: tuple[int, int, int]


def with_features(program: Program, sample: NDArray[np.uint8]) -> Program:
    """The program with its second output, where it works on pictures; as it is, where not.

    ``sample``: patches (n, size, size, slices).
    """
    levels = _levels(program)
    if not levels:
        return program
    reaches = _reaches(program, levels, sample)
    *before, last = program.ops
    ops, matrices = list[Op](before), list(program.matrices)
    parts = tuple(_averaged(ops, matrices, level, reach) for level, reach in zip(levels, reaches, strict=True))
    ops.append(Concat(_NAME, parts))
    return replace(program, ops=(*ops, last), matrices=tuple(matrices), features=len(ops) - 1)


def _levels(program: Program) -> list[_Level]:
    import tensorflow as tf

    found: dict[tuple[int, int], _Level] = {}

    @tf.function(input_signature=[tf.TensorSpec((1, *program.input_shape), tf.float32)], autograph=False)
    def compute(patch: object) -> object:
        results = trace(program, patch)
        for place, result in enumerate(results[:-1]):
            rows, *shape = (int(n) for n in result.shape)
            if len(shape) == 3 and shape[:2] != [1, 1]:
                found.pop((shape[0], shape[1]), None)  # the last one of a size, in the order of the last ones
                found[shape[0], shape[1]] = _Level(place, rows, (shape[0], shape[1], shape[2]))
        return results[-1]

    compute.get_concrete_function()
    last = list(found.values())[-_SIZES:]
    return [level for level in last if level.shape[0] * level.shape[1] <= _LARGE] or last[-1:]


def _reaches(program: Program, levels: list[_Level], sample: NDArray[np.uint8]) -> list[NDArray[np.float64]]:
    """The largest mean of every channel, by level: (channels,)."""
    found = [np.zeros(level.shape[2]) for level in levels]
    for inputs in scaled_batches(sample, 16):
        results = trace(program, inputs)
        for reach, level in zip(found, levels, strict=True):
            means = np.abs(np.asarray(results[level.place], np.float64).mean(axis=(1, 2)))
            np.maximum(reach, means.max(axis=0), out=reach)
    return found


def _averaged(ops: list[Op], matrices: list[NDArray[np.float32]], level: _Level, reach: NDArray[np.float64]) -> int:
    """Where the level's means stand, one row a joint, scaled to ``_REACH``."""
    name, channels = f"{_NAME}/{level.shape[0]}", level.shape[2]
    gain = _REACH / np.maximum(reach, max(_DULL * reach.max(), 1e-6))
    ops += averaging(name, level.place, level.shape, gain, len(ops))
    ops.append(Reshape(f"{name}/flat", (len(ops) - 1,), (channels,)))
    if level.rows == 1:
        return len(ops) - 1
    stacked = len(ops) - 1
    ops += [Step(f"{name}/slice{number}", (stacked,), number, level.rows) for number in range(level.rows)]
    ops.append(Concat(f"{name}/slices", tuple(range(stacked + 1, len(ops)))))
    matrices.append(np.tile(np.eye(channels, dtype=np.float32) / level.rows, level.rows))
    ops.append(MatMul(f"{name}/mean", (len(ops) - 1,), len(matrices) - 1, None, "linear"))
    return len(ops) - 1
