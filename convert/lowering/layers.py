"""A trained network as plain data: a chain of layers with numpy weights, what every pass takes and gives.

A joint is a *volume* (height, width, depth, channels), its depth the slices; ``FlattenSlices`` makes it a *sequence*
(depth, features), ``Flatten`` and ``Lstm`` a *vector*. The last layer is the classifier.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from edge.core.logistic import probabilities
from edge.core.rules import Head, TaskName

Weights = NDArray[np.float32]
Triple = tuple[int, int, int]
Activation = Literal["linear", "relu", "relu6"]
"""``relu6``: clipped to [0, 6], the one ceiling that int8 kernels take along for nothing."""


@dataclass(frozen=True)
class Layer:
    """``name``: the Keras layer's, so that refusals and reports can name it."""

    name: str


@dataclass(frozen=True)
class Conv(Layer):
    """Convolution over a volume; ``kernel`` (height, width, depth, in, out), ``bias`` (out,), ``same``: zero-padded."""

    kernel: Weights
    bias: Weights
    activation: Activation
    strides: Triple = (1, 1, 1)
    same: bool = False


@dataclass(frozen=True)
class MaxPool(Layer):
    """Max pooling over a volume."""

    size: Triple
    strides: Triple
    same: bool = False


@dataclass(frozen=True)
class Norm(Layer):
    """A settled batch normalisation: y = scale * x + shift a channel, float64."""

    scale: NDArray[np.float64]
    shift: NDArray[np.float64]


@dataclass(frozen=True)
class Relu(Layer):
    """max(0, x) by itself."""


@dataclass(frozen=True)
class Dropout(Layer):
    """Nothing, at inference."""


@dataclass(frozen=True)
class Flatten(Layer):
    """Volume to vector, channels fastest, then depth, width, height."""


@dataclass(frozen=True)
class FlattenSlices(Layer):
    """Volume to sequence: a vector a slice."""


@dataclass(frozen=True)
class Dense(Layer):
    """Matrix product on a vector, or on each of a sequence; ``kernel`` (in, out)."""

    kernel: Weights
    bias: Weights
    activation: Activation


@dataclass(frozen=True)
class Lstm(Layer):
    """Sequence to its last state (units,). Each kernel is a product of one or two matrices; gates in Keras' order."""

    kernel: tuple[Weights, ...]
    recurrent: tuple[Weights, ...]
    bias: Weights

    @property
    def units(self) -> int:
        return self.bias.size // 4


@dataclass(frozen=True)
class Softmax(Layer):
    """The classifier: Dense(2, softmax), normal and defect."""

    kernel: Weights
    bias: Weights

    task: ClassVar[TaskName] = "joint_defect"

    def scores_from(self, readings: NDArray[np.float64]) -> NDArray[np.float64]:
        return probabilities(readings)


@dataclass(frozen=True)
class Partition(Layer):
    """Degrees of membership of a coordinate u in fuzzy sets: one more set than ramps.

    Ramp i rises from 0 where u is ``low`` to 1 where it is ``high``; set i is what ramp i - 1 has and ramp i has not.
    """

    low: Weights
    high: Weights


@dataclass(frozen=True)
class Sugeno(Layer):
    """One rule a fuzzy set: the quality index is the mean of the ``consequents`` (sets,), weighted by the degrees."""

    consequents: Weights

    task: ClassVar[TaskName] = "joint_quality"

    def scores_from(self, readings: NDArray[np.float64]) -> NDArray[np.float64]:
        return readings


@dataclass(frozen=True)
class Thermometer(Layer):
    """What the head reads: bands of the defect logit or ramps between fuzzy sets, each clipped to [0, full].

    ``kernel``: (in, bands).
    """

    kernel: Weights
    bias: Weights
    head: Head

    @property
    def task(self) -> TaskName:
        return self.head.task

    def scores_from(self, readings: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.head.scores(readings)


def parts_from(head: Head, bands: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each of the head's parts shows (n, parts), of real-valued bands (n, parts * bands)."""
    each = bands.shape[1] // head.parts
    parts: NDArray[np.float64] = head.start + bands.reshape(-1, head.parts, each) @ np.array(head.weights(each))
    return parts


def readings_from(head: Head, bands: NDArray[np.float64]) -> NDArray[np.float64]:
    """The defect logits or quality indices (n,) that real-valued bands (n, parts * bands) show."""
    return np.array([head.reading(parts) for parts in parts_from(head, bands).tolist()])


@dataclass(frozen=True)
class Network:
    """``input_shape``: (height, width, slices)."""

    name: str
    input_shape: Triple
    layers: tuple[Layer, ...]

    @property
    def task(self) -> TaskName:
        """What the network is for, which its last layer shows."""
        return self._last.task

    @property
    def sequential(self) -> bool:
        """Whether it takes slices one after the other, remembering."""
        return any(isinstance(layer, Lstm) for layer in self.layers)

    def scores_from(self, readings: NDArray[np.float64]) -> NDArray[np.float64]:
        """p_defect, or the quality index, of readings."""
        return self._last.scores_from(readings)

    @property
    def _last(self) -> Softmax | Sugeno | Thermometer:
        last = self.layers[-1]
        if not isinstance(last, Softmax | Sugeno | Thermometer):
            raise TypeError(f"{self.name}: ends in {type(last).__name__}, which gives no score")
        return last

    def with_layers(self, layers: list[Layer]) -> Network:
        return replace(self, layers=tuple(layers))


def single(values: NDArray[np.float64]) -> Weights:
    """Weights as networks hold them, after arithmetic in double precision."""
    return values.astype(np.float32)


def padding(length: int, kernel: int, stride: int, *, same: bool) -> tuple[int, int]:
    """(zeros before, positions) along one axis, as TensorFlow's SAME and VALID have them."""
    if not same:
        return 0, (length - kernel) // stride + 1
    positions = -(-length // stride)
    return max((positions - 1) * stride + kernel - length, 0) // 2, positions


def zeros_after(length: int, kernel: int, stride: int, before: int, positions: int) -> int:
    """Zeros that ``padding`` needs at the other end."""
    return max(0, (positions - 1) * stride + kernel - length - before)


def padding_word(*, same: bool) -> str:
    """TensorFlow's word for it."""
    return "SAME" if same else "VALID"


def describe(layer: Layer) -> str:
    """``Conv 'conv1'``."""
    return f"{type(layer).__name__} {layer.name!r}"


def number_of_weights(network: Network) -> int:
    return sum(_sizes(value) for layer in network.layers for value in vars(layer).values())


def _sizes(value: Any) -> int:
    if isinstance(value, tuple):
        return sum(_sizes(part) for part in value)
    return value.size if isinstance(value, np.ndarray) else 0
