"""Layers whose large matrices are products of two thin ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="axi")
class LowRankLSTM(layers.Layer):
    """An LSTM, unrolled, that gives its last state: (n, steps, features) -> (n, units).

    Both kernels are products of rank ``input_rank`` and ``recurrent_rank``. Gates stand in Keras' order: input, forget,
    cell, output. The input projections of all steps are one product; the state starts at zero.
    """

    def __init__(self, units: int, input_rank: int, recurrent_rank: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units, self.input_rank, self.recurrent_rank = units, input_rank, recurrent_rank

    def build(self, input_shape: Any) -> None:
        features = input_shape[-1]

        def weight(name: str, *shape: int) -> Any:
            return self.add_weight(shape=shape, initializer="glorot_uniform", name=name)

        self.kernel_in = weight("kernel_in", features, self.input_rank)
        self.kernel_out = weight("kernel_out", self.input_rank, 4 * self.units)
        self.recurrent_in = weight("recurrent_in", self.units, self.recurrent_rank)
        self.recurrent_out = weight("recurrent_out", self.recurrent_rank, 4 * self.units)
        self.bias = self.add_weight(shape=(4 * self.units,), initializer="zeros", name="bias")

    def call(self, inputs: Any, rounding: Callable[[Any], Any] = lambda value: value) -> Any:
        """``rounding`` is applied to everything that an int8 model would round."""
        thin = rounding(ops.matmul(inputs, self.kernel_in))
        projected = rounding(ops.matmul(thin, self.kernel_out) + self.bias)
        hidden: Any = None
        cell: Any = None
        for step in ops.unstack(projected, axis=1):
            gates = step
            if hidden is not None:
                thin = rounding(ops.matmul(hidden, self.recurrent_in))
                gates = rounding(gates + rounding(ops.matmul(thin, self.recurrent_out)))
            enter, forget, candidate, leave = ops.split(gates, 4, axis=-1)
            fresh = ops.sigmoid(enter) * ops.tanh(candidate)
            cell = rounding(fresh if cell is None else ops.sigmoid(forget) * cell + fresh)
            hidden = rounding(ops.sigmoid(leave) * ops.tanh(cell))
        return hidden

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, int]:
        return input_shape[0], self.units

    def get_config(self) -> dict[str, Any]:
        mine = {"units": self.units, "input_rank": self.input_rank, "recurrent_rank": self.recurrent_rank}
        return {**super().get_config(), **mine}
