"""Fold batch normalisation into a neighbour that multiplies anyway.

y = scale * x + shift a channel. After a linear convolution or dense layer it goes *back* into its weights. Otherwise it
goes *forward* into the next product: past a flattening unchanged, past a max pool where every scale is positive (then
max(scale * x) = scale * max(x)), but never into a zero-padded convolution, whose zeros would have to be shifted, too.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

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
    Softmax,
    Thermometer,
    describe,
)
from edge.core.errors import ConfigError

Product = Dense | Softmax | Thermometer


def fold_norms(network: Network) -> Network:
    """Without normalisation layers. Raises ConfigError naming one that cannot be folded exactly."""
    layers = list(network.layers)
    at = 0
    while at < len(layers):
        norm = layers[at]
        if not isinstance(norm, Norm):
            at += 1
            continue
        del layers[at]
        if not _fold_back(layers, at, norm):
            _fold_forward(layers, at, norm)
    return network.with_layers(layers)


def _fold_back(layers: list[Layer], at: int, norm: Norm) -> bool:
    """Into the layer before ``at``, where it is a product without activation."""
    for i in reversed(range(at)):
        match layers[i]:
            case Dropout():
                continue
            case Conv(activation="linear") | Dense(activation="linear") as product:
                kernel = (product.kernel * norm.scale).astype(np.float32)
                bias = (product.bias * norm.scale + norm.shift).astype(np.float32)
                layers[i] = replace(product, kernel=kernel, bias=bias)
                return True
            case _:
                return False
    return False


def _fold_forward(layers: list[Layer], at: int, norm: Norm) -> None:
    for i in range(at, len(layers)):
        match layers[i]:
            case Dropout() | Flatten() | FlattenSlices():
                continue
            case MaxPool() if (norm.scale > 0).all():
                continue
            case Norm() as other:
                shift = other.scale * norm.shift + other.shift
                layers[i] = replace(other, scale=other.scale * norm.scale, shift=shift)
            case Dense() | Softmax() | Thermometer() as product:
                layers[i] = _into_product(product, norm)
            case Lstm() as lstm:
                layers[i] = _into_lstm(lstm, norm)
            case Conv(same=False) as conv:
                layers[i] = _into_conv(conv, norm)
            case other:
                raise _refused(norm, other)
        return


def _refused(norm: Norm, obstacle: Layer) -> ConfigError:
    why = {Conv: "pads with zeros", MaxPool: "would have to pool minima where a scale is negative"}
    return ConfigError(
        f"layer {norm.name!r}: this normalisation cannot be folded: {describe(obstacle)} "
        f"{why.get(type(obstacle), 'stands in its way')}; normalise before the activation, or without padding"
    )


def _into_product(product: Product, norm: Norm) -> Product:
    scale, shift = _spread(norm, product.kernel.shape[0])
    bias = product.bias + shift @ product.kernel.astype(np.float64)
    return replace(
        product,
        kernel=(product.kernel * scale[:, np.newaxis]).astype(np.float32),
        bias=bias.astype(np.float32),
    )


def _into_lstm(lstm: Lstm, norm: Norm) -> Lstm:
    first, *rest = lstm.kernel
    scale, shift = _spread(norm, first.shape[0])
    moved = shift
    for matrix in lstm.kernel:
        moved = moved @ matrix.astype(np.float64)
    scaled = (first * scale[:, np.newaxis]).astype(np.float32)
    return replace(lstm, kernel=(scaled, *rest), bias=(lstm.bias + moved).astype(np.float32))


def _into_conv(conv: Conv, norm: Norm) -> Conv:
    bias = conv.bias + np.einsum("rcdio,i->o", conv.kernel.astype(np.float64), norm.shift)
    kernel = (conv.kernel * norm.scale[:, np.newaxis]).astype(np.float32)
    return replace(conv, kernel=kernel, bias=bias.astype(np.float32))


def _spread(norm: Norm, length: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scale and shift of each value of a flattened volume, whose channels run fastest."""
    repeats = length // norm.scale.size
    return np.tile(norm.scale, repeats), np.tile(norm.shift, repeats)
