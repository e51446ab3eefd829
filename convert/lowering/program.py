"""The lowered network: a short list of operations on 4-D (n, height, width, channels) and 2-D tensors.

Plain data with numpy weights: it can be inspected, compared, pickled to the converter's process and run in TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convert.lowering.layers import Activation, Triple, Weights, padding_word
from edge.core.rules import Head


@dataclass(frozen=True)
class Op:
    """``inputs`` are positions of earlier operations; -1 is the network's input. ``name``: unlike every other's."""

    name: str
    inputs: tuple[int, ...]


@dataclass(frozen=True)
class Conv2d(Op):
    """2D convolution; kernel (height, width, in, out)."""

    kernel: Weights
    bias: Weights
    activation: Activation
    strides: tuple[int, int]
    same: bool


@dataclass(frozen=True)
class Channels(Op):
    """A contiguous range of channels [start, stop)."""

    start: int
    stop: int


@dataclass(frozen=True)
class Concat(Op):
    """Concatenation along channels."""


@dataclass(frozen=True)
class Stack(Op):
    """Concatenation along the batch: what is done to every slice alike is done once."""


@dataclass(frozen=True)
class Step(Op):
    """The rows of one of ``steps`` equal parts of a batch."""

    number: int
    steps: int


@dataclass(frozen=True)
class MaxPool2d(Op):
    """2D max pooling."""

    size: tuple[int, int]
    strides: tuple[int, int]
    same: bool


@dataclass(frozen=True)
class Elementwise(Op):
    """``function`` of one tensor (sigmoid, tanh) or two (maximum, add, multiply)."""

    function: str


@dataclass(frozen=True)
class Reshape(Op):
    """To (n, values), height first, channels last."""


@dataclass(frozen=True)
class MatMul(Op):
    """Product with matrix number ``matrix`` of the program."""

    matrix: int
    bias: Weights | None
    activation: Activation


MOVES = (Channels, Concat, Stack, Step, Reshape)
"""Operations that move values and change none."""


@dataclass(frozen=True)
class Program:
    """Operations in order; the last one's result is the output. ``input_shape`` is without the batch.

    ``matrices``: (out, in), each once however many operations share it. ``head``: how the output is read.
    """

    input_shape: Triple
    ops: tuple[Op, ...]
    matrices: tuple[Weights, ...]
    head: Head


def run(program: Program, inputs: Any, matrices: Sequence[Any] | None = None) -> Any:
    """Build the program in TensorFlow on ``inputs`` (n, height, width, channels), float32; the output.

    ``matrices`` stands for the program's own, as tf.Variables for example.
    """
    return trace(program, inputs, matrices)[-1]


def trace(program: Program, inputs: Any, matrices: Sequence[Any] | None = None) -> list[Any]:
    """The result of every operation, in order."""
    import tensorflow as tf

    weights = program.matrices if matrices is None else matrices
    results: list[Any] = []
    for op in program.ops:
        values = [inputs if i < 0 else results[i] for i in op.inputs]
        with tf.name_scope(op.name):
            results.append(apply(op, values, weights))
    return results


def apply(op: Op, values: Sequence[Any], matrices: Sequence[Any]) -> Any:  # noqa: PLR0911 - one case a kind
    """What one operation gives for its inputs, in float32."""
    import tensorflow as tf

    first = values[0]
    match op:
        case Conv2d(kernel=kernel, bias=bias, activation=activation, strides=strides, same=same):
            result = tf.nn.bias_add(tf.nn.conv2d(first, kernel, strides, padding_word(same=same)), bias)
            return ACTIVATIONS[activation](result)
        case Channels(start=start, stop=stop):
            return first[..., start:stop]
        case Concat():
            return tf.concat(values, axis=-1)
        case Stack():
            return tf.concat(values, axis=0)
        case Step(number=number, steps=steps):
            rows = first.shape[0] // steps
            return first[number * rows : (number + 1) * rows]
        case MaxPool2d(size=size, strides=strides, same=same):
            return tf.nn.max_pool2d(first, size, strides, padding_word(same=same))
        case Elementwise(function=function):
            return _FUNCTIONS[function](*values)
        case Reshape():
            return tf.reshape(first, (-1, int(np.prod(first.shape[1:]))))
        case MatMul(matrix=matrix, bias=bias, activation=activation):
            # The matrix is (out, in): the converter folds a transpose only of small constants. It would take a large
            # transposed one for an activation and give it a zero point, which runtimes disagree on.
            result = tf.matmul(first, matrices[matrix], transpose_b=True)
            return ACTIVATIONS[activation](result if bias is None else tf.nn.bias_add(result, bias))
        case _:
            raise TypeError(f"no rule to run {type(op).__name__}")


def _named(name: str) -> Any:
    def call(*values: Any) -> Any:
        import tensorflow as tf

        return getattr(tf, name)(*values)

    return call


def _relu(name: str) -> Any:
    def call(value: Any) -> Any:
        import tensorflow as tf

        return getattr(tf.nn, name)(value)

    return call


_FUNCTIONS = {name: _named(name) for name in ("sigmoid", "tanh", "maximum", "add", "multiply")}
ACTIVATIONS: dict[Activation, Callable[[Any], Any]] = {
    "linear": lambda value: value,
    "relu": _relu("relu"),
    "relu6": _relu("relu6"),
}
