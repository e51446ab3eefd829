"""A Keras model with its large matrices as products of two thin ones, to be fine-tuned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from convert.lowering.passes.factor import truncated
from convert.networks.lowrank import LowRankLSTM
from edge.core.errors import ConfigError


@dataclass(frozen=True)
class Ranks:
    """``dense``: of each dense layer of at least ``least_weights`` weights; the others: of an LSTM's two kernels."""

    dense: int = 64
    lstm_input: int = 64
    lstm_recurrent: int = 128
    least_weights: int = 2_000_000


def factorised(model: Any, ranks: Ranks) -> Any:
    """A new Sequential model whose large dense layers and LSTM are factorised; every other weight is copied.

    Raises ConfigError when no layer is large enough.
    """
    parts: list[Any] = [keras.Input(model.input_shape[1:], name="slices")]
    weights: list[tuple[Any, list[Any]]] = []
    for layer in model.layers:
        for new, values in _replacement(layer, ranks):
            parts.append(new)
            weights.append((new, values))
    if len(parts) == 1 + len(model.layers) and not any(isinstance(part, LowRankLSTM) for part in parts):
        raise ConfigError(f"{model.name}: no layer has {ranks.least_weights} weights; there is nothing to factorise")
    small = keras.Sequential(parts, name=f"{model.name}_factorised")
    for new, values in weights:
        new.set_weights(values)
    return small


def _replacement(layer: Any, ranks: Ranks) -> list[tuple[Any, list[Any]]]:
    if isinstance(layer, layers.LSTM):
        kernel, recurrent, bias = layer.get_weights()
        new = LowRankLSTM(layer.units, ranks.lstm_input, ranks.lstm_recurrent, name=layer.name)
        return [(new, [*truncated(kernel, ranks.lstm_input), *truncated(recurrent, ranks.lstm_recurrent), bias])]
    if isinstance(layer, layers.Dense) and layer.kernel.shape[0] * layer.kernel.shape[1] >= ranks.least_weights:
        kernel, bias = layer.get_weights()
        left, right = truncated(kernel, ranks.dense)
        thin = layers.Dense(ranks.dense, use_bias=False, name=f"{layer.name}_thin")
        wide = layers.Dense(layer.units, activation=layer.activation, name=layer.name)
        return [(thin, [left]), (wide, [right, bias])]
    return [(type(layer).from_config(layer.get_config()), layer.get_weights())]
