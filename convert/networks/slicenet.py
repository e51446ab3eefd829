"""SliceNet, our own network: a joint's slices as channels of one picture, strided convolutions, and a pooled end.

Where the papers' networks keep the full picture for two convolutions and end in millions of dense weights, this one
halves the picture in its first layer and averages what it found over all places. Widths and depth are those of
``Stage``; every convolution is 3x3, without bias, and followed by batch normalisation and ReLU. A residual block adds
what it was given to what two convolutions make of it (He et al. 2016).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

INPUT_SHAPE = (128, 128, 6)
PROBABILITIES, FEATURES = "probabilities", "features"
"""Names of the two outputs' layers."""


@dataclass(frozen=True)
class Stage:
    """A convolution with stride 2, and then as many residual blocks."""

    filters: int
    blocks: int = 0


STAGES = (Stage(16), Stage(24), Stage(48, 1), Stage(64, 1), Stage(96))
"""28 M multiply-adds and 0.22 M weights: some 0.1 ms on one thread in int8 (docs/benchmarks.md)."""
TEACHER = (Stage(24), Stage(32, 1), Stage(64, 1), Stage(96, 1))
"""69 M multiply-adds and 0.34 M weights; the smaller one learns from it."""
CLASSES = ("normal", "insufficient", "missing", "short", "voided")


def slicenet(
    *, stages: Sequence[Stage] = STAGES, classes: Sequence[str] = CLASSES, dropout: float = 0.2, seed: int = 0
) -> Any:
    """An untrained model: input (n, 128, 128, 6) in [0, 1]; outputs the classes' probabilities (n, k), normal first,
    and the features (n, filters of the last stage) that tell how familiar a joint looks.
    """
    inputs = keras.Input(INPUT_SHAPE, name="slices")
    value, number = inputs, 0

    def convolved(value: Any, filters: int, strides: int, *, relu: bool = True) -> Any:
        nonlocal number
        number += 1
        value = layers.Conv2D(
            filters,
            3,
            strides=strides,
            padding="same",
            use_bias=False,
            kernel_initializer=keras.initializers.HeNormal(seed=seed + number),
            name=f"conv{number}",
        )(value)
        value = layers.BatchNormalization(momentum=0.95, name=f"norm{number}")(value)
        return layers.ReLU(name=f"relu{number}")(value) if relu else value

    for stage in stages:
        value = convolved(value, stage.filters, 2)
        for _ in range(stage.blocks):
            inside = convolved(convolved(value, stage.filters, 1), stage.filters, 1, relu=False)
            value = layers.Add(name=f"add{number}")([value, inside])
            value = layers.ReLU(name=f"relu{number}")(value)
    features = layers.GlobalAveragePooling2D(name=FEATURES)(value)
    kept = layers.Dropout(dropout, seed=seed, name="dropout")(features)
    initializer = keras.initializers.GlorotUniform(seed=seed)
    ends = layers.Dense(len(classes), activation="softmax", kernel_initializer=initializer, name=PROBABILITIES)(kept)
    return keras.Model(inputs, [ends, features], name="slicenet")
