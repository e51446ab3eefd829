"""Give the channels that a verdict hangs on most a finer step: each in bands, a channel a band.

int8 has one step for all channels of a tensor, the widest reach by 255. A channel scaled q times up has a step q times
finer, but reaches q times too far; so it is cut in bands of one width, ``min(max(0, q x - 6 k), 6)`` for k = 0, 1, ...,
each a channel with the same weights and a lower bias, which RELU6 clips for nothing. Their sum is q x. Of a joint's
bands all but one stand at 0 or 6, which int8 has exactly, so the rounding of the channel is that of one band. Max pools
keep the order of values and so keep bands. (Splitting a channel for its rounding's sake: Zhao et al. 2019, there in
equal parts; the classifier's thermometer is cut the same way.)

Which channels: those whose rounding costs most, by the slope of the logit in them; a few of them cost most of it. Each
layer takes bands where they save most per added channel, until it has grown as far as it may.

This belongs to the quantisation, not to the exact rewrites: values are clipped at the reach of the layer on the sample,
as int8 clips them at the end of its range. Below that it is exact.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

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
    Softmax,
    Thermometer,
    Weights,
    single,
)
from convert.lowering.statistics import reaches_and_doubtful, rounding_weights

Numbers = NDArray[np.float64]
Counts = NDArray[np.int64]

_CEILING = 6.0
_FINEST = 8
_FREE = 0.125
"""What a band counts that needs no new channel, the reach of its channel being short; worth most, but comparable."""
_PASSES_BANDS = (MaxPool, Dropout, Flatten, FlattenSlices)


class _Cut(NamedTuple):
    """For each new channel: the old one it is of, its scale and its floor."""

    channel: Counts
    scale: Numbers
    floor: Numbers


def band_channels(network: Network, sample: NDArray[np.uint8], growth: float) -> Network:
    """Cut channels of convolutions and dense layers with ReLU; ``sample``: patches (n, height, width, slices).

    ``growth``: how many channels a layer may gain, as a share of those it has.
    """
    seen, doubtful = reaches_and_doubtful(network, sample)
    weights = rounding_weights(network, doubtful)
    layers: list[Layer] = list(network.layers)
    for i, layer in enumerate(layers):
        after = _consumer(layers, i)
        if isinstance(layer, Conv | Dense) and layer.activation == "relu" and after is not None:
            reach = seen[layer.name]
            fineness = chosen_fineness(reach, weights[layer.name], growth)
            if fineness.max() > 1:
                cut = _cut(reach, fineness)
                layers[i], layers[after] = _producing(layer, cut), _taking(layers[after], cut)
    return network.with_layers(layers)


def chosen_fineness(reach: Numbers, weight: Numbers, growth: float) -> Counts:
    """How many times finer each channel (channels,) is to be rounded.

    ``reach``: its largest value; ``weight``: what rounding it costs (``convert.lowering.statistics``).
    """
    fineness = np.ones(reach.size, np.int64)
    room = int(growth * reach.size) if reach.any() else 0
    while room > 0:
        added = bands_of(reach, fineness + 1) - bands_of(reach, fineness)
        saved = weight * (1 / fineness**2 - 1 / (fineness + 1.0) ** 2)
        worth = np.where((added <= room) & (fineness < _FINEST) & (reach > 0), saved / np.maximum(added, _FREE), 0.0)
        best = int(np.argmax(worth))
        if worth[best] <= 0:
            break
        room -= int(added[best])
        fineness[best] += 1
    return fineness


def bands_of(reach: Numbers, fineness: Counts) -> Counts:
    """How many bands each channel then has."""
    return np.maximum(1, np.ceil(fineness * reach / reach.max() - 1e-9)).astype(np.int64)


def _cut(reach: Numbers, fineness: Counts) -> _Cut:
    bands = bands_of(reach, fineness)
    channel = np.repeat(np.arange(reach.size), bands)
    within = np.concatenate([np.arange(count) for count in bands])
    scale = fineness * _CEILING / reach.max()
    return _Cut(channel, scale[channel], _CEILING * within)


def _producing(layer: Conv | Dense, cut: _Cut) -> Layer:
    kernel = layer.kernel[..., cut.channel] * cut.scale
    bias = layer.bias[cut.channel] * cut.scale - cut.floor
    return replace(layer, kernel=single(kernel), bias=single(bias), activation="relu6")


def _taking(layer: Layer, cut: _Cut) -> Layer:
    """The next layer with its weights repeated for every band, and scaled back."""
    match layer:
        case Conv():
            return replace(layer, kernel=single(layer.kernel[..., cut.channel, :] / cut.scale[:, np.newaxis]))
        case Dense() | Softmax() | Thermometer():
            return replace(layer, kernel=_rows(layer.kernel, cut))
        case Lstm(kernel=(first, *others)):
            return replace(layer, kernel=(_rows(first, cut), *others))
        case _:
            raise TypeError(f"{type(layer).__name__} takes no channels")


def _rows(kernel: Weights, cut: _Cut) -> Weights:
    """Flattened volumes have their channels fastest: (places * channels, out)."""
    by_place = kernel.reshape(-1, cut.channel.max() + 1, kernel.shape[-1])
    return single((by_place[:, cut.channel] / cut.scale[:, np.newaxis]).reshape(-1, kernel.shape[-1]))


def _consumer(layers: list[Layer], at: int) -> int | None:
    """The position of the layer that multiplies this one's channels."""
    for i in range(at + 1, len(layers)):
        if isinstance(layers[i], Conv | Dense | Softmax | Thermometer | Lstm):
            return i
        if not isinstance(layers[i], _PASSES_BANDS):
            return None
    return None
