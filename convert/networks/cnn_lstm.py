"""The CNN + LSTM of Zhang et al., Fig. 6 and Table III.

The paper specifies the recurrent part only. Our reading of the rest: one small 2D CNN, shared over the slices, turns
each into a vector; slices are read in order, 00 to 05, the zero slices of shorter joints included (decision 9). The
trunk is configurable: ``TWIN`` is the 2D twin of Table II's, ``COMPACT`` pools after each convolution and costs an
eighth of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from convert.networks.cnn3d import INPUT_SHAPE


@dataclass(frozen=True)
class Stage:
    """A 3x3 convolution, VALID, with ReLU; then a 2x2 max pool where ``pool``."""

    filters: int
    pool: bool = False


Trunk = tuple[Stage, ...]

TWIN: Trunk = (Stage(8), Stage(16, pool=True), Stage(32), Stage(64, pool=True))
COMPACT: Trunk = (Stage(8, pool=True), Stage(16, pool=True), Stage(32, pool=True), Stage(64, pool=True))
TRUNKS: dict[str, Trunk] = {"twin": TWIN, "compact": COMPACT}

TABLE_III: tuple[tuple[str, tuple[int, ...]], ...] = (
    ("lstm", (2048,)),
    ("dense1", (512,)),
    ("dropout", (512,)),
    ("dense2", (2,)),
)
"""Layer name and output shape, row by row."""


def cnn_lstm(
    *, trunk: Trunk = COMPACT, features: int = 256, units: int = 2048, dropout: float = 0.5, seed: int = 0
) -> Any:
    """An untrained model: input (n, 128, 128, 6, 1) in [0, 1], output (n, 2) = (p_normal, p_defect).

    ``features``: length of the vector that stands for a slice; ``units``: the LSTM's, Table III has 2048.
    """
    height, width, slices, channels = INPUT_SHAPE

    def init(offset: int) -> Any:
        return keras.initializers.GlorotUniform(seed=seed + offset)

    parts: list[Any] = [
        keras.Input((height, width, slices, channels), name="slices"),
        layers.Permute((3, 1, 2, 4), name="sequence"),
    ]
    for number, stage in enumerate(trunk, 1):
        conv = layers.Conv2D(stage.filters, 3, activation="relu", kernel_initializer=init(number), name=f"conv{number}")
        parts.append(layers.TimeDistributed(conv, name=f"slice_conv{number}"))
        if stage.pool:
            parts.append(layers.TimeDistributed(layers.MaxPooling2D(2), name=f"slice_pool{number}"))
    parts += [
        layers.TimeDistributed(layers.BatchNormalization(momentum=0.9, name="norm"), name="slice_norm"),
        layers.TimeDistributed(layers.Flatten(), name="slice_flatten"),
        layers.TimeDistributed(
            layers.Dense(features, activation="relu", kernel_initializer=init(20), name="features"),
            name="slice_features",
        ),
        layers.LSTM(
            units,
            unroll=True,
            kernel_initializer=init(21),
            recurrent_initializer=keras.initializers.Orthogonal(seed=seed + 22),
            name="lstm",
        ),
        layers.Dense(512, activation="relu", kernel_initializer=init(23), name="dense1"),
        layers.Dropout(dropout, seed=seed, name="dropout"),
        layers.Dense(2, activation="softmax", kernel_initializer=init(24), name="dense2"),
    ]
    return keras.Sequential(parts, name="cnn_lstm")
