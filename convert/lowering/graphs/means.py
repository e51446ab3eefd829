"""Means over a whole picture as convolutions: what TFLite's own kernel of MEAN gives hangs on the number of threads.

A channel's mean is a convolution of it by itself with equal weights, which int8 holds exactly; its sums are whole
numbers, in whatever order they are added. Large pictures take two, the first in blocks.
"""

from __future__ import annotations

import numpy as np

from convert.lowering.graphs.rewriting import rebuilt
from convert.lowering.program import Depthwise, Op, Program, Reduce, Reshape
from convert.lowering.shapes import shapes_of

_MOST_TAPS = 256


def convolve_means(program: Program) -> Program:
    """Where a picture is averaged over both its axes, and its size has a block to do it by."""
    shapes = [*shapes_of(program), program.input_shape]  # -1 is the input

    def become(place: int, op: Op, following: int) -> list[Op]:
        if not isinstance(op, Reduce) or op.function != "mean" or op.axes != (1, 2):
            return [op]
        shape = shapes[program.ops[place].inputs[0]]
        return _averaging(op, shape, following) if len(shape) == 3 else [op]

    return rebuilt(program, become)


def _averaging(op: Reduce, shape: tuple[int, ...], place: int) -> list[Op]:
    rows, columns, channels = shape
    first = _block(rows, columns)
    if first is None:
        return [op]
    found: list[Op] = []
    value = op.inputs[0]
    for name, size in ((f"{op.name}/blocks", first), (f"{op.name}/whole", (rows // first[0], columns // first[1]))):
        if size != (1, 1):
            kernel = np.full((*size, channels, 1), 1 / (size[0] * size[1]), np.float32)
            found.append(Depthwise(name, (value,), kernel, np.zeros(channels, np.float32), size))
            value = place + len(found) - 1
    ending = (1, 1, channels) if op.keep else (channels,)
    return [*found, Reshape(op.name, (value,), ending)]


def _block(rows: int, columns: int) -> tuple[int, int] | None:
    """The largest block that a picture is made of, few enough to be one convolution each; None where there is none."""
    blocks = [
        (high, wide)
        for high in range(1, rows + 1)
        for wide in range(1, columns + 1)
        if not (rows % high or columns % wide)
        and high * wide <= _MOST_TAPS
        and (rows // high) * (columns // wide) <= _MOST_TAPS
    ]
    return max(blocks, key=lambda block: (block[0] * block[1], -abs(block[0] - block[1])), default=None)
