"""The lowered network: a short list of operations on 4-D (n, height, width, channels) and 2-D tensors.

Plain data with numpy weights: it can be inspected, compared, pickled to the converter's process and run in TensorFlow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float32]


@dataclass(frozen=True)
class Op:
    """``inputs`` are positions of earlier operations; -1 is the network's input."""

    inputs: tuple[int, ...]


@dataclass(frozen=True)
class Conv(Op):
    """2D convolution, VALID, stride 1; kernel (height, width, in, out)."""

    kernel: Weights
    bias: Weights
    relu: bool


@dataclass(frozen=True)
class Channels(Op):
    """A contiguous range of channels [start, stop)."""

    start: int
    stop: int


@dataclass(frozen=True)
class Concat(Op):
    """Concatenation along channels."""


@dataclass(frozen=True)
class MaxPool(Op):
    """Non-overlapping 2D max pooling, VALID."""

    rows: int
    columns: int


@dataclass(frozen=True)
class Maximum(Op):
    """Element-wise maximum of two tensors."""


@dataclass(frozen=True)
class Flatten(Op):
    """To (n, values), height first, channels last."""


@dataclass(frozen=True)
class Dense(Op):
    """Matrix product with (in, out) ``kernel``; ``activation`` is linear, relu or relu6."""

    kernel: Weights
    bias: Weights
    activation: str


@dataclass(frozen=True)
class Program:
    """Operations in order; the last one's result is the output. ``input_shape`` is without the batch."""

    input_shape: tuple[int, ...]
    ops: tuple[Op, ...]


def large_weights(program: Program) -> list[Weights]:
    """The dense layers' kernels, transposed to (out, in), in order of their operations."""
    return [np.ascontiguousarray(op.kernel.T) for op in program.ops if isinstance(op, Dense)]


def run(program: Program, inputs: Any, dense_kernels: Sequence[Any] | None = None) -> Any:
    """Build the program in TensorFlow on ``inputs`` (n, height, width, channels), float32.

    ``dense_kernels`` stands for ``large_weights(program)``, as tf.Variables for example.
    """
    kernels = iter(large_weights(program) if dense_kernels is None else dense_kernels)
    results: list[Any] = []
    for op in program.ops:
        values = [inputs if i < 0 else results[i] for i in op.inputs]
        results.append(_dense(op, values[0], next(kernels)) if isinstance(op, Dense) else _apply(op, values))
    return results[-1]


def _dense(op: Dense, value: Any, kernel: Any) -> Any:
    """``kernel`` is (out, in): the converter folds a transpose only of small constants.

    It would take a large transposed kernel for an activation and give it a zero point, which runtimes disagree on.
    """
    import tensorflow as tf

    result = tf.nn.bias_add(tf.matmul(value, kernel, transpose_b=True), op.bias)
    return {"linear": tf.identity, "relu": tf.nn.relu, "relu6": tf.nn.relu6}[op.activation](result)


def _apply(op: Op, values: list[Any]) -> Any:
    import tensorflow as tf

    match op:
        case Conv(kernel=kernel, bias=bias, relu=relu):
            result = tf.nn.bias_add(tf.nn.conv2d(values[0], kernel, 1, "VALID"), bias)
            return tf.nn.relu(result) if relu else result
        case Channels(start=start, stop=stop):
            return values[0][..., start:stop]
        case Concat():
            return tf.concat(values, axis=-1)
        case MaxPool(rows=rows, columns=columns):
            return tf.nn.max_pool2d(values[0], (rows, columns), (rows, columns), "VALID")
        case Maximum():
            return tf.maximum(values[0], values[1])
        case Flatten():
            return tf.reshape(values[0], (-1, int(np.prod(values[0].shape[1:]))))
        case _:
            raise TypeError(f"no rule to run {type(op).__name__}")
