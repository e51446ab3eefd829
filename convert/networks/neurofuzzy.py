"""The neurofuzzy Quality Index: features, a small network, five fuzzy sets and one rule a set.

Our reconstruction of Acciani et al. (2009), whose network is not to be had: three dense layers give a coordinate u of
solder amount; five trapezoids over u say how far it is poor, acceptable poor, good, acceptable excessive, excessive;
rule i, "if solder is set i, then QI = c_i", has the degree of its set (zero-order Sugeno). The sets overlap two by two
and their degrees sum to one, so QI is a piecewise linear, non-decreasing function of u.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import msgspec
from keras import layers, ops

from edge.core.features import FeatureSpec
from edge.core.grades import GRADES

SETS = len(GRADES)
RAMPS = SETS - 1
COORDINATE = "coordinate"
_PARTITION, _RULES, _FEATURES = "partition", "rules", "features"
_DENSE = ("hidden1", "hidden2", COORDINATE)
_NARROWEST = 1e-3
"""Least width of a ramp and of a plateau, in u."""
_PLATEAU = 0.04
_END_STEP = 0.01


@keras.saving.register_keras_serializable(package="axi")
class FeatureInput(layers.Layer):
    """Passes features on as they are, and knows how they were measured: ``spec`` is a FeatureSpec as JSON text."""

    def __init__(self, spec: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.spec = spec

    def call(self, inputs: Any) -> Any:
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "spec": self.spec}


@keras.saving.register_keras_serializable(package="axi")
class FuzzyPartition(layers.Layer):
    """Degrees of membership in five trapezoids over the coordinate: (n, 1) -> (n, 5), summing to one.

    Ramp i rises from 0 at a_i to 1 at b_i; set i is what ramp i - 1 has and ramp i has not. The order a_1 < b_1 < a_2 <
    ... < b_4 holds whatever the weights are: they are the first place and, through a softplus, the gaps between places.
    """

    def build(self, input_shape: Any) -> None:  # noqa: ARG002
        plateau, ramp = _PLATEAU, 1 / RAMPS - _PLATEAU
        gaps = [ramp if i % 2 == 0 else plateau for i in range(2 * RAMPS - 1)]
        raw = [math.log(math.expm1(gap - _NARROWEST)) for gap in gaps]
        self.first = self.add_weight(shape=(1,), initializer=keras.initializers.Constant(plateau / 2), name="first")
        self.gaps = self.add_weight(shape=(len(raw),), initializer=keras.initializers.Constant(raw), name="gaps")

    def places(self) -> Any:
        """a_1, b_1, a_2, ..., b_4."""
        gaps = ops.softplus(self.gaps) + _NARROWEST
        return ops.concatenate([self.first, self.first + ops.cumsum(gaps)])

    def call(self, inputs: Any) -> Any:
        places = self.places()
        low, high = places[0::2], places[1::2]
        ramps = ops.clip((inputs - low) / (high - low), 0.0, 1.0)
        ones, zeros = ops.ones_like(inputs), ops.zeros_like(inputs)
        return ops.concatenate([ones, ramps], axis=-1) - ops.concatenate([ramps, zeros], axis=-1)

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, int]:
        return input_shape[0], SETS


@keras.saving.register_keras_serializable(package="axi")
class Sugeno(layers.Layer):
    """One rule a set: (n, 5) degrees -> (n, 1) Quality Index.

    The consequents rise strictly and lie in (0, 1) whatever the weights are: they are sums of shares of one.
    """

    def build(self, input_shape: Any) -> None:  # noqa: ARG002
        between = (1 - 2 * _END_STEP) / RAMPS
        logits = [math.log(step) for step in (_END_STEP, *[between] * RAMPS, _END_STEP)]
        self.steps = self.add_weight(
            shape=(len(logits),), initializer=keras.initializers.Constant(logits), name="steps"
        )

    def consequents(self) -> Any:
        """c_1 < ... < c_5."""
        return ops.cumsum(ops.softmax(self.steps))[:SETS]

    def call(self, inputs: Any) -> Any:
        return ops.matmul(inputs, ops.reshape(self.consequents(), (SETS, 1)))

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, int]:
        return input_shape[0], 1


def neurofuzzy(spec: FeatureSpec, hidden: Sequence[int] = (32, 16), seed: int = 0) -> Any:
    """An untrained model: features (n, F) in [0, 1] (a level / 255) to the Quality Index (n, 1) in [0, 1].

    ``spec`` has the ranges of its F features, and travels with the saved model.
    """
    features = len(spec.ranges)
    first, second = hidden
    inputs = keras.Input((features,), name="levels")
    text = msgspec.json.encode(spec).decode()
    held = FeatureInput(text, name=_FEATURES)(inputs)

    def init(offset: int) -> Any:
        return keras.initializers.GlorotUniform(seed=seed + offset)

    held = layers.Dense(first, activation="relu", kernel_initializer=init(1), name=_DENSE[0])(held)
    held = layers.Dense(second, activation="relu", kernel_initializer=init(2), name=_DENSE[1])(held)
    middle = keras.initializers.Constant(0.5)
    place = layers.Dense(1, kernel_initializer=init(3), bias_initializer=middle, name=COORDINATE)(held)
    degrees = FuzzyPartition(name=_PARTITION)(place)
    return keras.Model(inputs, Sugeno(name=_RULES)(degrees), name="neurofuzzy")


def spec_of(model: Any) -> FeatureSpec:
    """How the features that the model was trained on were measured."""
    return msgspec.json.decode(model.get_layer(_FEATURES).spec, type=FeatureSpec)
