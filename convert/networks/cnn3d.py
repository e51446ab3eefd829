"""The 3D CNN of Zhang et al., Table II.

Our reading of what the table leaves open: the third convolution is 3x3x2 (it prints 3x3x1, but its output depth goes
from 2 to 1), the fourth 3x3x1; both dropout rates, not printed, are 0.5; the normalisation's running statistics move
with momentum 0.9, so that they are settled after a few dozen steps.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

INPUT_SHAPE = (128, 128, 6, 1)

TABLE_II: tuple[tuple[str, tuple[int, ...]], ...] = (
    ("conv1", (126, 126, 5, 8)),
    ("conv2", (124, 124, 4, 16)),
    ("pool1", (62, 62, 2, 16)),
    ("conv3", (60, 60, 1, 32)),
    ("conv4", (58, 58, 1, 64)),
    ("pool2", (29, 29, 1, 64)),
    ("norm", (29, 29, 1, 64)),
    ("flatten", (53_824,)),
    ("dropout1", (53_824,)),
    ("dense1", (1024,)),
    ("dropout2", (1024,)),
    ("dense2", (2,)),
)
"""Layer name and output shape, row by row; the table's first dropout row prints the flattened shape."""


def cnn3d(*, dense_units: int = 1024, dropout: float = 0.5, seed: int = 0) -> Any:
    """An untrained model: input (n, 128, 128, 6, 1) in [0, 1], output (n, 2) = (p_normal, p_defect).

    ``dense_units`` other than Table II's 1024 gives a smaller sibling for tests.
    """

    def init(offset: int) -> Any:
        return keras.initializers.GlorotUniform(seed=seed + offset)

    return keras.Sequential(
        [
            keras.Input(INPUT_SHAPE, name="slices"),
            layers.Conv3D(8, (3, 3, 2), activation="relu", kernel_initializer=init(1), name="conv1"),
            layers.Conv3D(16, (3, 3, 2), activation="relu", kernel_initializer=init(2), name="conv2"),
            layers.MaxPooling3D((2, 2, 2), name="pool1"),
            layers.Conv3D(32, (3, 3, 2), activation="relu", kernel_initializer=init(3), name="conv3"),
            layers.Conv3D(64, (3, 3, 1), activation="relu", kernel_initializer=init(4), name="conv4"),
            layers.MaxPooling3D((2, 2, 1), name="pool2"),
            layers.BatchNormalization(momentum=0.9, name="norm"),
            layers.Flatten(name="flatten"),
            layers.Dropout(dropout, seed=seed, name="dropout1"),
            layers.Dense(dense_units, activation="relu", kernel_initializer=init(5), name="dense1"),
            layers.Dropout(dropout, seed=seed + 1, name="dropout2"),
            layers.Dense(2, activation="softmax", kernel_initializer=init(6), name="dense2"),
        ],
        name="cnn3d",
    )
