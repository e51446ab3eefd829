"""Means over a whole picture as convolutions: what TFLite's own kernel of MEAN gives hangs on the number of threads.

A channel's mean is a convolution of it by itself with equal weights, which int8 holds exactly; its sums are whole
numbers, in whatever order they are added. XNNPACK has quick kernels for few taps only, so a mean takes several steps.
"""

from __future__ import annotations

from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from convert.lowering.graphs.rewriting import rebuilt
from convert.lowering.program import Depthwise, Op, Program, Reduce, Reshape
from convert.lowering.shapes import shapes_of

_QUICK_TAPS = 25
_SIDES = (5, 4, 3, 2)
"""Of square blocks with so few taps."""
_SLOWER = 30
"""How much longer a convolution with more taps takes for each of them (int8 and AVX-512, six sizes measured)."""
_STEP = 500
"""Taps that a step of its own must save: each rounds once more."""


class _Step(NamedTuple):
    rows: int
    columns: int
    stride: int


def convolve_means(program: Program) -> Program:
    """Where a picture is averaged over both its axes."""
    shapes = [*shapes_of(program), program.input_shape]  # -1 is the input

    def become(place: int, op: Op, following: int) -> list[Op]:
        if not isinstance(op, Reduce) or op.function != "mean" or op.axes != (1, 2):
            return [op]
        shape = shapes[program.ops[place].inputs[0]]
        if len(shape) != 3:
            return [op]
        found = averaging(op.name, op.inputs[0], shape, np.ones(shape[2]), following)
        last = following + len(found) - 1 if found else op.inputs[0]
        return [*found, Reshape(op.name, (last,), (1, 1, shape[2]) if op.keep else (shape[2],))]

    return rebuilt(program, become)


def averaging(name: str, value: int, shape: tuple[int, ...], gain: NDArray[np.float64], place: int) -> list[Op]:
    """Operations from ``place`` on, the last of which gives the channels' means, (1, 1, channels), times ``gain``; of a
    picture of one pixel there is nothing to do.
    """
    rows, columns, channels = shape
    found: list[Op] = []
    _, steps = _cheapest(rows, columns)
    for number, step in enumerate(steps):
        scale = gain if number == len(steps) - 1 else np.ones(channels)
        equal = scale[:, np.newaxis] / (step.rows * step.columns)
        kernel = np.tile(equal, (step.rows, step.columns, 1, 1)).astype(np.float32)
        shift = np.zeros(channels, np.float32)
        found.append(Depthwise(f"{name}/{step.rows}x{step.columns}", (value,), kernel, shift, (step.stride,) * 2))
        value = place + number
    return found


@lru_cache(maxsize=256)
def _cheapest(rows: int, columns: int) -> tuple[int, tuple[_Step, ...]]:
    """Steps that leave one pixel of a picture, and what they cost in taps: small square blocks that it is made of,
    whole rows or whole columns. TensorFlow's convolutions by channel step alike in both directions.
    """
    if rows == columns == 1:
        return 0, ()
    blocks = [_Step(side, side, side) for side in _SIDES if not (rows % side or columns % side)]
    lines = [_Step(*size, 1) for size in ((1, columns), (rows, 1)) if size != (1, 1)]
    return min((_with_rest(step, rows, columns) for step in (*blocks, *lines)), key=itemgetter(0))


def _with_rest(step: _Step, rows: int, columns: int) -> tuple[int, tuple[_Step, ...]]:
    taps = step.rows * step.columns
    left = rows // step.rows, columns // step.columns
    rest, others = _cheapest(*left)
    return left[0] * left[1] * taps * (1 if taps <= _QUICK_TAPS else _SLOWER) + _STEP + rest, (step, *others)
