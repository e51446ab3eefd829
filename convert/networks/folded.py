"""The same network, computed faster on a CPU: 3D layers as 2D ones, with depth folded into the batch.

A convolution whose kernel is ``d`` deep, VALID, stride 1, is at each output depth a 2D convolution over the
concatenated channels of ``d`` neighbouring slices. With depth as the leading axis all output depths are one batch, so
each 3D layer is a single 2D operation. The model's own weights are used: nothing is copied, gradients reach them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from keras import layers, ops

from convert.networks.lowrank import LowRankLSTM


def folded(model: Any, *, rounded: bool = False) -> Callable[..., Any]:
    """A function (inputs, training) -> outputs that computes a ``model`` that is a chain.

    Inputs are as the model's: (n, height, width, depth, 1). Layers that know nothing of depth are called as they are.
    ``rounded``: in training, what passes between layers is rounded to 256 levels, as int8 will round it (gradients pass
    unchanged; Jacob et al. 2018), so that the weights learn to bear it.
    """

    chain = [layer for layer in model.layers if not isinstance(layer, layers.InputLayer)]

    def run(inputs: Any, *, training: bool) -> Any:
        value = ops.transpose(inputs, (3, 0, 1, 2, 4))  # depth, n, height, width, channels
        for layer in chain:
            rounding = rounded and training and layer is not chain[-1]
            if rounding and isinstance(layer, LowRankLSTM):
                value = layer(ops.transpose(value, (1, 0, 2)), rounding=_to_8_bits)
                continue
            value = _applied(layer, value, training=training)
            if rounding and not isinstance(layer, layers.Dropout):
                value = _to_8_bits(value)
        return value

    return run


def _to_8_bits(value: Any) -> Any:
    """Rounded to 256 levels between the least (at most 0) and the greatest value here."""
    low = tf.minimum(tf.stop_gradient(tf.reduce_min(value)), 0.0)
    high = tf.maximum(tf.stop_gradient(tf.reduce_max(value)), low + 1e-6)
    return tf.quantization.fake_quant_with_min_max_vars(value, low, high)


def _applied(layer: Any, value: Any, *, training: bool) -> Any:  # noqa: PLR0911 - one case a kind of layer
    match layer:
        case layers.Conv3D() | layers.MaxPooling3D() if not _foldable(layer):
            return ops.transpose(layer(ops.transpose(value, (1, 2, 3, 0, 4))), (3, 0, 1, 2, 4))
        case layers.Conv3D():
            return _convolved(layer, value)
        case layers.MaxPooling3D():
            return _pooled(layer, value)
        case layers.Permute():  # to a sequence of slices, which the value is already
            return value
        case layers.TimeDistributed():
            each = layer.layer
            batch = ops.reshape(value, (-1, *value.shape[2:]))
            result = each(batch, training=training) if isinstance(each, _HAS_MODES) else each(batch)
            return ops.reshape(result, (value.shape[0], -1, *result.shape[1:]))
        case layers.RNN() | LowRankLSTM():
            return layer(ops.transpose(value, (1, 0, 2)))
        case layers.Flatten():
            return layer(ops.transpose(value, (1, 2, 3, 0, 4)))
        case layers.BatchNormalization() | layers.Dropout():
            return layer(value, training=training)
        case _:
            return layer(value)


_HAS_MODES = (layers.BatchNormalization, layers.Dropout)


def _foldable(layer: Any) -> bool:
    """Whether the layer is VALID and steps as the folded form of its kind does; any other is called as it is."""
    if layer.padding != "valid" or layer.data_format != "channels_last":
        return False
    if isinstance(layer, layers.Conv3D):
        return {*layer.strides, *layer.dilation_rate, layer.groups} == {1}
    return tuple(layer.strides) == tuple(layer.pool_size)


def _convolved(layer: Any, value: Any) -> Any:
    rows, columns, depth, inner, filters = layer.kernel.shape
    slices = ops.unstack(value, axis=0)
    positions = len(slices) - depth + 1
    windows = [ops.concatenate(slices[d : d + depth], axis=-1) if depth > 1 else slices[d] for d in range(positions)]
    flat = ops.reshape(layer.kernel, (rows, columns, depth * inner, filters))
    batch = ops.concatenate(windows, axis=0) if positions > 1 else windows[0]
    convolved = ops.conv(batch, flat, padding="valid")
    convolved = layer.activation(convolved + layer.bias if layer.use_bias else convolved)
    return ops.reshape(convolved, (positions, -1, *convolved.shape[1:]))


def _pooled(layer: Any, value: Any) -> Any:
    rows, columns, depth = layer.pool_size
    pooled = ops.max_pool(ops.reshape(value, (-1, *value.shape[2:])), (rows, columns), padding="valid")
    slices = ops.unstack(ops.reshape(pooled, (value.shape[0], -1, *pooled.shape[1:])), axis=0)
    highest = []
    for start in range(0, len(slices) - depth + 1, depth):
        group = slices[start]
        for other in slices[start + 1 : start + depth]:
            group = ops.maximum(group, other)
        highest.append(group)
    return ops.stack(highest, axis=0)
