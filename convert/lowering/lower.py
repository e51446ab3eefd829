"""Lower a Keras model, layer by layer, exactly.

A 3D tensor (height, width, depth, channels) is carried either *packed*, as one 4-D tensor whose channels are
depth-major, or *split*, as one 4-D tensor a depth. What each layer becomes:

* Conv3D, the whole stack few channels wide: one 2D convolution with zero blocks (packed -> packed);
* Conv3D otherwise: one 2D convolution a depth over a contiguous channel range (packed) or neighbours (split -> split);
* MaxPooling3D: a 2D pool a depth, then maxima over depth;
* BatchNormalization: folded into the next dense layer;
* Dropout: nothing; Flatten: a reshape (depth-major packing is Keras' own flattening order);
* the final Dense(2, softmax): the logit difference, encoded as a thermometer (see ``ThermometerHead``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from convert.lowering.program import Channels, Concat, Conv, Dense, Flatten, Maximum, MaxPool, Op, Program, Weights
from edge.core.card import ThermometerHead
from edge.core.errors import ConfigError

WIDE_CHANNELS = 8
"""Up to this many packed input channels, one wide convolution with zero blocks beats several narrow ones."""
BANDS = 32
HEAD = ThermometerHead(low=-12.0, high=12.0, full=6.0)
"""The logit range; beyond it p_defect is within 6.2e-6 of 0 or 1."""


class _Builder:
    """The program so far, and where the tensor in hand stands."""

    def __init__(self, depth: int) -> None:
        self.ops: list[Op] = []
        self.packed: int | None = -1
        self.split: list[int] = []
        self.depth, self.channels = depth, 1
        self.scale: Weights | None = None
        self.shift: Weights | None = None

    def add(self, op: Op) -> int:
        self.ops.append(op)
        return len(self.ops) - 1

    def window(self, start: int, length: int) -> int:
        """The tensor that holds depths [start, start + length), channels depth-major."""
        if self.packed is not None:
            if length == self.depth:
                return self.packed
            return self.add(Channels((self.packed,), start * self.channels, (start + length) * self.channels))
        parts = self.split[start : start + length]
        return parts[0] if length == 1 else self.add(Concat(tuple(parts)))

    def become_split(self, parts: list[int], channels: int) -> None:
        self.packed, self.split, self.depth, self.channels = None, parts, len(parts), channels

    def become_packed(self, node: int, depth: int, channels: int) -> None:
        self.packed, self.split, self.depth, self.channels = node, [], depth, channels


def lower(model: Any) -> Program:
    """Lower a trained Keras model with input (height, width, depth, 1) and a final Dense(2, softmax).

    The program takes (n, height, width, depth) and gives the thermometer of the defect logit, (n, 32).
    Raises ConfigError naming a layer that no rule knows.
    """
    height, width, depth, channels = model.input_shape[1:]
    if channels != 1:
        raise ConfigError(f"{model.name}: input has {channels} channels a slice; only 1 is supported")
    builder = _Builder(depth)
    last = model.layers[-1]
    for layer in model.layers:
        kind = type(layer).__name__
        if kind == "InputLayer":
            continue
        if layer is last:
            _lower_head(builder, layer)
        elif kind in _RULES:
            _RULES[kind](builder, layer)
        else:
            raise ConfigError(
                f"{model.name}: layer {layer.name!r} is a {kind}, which no lowering rule knows; "
                f"use {', '.join(sorted(_RULES))}"
            )
    return Program((height, width, depth), tuple(builder.ops))


def _lower_conv3d(builder: _Builder, layer: Any) -> None:
    if layer.padding != "valid" or set(layer.strides) != {1} or set(layer.dilation_rate) != {1}:
        raise ConfigError(f"layer {layer.name!r}: only VALID convolutions with stride 1 are lowered; retrain it so")
    _refuse_after_norm(builder, layer)
    relu = _relu(layer)
    kernel = np.asarray(layer.kernel, np.float32)
    rows, columns, depth, inner, filters = kernel.shape
    bias = np.asarray(layer.bias, np.float32) if layer.use_bias else np.zeros(filters, np.float32)
    positions = builder.depth - depth + 1
    flat = kernel.reshape(rows, columns, depth * inner, filters)
    if builder.packed is not None and positions > 1 and builder.depth * inner <= WIDE_CHANNELS:
        wide = np.zeros((rows, columns, builder.depth * inner, positions * filters), np.float32)
        for d in range(positions):
            wide[:, :, d * inner : (d + depth) * inner, d * filters : (d + 1) * filters] = flat
        node = builder.add(Conv((builder.packed,), wide, np.tile(bias, positions), relu))
        builder.become_packed(node, positions, filters)
        return
    parts = [builder.add(Conv((builder.window(d, depth),), flat, bias, relu)) for d in range(positions)]
    builder.become_split(parts, filters)


def _lower_max_pooling3d(builder: _Builder, layer: Any) -> None:
    if layer.padding != "valid" or tuple(layer.strides) != tuple(layer.pool_size):
        raise ConfigError(f"layer {layer.name!r}: only VALID pools with stride = pool size are lowered; retrain it so")
    _refuse_after_norm(builder, layer)
    rows, columns, depth = layer.pool_size
    pooled = [builder.add(MaxPool((builder.window(d, 1),), rows, columns)) for d in range(builder.depth)]
    parts = []
    for start in range(0, builder.depth - depth + 1, depth):
        node = pooled[start]
        for other in pooled[start + 1 : start + depth]:
            node = builder.add(Maximum((node, other)))
        parts.append(node)
    builder.become_split(parts, builder.channels)


def _lower_batch_normalization(builder: _Builder, layer: Any) -> None:
    """Remember y = scale * x + shift a channel, for the dense layer that follows."""
    mean, variance = np.asarray(layer.moving_mean), np.asarray(layer.moving_variance)
    gamma = np.asarray(layer.gamma) if layer.scale else np.ones_like(mean)
    beta = np.asarray(layer.beta) if layer.center else np.zeros_like(mean)
    scale = gamma.astype(np.float64) / np.sqrt(variance.astype(np.float64) + layer.epsilon)
    _refuse_after_norm(builder, layer)
    builder.scale, builder.shift = scale, beta - mean * scale


def _lower_dropout(_builder: _Builder, _layer: Any) -> None:
    """Inference has no dropout."""


def _lower_flatten(builder: _Builder, _layer: Any) -> None:
    builder.become_packed(builder.add(Flatten((builder.window(0, builder.depth),))), 1, builder.channels)


def _lower_dense(builder: _Builder, layer: Any) -> None:
    relu = _relu(layer)
    kernel, bias = _folded(builder, layer)
    node = builder.add(Dense((builder.window(0, 1),), kernel, bias, "relu" if relu else "linear"))
    builder.become_packed(node, 1, kernel.shape[1])


def _lower_head(builder: _Builder, layer: Any) -> None:
    """Dense(2, softmax) -> bands of the logit difference, each 6 wide so that RELU6 clips it."""
    if type(layer).__name__ != "Dense" or layer.units != 2 or layer.activation.__name__ != "softmax":
        raise ConfigError(f"layer {layer.name!r}: the last layer must be Dense(2, softmax); retrain it so")
    kernel, bias = _folded(builder, layer)
    width = (HEAD.high - HEAD.low) / BANDS
    gain = HEAD.full / width
    floors = HEAD.low + width * np.arange(BANDS)
    logit_kernel = (kernel[:, 1] - kernel[:, 0]) * gain
    logit_bias = (bias[1] - bias[0] - floors) * gain
    bands = np.repeat(logit_kernel[:, np.newaxis], BANDS, axis=1)
    builder.add(Dense((builder.window(0, 1),), bands.astype(np.float32), logit_bias.astype(np.float32), "relu6"))


def _folded(builder: _Builder, layer: Any) -> tuple[Weights, Weights]:
    """The layer's kernel and bias with a pending normalisation folded in."""
    kernel = np.asarray(layer.kernel, np.float32)
    bias = np.asarray(layer.bias, np.float32) if layer.use_bias else np.zeros(kernel.shape[1], np.float32)
    if builder.scale is None or builder.shift is None:
        return kernel, bias
    repeats = kernel.shape[0] // builder.scale.size
    scale, shift = np.tile(builder.scale, repeats), np.tile(builder.shift, repeats)
    builder.scale = builder.shift = None
    return (
        (kernel * scale[:, np.newaxis]).astype(np.float32),
        (bias + shift @ kernel.astype(np.float64)).astype(np.float32),
    )


def _relu(layer: Any) -> bool:
    name = layer.activation.__name__
    if name not in {"relu", "linear"}:
        raise ConfigError(f"layer {layer.name!r}: activation {name!r} is not lowered; use relu or linear")
    return bool(name == "relu")


def _refuse_after_norm(builder: _Builder, layer: Any) -> None:
    if builder.scale is not None:
        raise ConfigError(
            f"layer {layer.name!r}: follows a BatchNormalization that only a dense layer can take up; reorder them"
        )


_RULES: dict[str, Callable[[_Builder, Any], None]] = {
    "Conv3D": _lower_conv3d,
    "MaxPooling3D": _lower_max_pooling3d,
    "BatchNormalization": _lower_batch_normalization,
    "Dropout": _lower_dropout,
    "Flatten": _lower_flatten,
    "Dense": _lower_dense,
}
