"""Give a convolution's channels one reach, so that one int8 scale serves them all.

ReLU and max pooling keep positive factors: channel c of a convolution divided by s, its weights in the next convolution
multiplied by s, is the same network (cross-layer equalisation, Nagel et al. 2019). Where one channel reaches twenty
times as far as another, the other has a dozen levels of the 256. Channels are brought to the reach of the widest, but
grown eightfold at most: beyond that the next convolution's own int8 weights would pay. Never into a dense layer, where
it made matters worse (`docs/decisions/0004`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from convert.lowering.layers import Conv, Dropout, Layer, MaxPool, Network
from convert.lowering.statistics import reaches

_MOST_GROWTH = 8.0


def balance_channels(network: Network, sample: NDArray[np.uint8]) -> Network:
    """Balance each convolution with ReLU against the one after it; ``sample``: patches (n, height, width, slices)."""
    seen = reaches(network, sample)
    layers: list[Layer] = list(network.layers)
    for i, layer in enumerate(layers):
        after = _next_conv(layers, i)
        if isinstance(layer, Conv) and layer.activation == "relu" and after is not None:
            reach = seen[layer.name]
            scale = np.maximum(reach / reach.max(), 1 / _MOST_GROWTH) if reach.max() > 0 else np.ones_like(reach)
            layers[i] = replace(layer, kernel=layer.kernel / scale, bias=layer.bias / scale)
            following = layers[after]
            if isinstance(following, Conv):
                layers[after] = replace(following, kernel=following.kernel * scale[:, np.newaxis])
    return network.with_layers(layers)


def _next_conv(layers: list[Layer], at: int) -> int | None:
    """The position of the convolution that takes this layer's channels, through pools alone."""
    for i in range(at + 1, len(layers)):
        if isinstance(layers[i], Conv):
            return i
        if not isinstance(layers[i], MaxPool | Dropout):
            return None
    return None
