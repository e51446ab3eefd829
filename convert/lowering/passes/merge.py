"""Two matrix products with nothing between them are one: what a factorisation split, multiplied out again."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce

import numpy as np

from convert.lowering.layers import Dense, Layer, Lstm, Network, Softmax, Weights, single


def merge_products(network: Network) -> Network:
    """Each linear dense layer multiplied into the one that follows it, and an LSTM's factors into one matrix each."""
    layers: list[Layer] = []
    for layer in network.layers:
        before = layers[-1] if layers else None
        if isinstance(layer, Dense | Softmax) and isinstance(before, Dense) and before.activation == "linear":
            bias = layer.bias + before.bias @ layer.kernel.astype(np.float64)
            kernel = _product((before.kernel, layer.kernel))
            layers[-1] = replace(layer, kernel=kernel, bias=bias.astype(np.float32))
        elif isinstance(layer, Lstm):
            layers.append(replace(layer, kernel=(_product(layer.kernel),), recurrent=(_product(layer.recurrent),)))
        else:
            layers.append(layer)
    return network.with_layers(layers)


def merge_lstm_inputs(network: Network) -> Network:
    """An LSTM's input factors into one matrix, its recurrent ones left alone.

    The input product runs once for all slices, so its full matrix costs little, and nothing is rounded between factors.
    """
    return network.with_layers(
        [
            replace(layer, kernel=(_product(layer.kernel),)) if isinstance(layer, Lstm) else layer
            for layer in network.layers
        ]
    )


def _product(matrices: tuple[Weights, ...]) -> Weights:
    return single(reduce(lambda left, right: left @ right, (matrix.astype(np.float64) for matrix in matrices)))
