"""Twins of 3D layers that compute the same with 2D kernels: several times faster to train on a CPU.

A convolution whose kernel is ``d`` deep, VALID, stride 1, is at each output depth a 2D convolution over the
concatenated channels of ``d`` neighbouring slices. Weights keep their 3D shape, so they move freely between twins.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="axi")
class UnrolledConv3D(layers.Conv3D):
    """Conv3D (VALID, stride 1) computed depth by depth."""

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        height, width, depth, channels, filters = kernel.shape
        flat = ops.reshape(kernel, (height, width, depth * channels, filters))
        slices = ops.unstack(inputs, axis=3)
        windows = (slices[d : d + depth] for d in range(len(slices) - depth + 1))
        outputs = [
            ops.conv(ops.concatenate(window, axis=-1) if depth > 1 else window[0], flat, padding="valid")
            for window in windows
        ]
        return ops.stack(outputs, axis=3)


@keras.saving.register_keras_serializable(package="axi")
class UnrolledMaxPooling3D(layers.MaxPooling3D):
    """MaxPooling3D (VALID, stride = pool size) as 2D pools and maxima over depth."""

    def call(self, inputs: Any) -> Any:
        rows, columns, depth = self.pool_size
        slices = [ops.max_pool(part, (rows, columns), padding="valid") for part in ops.unstack(inputs, axis=3)]
        groups = [slices[d : d + depth] for d in range(0, len(slices) - depth + 1, depth)]
        pooled = []
        for group in groups:
            highest = group[0]
            for other in group[1:]:
                highest = ops.maximum(highest, other)
            pooled.append(highest)
        return ops.stack(pooled, axis=3)


_TWINS: dict[Any, Any] = {layers.Conv3D: UnrolledConv3D, layers.MaxPooling3D: UnrolledMaxPooling3D}


def unrolled(model: Any) -> Any:
    """A twin of ``model`` with the same weights, its 3D layers computed in 2D."""

    def clone(layer: Any) -> Any:
        return _TWINS.get(type(layer), type(layer)).from_config(layer.get_config())

    twin = keras.models.clone_model(model, clone_function=clone)
    twin.set_weights(model.get_weights())
    return twin
