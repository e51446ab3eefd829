"""A ReLU by itself becomes part of the layer that feeds it."""

from __future__ import annotations

from dataclasses import replace

from convert.lowering.layers import Conv, Dense, Dropout, Flatten, FlattenSlices, Layer, MaxPool, Network, Relu
from edge.core.errors import ConfigError

_COMMUTES = (MaxPool, Flatten, FlattenSlices, Dropout)
"""max(0, x) may be taken before these as well as after: they only choose and reorder values."""


def fuse_relu(network: Network) -> Network:
    """Move each ReLU back into its convolution or dense layer. Raises ConfigError where there is none."""
    layers: list[Layer] = []
    for layer in network.layers:
        if isinstance(layer, Relu):
            _give(layers, layer)
        else:
            layers.append(layer)
    return network.with_layers(layers)


def _give(layers: list[Layer], relu: Relu) -> None:
    for i in reversed(range(len(layers))):
        before = layers[i]
        if isinstance(before, Conv | Dense):
            layers[i] = replace(before, activation="relu")
            return
        if not isinstance(before, _COMMUTES):
            break
    raise ConfigError(f"layer {relu.name!r}: this ReLU follows no convolution or dense layer; place it after one")
