"""The lowered network: a short list of operations on 4-D (n, height, width, channels) and 2-D tensors.

Plain data with numpy weights: it can be inspected, compared and pickled to the converter's process.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convert.lowering.layers import Activation, Triple, Weights
from edge.core.rules import Head


@dataclass(frozen=True)
class Op:
    """``inputs`` are positions of earlier operations; -1 is the network's input. ``name``: unlike every other's."""

    name: str
    inputs: tuple[int, ...]


@dataclass(frozen=True)
class Conv2d(Op):
    """2D convolution; kernel (height, width, in of a group, out)."""

    kernel: Weights
    bias: Weights
    activation: Activation
    strides: tuple[int, int]
    same: bool
    dilations: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class Depthwise(Op):
    """2D convolution of every channel by itself; kernel (height, width, channels, out of each)."""

    kernel: Weights
    bias: Weights
    strides: tuple[int, int] = (1, 1)
    same: bool = False
    dilations: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class Affine(Op):
    """scale * x + shift, a channel, which is the last axis."""

    scale: NDArray[np.float64]
    shift: NDArray[np.float64]


@dataclass(frozen=True)
class Constant(Op):
    """``values``, with a leading axis of 1, whatever the joint."""

    values: Weights


@dataclass(frozen=True)
class Pad(Op):
    """``value`` around it; ``widths``: (before, after) of every axis but the first."""

    widths: tuple[tuple[int, int], ...]
    value: float = 0.0


@dataclass(frozen=True)
class Cut(Op):
    """A part of it: [start, start + length) of every axis but the first."""

    starts: tuple[int, ...]
    lengths: tuple[int, ...]


@dataclass(frozen=True)
class AveragePool2d(Op):
    """2D average pooling; what padding adds does not count."""

    size: tuple[int, int]
    strides: tuple[int, int]
    same: bool


@dataclass(frozen=True)
class Reduce(Op):
    """``function`` (mean, max, sum) over these axes."""

    function: str
    axes: tuple[int, ...]
    keep: bool


@dataclass(frozen=True)
class Resize(Op):
    """To ``size`` (height, width), nearest or bilinear, as TensorFlow's operation of that name."""

    size: tuple[int, int]
    method: str
    half_pixel_centers: bool
    align_corners: bool


@dataclass(frozen=True)
class Permute(Op):
    """Axes in another order; the first stays."""

    axes: tuple[int, ...]


@dataclass(frozen=True)
class LeakyRelu(Op):
    """x, or ``slope`` * x below 0."""

    slope: float


@dataclass(frozen=True)
class Channels(Op):
    """A contiguous range of channels [start, stop)."""

    start: int
    stop: int


@dataclass(frozen=True)
class Concat(Op):
    """Concatenation, along channels as a rule."""

    axis: int = -1


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
    """``function`` of one tensor (sigmoid, relu, ...) or two (maximum, add, multiply, ...)."""

    function: str


@dataclass(frozen=True)
class Reshape(Op):
    """To (n, values), height first, channels last; or to (-1, *shape)."""

    shape: tuple[int, ...] | None = None


@dataclass(frozen=True)
class MatMul(Op):
    """Product with matrix number ``matrix`` of the program."""

    matrix: int
    bias: Weights | None
    activation: Activation


MOVES = (Channels, Concat, Stack, Step, Reshape, Pad, Cut, Permute, Constant)
"""Operations that move values and change none."""


@dataclass(frozen=True)
class Program:
    """Operations in order; the last one's result is the output. ``input_shape`` is without the batch.

    ``matrices``: (out, in), each once however many operations share it. ``head``: how the output is read.
    ``features``: the place of the operation whose result is the second output, (n, features); None for none.
    """

    input_shape: Triple
    ops: tuple[Op, ...]
    matrices: tuple[Weights, ...]
    head: Head
    features: int | None = None

    @property
    def weights(self) -> int:
        """How many numbers it holds."""
        held = [value for op in self.ops for value in vars(op).values() if isinstance(value, np.ndarray)]
        return sum(values.size for values in (*held, *self.matrices))
