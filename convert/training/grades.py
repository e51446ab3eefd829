"""Training of the neurofuzzy Quality Index: read through the device's own code, seeded, best epoch kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from convert.lots.features import GradedLot, inputs_of
from convert.networks.neurofuzzy import COORDINATE, neurofuzzy
from convert.networks.scoring import quality_index
from convert.training.plan import NEUROFUZZY
from edge.core.features import FeatureSpec, fitted

Tick = Callable[[int], None]
EPOCHS = NEUROFUZZY.epochs
_BATCH = 64
_RATE = 3e-3
_WEIGHT_DECAY = 0.03
_JITTER = 0.02
"""Standard deviation of the noise added to inputs in training: a board type not seen before differs by more."""
_COORDINATE_WEIGHT = 0.2
"""Weight of the coordinate's own error: on a plateau of the Quality Index nothing else pulls it."""


class GradeEpoch(NamedTuple):
    """One line of the history: mean squared errors of the Quality Index, those of training with the coordinate's."""

    epoch: int
    loss: float
    validation_loss: float
    seconds: float


Report = Callable[[GradeEpoch], None]


def train_neurofuzzy(
    lot: GradedLot,
    validation: GradedLot,
    out: Path,
    seed: int = 0,
    epochs: int = EPOCHS,
    tick: Report = lambda _: None,
    spec: FeatureSpec | None = None,
) -> list[GradeEpoch]:
    """Train on the experts' mean and save the epoch with the least validation loss to ``out`` (.keras).

    ``spec`` is what the lots were loaded with; its ranges are fitted to ``lot`` here. The same seed gives the same
    weights on one kind of machine.
    """
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    spec = fitted(spec or FeatureSpec(), lot.features)
    model = neurofuzzy(spec, seed=seed)
    step = _step(model, epochs * -(-len(lot.rows) // _BATCH))
    inputs, held_out = inputs_of(spec, lot.features), inputs_of(spec, validation.features)
    history: list[GradeEpoch] = []
    best, started = model.get_weights(), time.monotonic()
    for number in range(1, epochs + 1):
        loss = _one_epoch(step, inputs, lot.targets, seed, number)
        validated = float(np.mean((quality_index(model, held_out) - validation.targets) ** 2))
        if not history or validated < min(epoch.validation_loss for epoch in history):
            best = model.get_weights()
        history.append(GradeEpoch(number, loss, validated, time.monotonic() - started))
        tick(history[-1])
    model.set_weights(best)
    model.save(out)
    return history


def _step(model: Any, steps: int) -> Any:
    """A compiled training step."""
    both = keras.Model(model.inputs, [model.output, model.get_layer(COORDINATE).output])
    rate = keras.optimizers.schedules.CosineDecay(_RATE, steps, alpha=0.01)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=_WEIGHT_DECAY)
    optimizer.build(model.trainable_variables)

    def step(inputs: Any, targets: Any) -> Any:
        with tf.GradientTape() as tape:
            index, place = both(inputs, training=True)
            error, off = index[:, 0] - targets, place[:, 0] - targets
            loss = tf.reduce_mean(error * error) + _COORDINATE_WEIGHT * tf.reduce_mean(off * off)
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    return tf.function(step, reduce_retracing=True, autograph=False)


def _one_epoch(step: Any, inputs: NDArray[np.float32], targets: NDArray[np.float32], seed: int, number: int) -> float:
    """Each joint once, in an order and with a jitter that depend on seed and epoch only."""
    rng = np.random.default_rng([seed, number])
    order = rng.permutation(len(inputs))
    inputs = inputs + rng.normal(0, _JITTER, inputs.shape).astype(np.float32)
    chunks = [order[start : start + _BATCH] for start in range(0, len(order), _BATCH)]
    return float(np.mean([float(step(inputs[chosen], targets[chosen])) for chosen in chunks]))
