"""The classifier as bands of its logit difference: finer than an int8 softmax, which has 256 score levels."""

from __future__ import annotations

import numpy as np

from convert.lowering.layers import Network, Softmax, Thermometer
from edge.core.card import ThermometerHead

BANDS = 32
HEAD = ThermometerHead(low=-12.0, high=12.0, full=6.0)
"""The logit range; beyond it p_defect is within 6.2e-6 of 0 or 1. Bands are 6 wide, so that RELU6 clips them."""


def thermometer_head(network: Network) -> Network:
    """The final Dense(2, softmax) as a Thermometer (``edge.core.card.ThermometerHead`` says how it is read)."""
    *before, last = network.layers
    if not isinstance(last, Softmax):
        return network
    width = (HEAD.high - HEAD.low) / BANDS
    gain = HEAD.full / width
    floors = HEAD.low + width * np.arange(BANDS)
    kernel = np.repeat(((last.kernel[:, 1] - last.kernel[:, 0]) * gain)[:, np.newaxis], BANDS, axis=1)
    bias = (last.bias[1] - last.bias[0] - floors) * gain
    head = Thermometer(last.name, kernel.astype(np.float32), bias.astype(np.float32), HEAD)
    return network.with_layers([*before, head])
