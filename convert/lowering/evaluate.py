"""What a network of plain layers computes, in float32: the meaning that every pass must keep.

Written for clearness, straight from each layer's definition; the passes are checked against it, and it against Keras.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.lots.patches import scaled_batches
from convert.lowering.layers import (
    Conv,
    Dense,
    Dropout,
    Flatten,
    FlattenSlices,
    Layer,
    Lstm,
    MaxPool,
    Network,
    Norm,
    Partition,
    Relu,
    Softmax,
    Sugeno,
    Thermometer,
    padding,
    padding_word,
    readings_from,
    zeros_after,
)
from convert.lowering.running import ACTIVATIONS

Observe = Callable[[str, Any], None]
"""Is told a layer's name and what it gives: a float32 tensor with the batch first and channels last.

An LSTM's inner products are named ``<layer>/inputs`` and ``<layer>/recurrent``.
"""


def _unobserved(name: str, values: Any) -> None:
    pass


def readings(network: Network, patches: NDArray[np.uint8], observe: Observe = _unobserved) -> NDArray[np.float64]:
    """The defect logit, or the quality index, of each patch (n, height, width, slices), float64 (n,)."""
    last, values = network.layers[-1], evaluate(network, patches, observe)
    if isinstance(last, Thermometer):
        return readings_from(last.head, values)
    found: NDArray[np.float64] = values[:, 0] if isinstance(last, Sugeno) else values[:, 1] - values[:, 0]
    return found


def evaluate(
    network: Network, patches: NDArray[np.uint8], observe: Observe = _unobserved, batch: int = 16
) -> NDArray[np.float64]:
    """What the last layer gives for patches (n, height, width, slices), float64; a softmax gives its two logits."""
    batches = scaled_batches(patches, batch)
    return np.concatenate([np.asarray(forward(network, inputs, observe), np.float64) for inputs in batches])


def forward(network: Network, inputs: Any, observe: Observe = _unobserved) -> Any:
    """What the last layer gives for ``inputs`` (n, height, width, slices) in [0, 1], as a tensor."""
    value = inputs[..., np.newaxis]
    for layer in network.layers:
        value = _apply(layer, value, observe)
        observe(layer.name, value)
    return value


def _apply(layer: Layer, value: Any, observe: Observe) -> Any:  # noqa: C901, PLR0911, PLR0912 - a case a kind of layer
    import tensorflow as tf

    match layer:
        case Conv():
            return _convolved(layer, value)
        case MaxPool():
            return _pooled(layer, value)
        case Norm():
            return value * layer.scale.astype(np.float32) + layer.shift.astype(np.float32)
        case Relu():
            return tf.nn.relu(value)
        case Dropout():
            return value
        case Flatten():
            return tf.reshape(value, (value.shape[0], -1))
        case FlattenSlices():
            sequence = tf.transpose(value, (0, 3, 1, 2, 4))
            return tf.reshape(sequence, (*sequence.shape[:2], -1))
        case Dense():
            return ACTIVATIONS[layer.activation](value @ layer.kernel + layer.bias)
        case Lstm():
            return _last_state(layer, value, observe)
        case Softmax():
            return value @ layer.kernel + layer.bias  # its logits; the softmax itself is monotone in their difference
        case Partition():
            ramps = tf.clip_by_value((value - layer.low) / (layer.high - layer.low), 0.0, 1.0)
            ends = tf.ones_like(value), tf.zeros_like(value)
            return tf.concat([ends[0], ramps], axis=-1) - tf.concat([ramps, ends[1]], axis=-1)
        case Sugeno():
            return value @ layer.consequents[:, np.newaxis]
        case Thermometer():
            return tf.clip_by_value(value @ layer.kernel + layer.bias, 0.0, layer.head.full)
        case _:
            raise TypeError(f"{type(layer).__name__} has no meaning here")


def _convolved(layer: Conv, value: Any) -> Any:
    """Sum over the kernel's depth of 2D convolutions: Conv3D itself is slow on a CPU, and not always right (0004)."""
    import tensorflow as tf

    taps, stride = layer.kernel.shape[2], layer.strides[2]
    before, positions = padding(value.shape[3], taps, stride, same=layer.same)
    after = zeros_after(value.shape[3], taps, stride, before, positions)
    depths = tf.pad(tf.transpose(value, (3, 0, 1, 2, 4)), [(before, after), *[(0, 0)] * 4])
    result: Any = layer.bias
    for tap in range(taps):
        seen = depths[tap : tap + (positions - 1) * stride + 1 : stride]
        flat = tf.reshape(seen, (-1, *seen.shape[2:]))
        result += tf.nn.conv2d(flat, layer.kernel[:, :, tap], layer.strides[:2], padding_word(same=layer.same))
    result = tf.transpose(tf.reshape(result, (positions, -1, *result.shape[1:])), (1, 2, 3, 0, 4))
    return ACTIVATIONS[layer.activation](result)


def _pooled(layer: MaxPool, value: Any) -> Any:
    import tensorflow as tf

    before, positions = padding(value.shape[3], layer.size[2], layer.strides[2], same=layer.same)
    depths = tf.transpose(value, (3, 0, 1, 2, 4))
    flat = tf.reshape(depths, (-1, *depths.shape[2:]))
    flat = tf.nn.max_pool2d(flat, layer.size[:2], layer.strides[:2], padding_word(same=layer.same))
    depths = tf.reshape(flat, (value.shape[3], -1, *flat.shape[1:]))
    starts = [p * layer.strides[2] - before for p in range(positions)]
    windows = [depths[max(0, start) : start + layer.size[2]] for start in starts]
    return tf.stack([tf.reduce_max(window, axis=0) for window in windows], axis=3)


def _last_state(layer: Lstm, sequence: Any, observe: Observe) -> Any:
    import tensorflow as tf

    hidden = tf.zeros((sequence.shape[0], layer.units))
    cell = tf.zeros_like(hidden)
    for step in tf.unstack(sequence, axis=1):
        projected = _product(step, layer.kernel, f"{layer.name}/inputs", observe)
        fed_back = _product(hidden, layer.recurrent, f"{layer.name}/recurrent", observe)
        enter, forget, candidate, leave = tf.split(projected + fed_back + layer.bias, 4, axis=-1)
        cell = tf.sigmoid(forget) * cell + tf.sigmoid(enter) * tf.tanh(candidate)
        hidden = tf.sigmoid(leave) * tf.tanh(cell)
    return hidden


def _product(value: Any, factors: tuple[Any, ...], name: str, observe: Observe) -> Any:
    """``value`` times all factors; ``observe`` is told what the first gives."""
    value = value @ factors[0]
    observe(name, value)
    for factor in factors[1:]:
        value = value @ factor
    return value
