"""Means over a whole picture as convolutions: what TFLite's own kernel of MEAN gives hangs on the number of threads.

A channel's mean is a convolution of it by itself with equal weights, which int8 holds exactly; its sums are whole
numbers, in whatever order they are added. Large pictures take two, the first in blocks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from convert.lowering.graphs.rewriting import rebuilt
from convert.lowering.program import Depthwise, Op, Program, Reduce, Reshape
from convert.lowering.shapes import shapes_of

_HANDY_TAPS, _MOST_TAPS = 256, 1024


def convolve_means(program: Program) -> Program:
    """Where a picture is averaged over both its axes, and its size has a block to do it by."""
    shapes = [*shapes_of(program), program.input_shape]  # -1 is the input

    def become(place: int, op: Op, following: int) -> list[Op]:
        if not isinstance(op, Reduce) or op.function != "mean" or op.axes != (1, 2):
            return [op]
        shape = shapes[program.ops[place].inputs[0]]
        if len(shape) != 3:
            return [op]
        found = averaging(op.name, op.inputs[0], shape, np.ones(shape[2]), following)
        if found is None:
            return [op]
        last = following + len(found) - 1 if found else op.inputs[0]
        return [*found, Reshape(op.name, (last,), (1, 1, shape[2]) if op.keep else (shape[2],))]

    return rebuilt(program, become)


def averaging(name: str, value: int, shape: tuple[int, ...], gain: NDArray[np.float64], place: int) -> list[Op] | None:
    """Operations from ``place`` on, the last of which gives the channels' means, (1, 1, channels), times ``gain``.

    None where the picture has no block to do it by; of a picture of one pixel there is nothing to do.
    """
    rows, columns, channels = shape
    first = _block(rows, columns)
    if first is None:
        return None
    found: list[Op] = []
    sizes = {"blocks": first, "whole": (rows // first[0], columns // first[1])}
    wanted = [(part, size) for part, size in sizes.items() if size != (1, 1)]
    for part, size in wanted:
        scale = gain if part == wanted[-1][0] else np.ones(channels)
        kernel = np.tile(scale[:, np.newaxis] / (size[0] * size[1]), (*size, 1, 1)).astype(np.float32)
        found.append(Depthwise(f"{name}/{part}", (value,), kernel, np.zeros(channels, np.float32), (max(size),) * 2))
        value = place + len(found) - 1
    return found


def _block(rows: int, columns: int) -> tuple[int, int] | None:
    """The largest square block that a picture is made of, few enough to be one convolution each; None where there is
    none. TensorFlow's convolutions by channel step alike in both directions.
    """
    sides = [side for side in range(1, min(rows, columns) + 1) if not (rows % side or columns % side)]
    for most in (_HANDY_TAPS, _MOST_TAPS):
        fitting = [side for side in sides if max(side * side, (rows // side) * (columns // side)) <= most]
        if fitting:
            return max(fitting), max(fitting)
    return None
