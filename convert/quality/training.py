"""Training of the neurofuzzy Quality Index: read through the device's own code, seeded, best epoch kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from convert.dataset import JobReading
from convert.lowering.layers import scaled
from convert.networks.neurofuzzy import COORDINATE, neurofuzzy
from convert.optical.truth import QualityRow, read_quality_truth
from convert.quality.figures import Grades, expected
from edge.core.features import FeatureSpec, Floats, cut_out, fitted, levels_of, measure

Tick = Callable[[int], None]
EPOCHS = 60
_BATCH = 64
_RATE = 3e-3
_WEIGHT_DECAY = 0.03
_JITTER = 0.02
"""Standard deviation of the noise added to inputs in training: a board type not seen before differs by more."""
_COORDINATE_WEIGHT = 0.2
"""Weight of the coordinate's own error: on a plateau of the Quality Index nothing else pulls it."""


@dataclass(frozen=True)
class QualityLot:
    """Joints of an optical lot: their features, unscaled (n, features), and their truth."""

    name: str
    digest: str
    features: Floats
    rows: tuple[QualityRow, ...]

    @cached_property
    def targets(self) -> NDArray[np.float32]:
        """Quality Index to learn; shape (n,)."""
        return np.array([row.target for row in self.rows], np.float32)

    @cached_property
    def grades(self) -> Grades:
        """The experts' majority; shape (n,)."""
        return expected(self.rows)

    @cached_property
    def disputed(self) -> NDArray[np.bool_]:
        """Where experts disagree; shape (n,)."""
        return np.array([row.disputed == 1 for row in self.rows])

    @property
    def board_types(self) -> NDArray[np.str_]:
        return np.array([row.board_type for row in self.rows])

    def subset(self, chosen: NDArray[np.int64], name: str) -> QualityLot:
        return QualityLot(name, self.digest, self.features[chosen], tuple(self.rows[i] for i in chosen))


class QualityEpoch(NamedTuple):
    """One line of the history: mean squared errors of the Quality Index, those of training with the coordinate's."""

    epoch: int
    loss: float
    validation_loss: float
    seconds: float


Report = Callable[[QualityEpoch], None]


def load_quality_lot(lot: Path, spec: FeatureSpec, tick: Tick = lambda _: None) -> QualityLot:
    """Measure every joint of a lot that has truth; ``tick`` is told of each view's number of joints.

    Raises UsageError for a lot without truth or joints, JobRefused for a broken manifest.
    """
    truth, rows, features = read_quality_truth(lot), list[QualityRow](), list[Floats]()
    reading = JobReading(lot)
    for slices, joint, row in reading.joints(spec, truth, tick):
        features.append(measure(spec, cut_out(spec, slices[0], joint.roi)))
        rows.append(row)
    return QualityLot(lot.name, reading.digest, np.stack(features), tuple(rows))


def inputs_of(spec: FeatureSpec, features: Floats) -> NDArray[np.float32]:
    """Features (n, features) through the same 8 bits as on the device, as the network takes them."""
    return scaled(levels_of(spec, features))


def train_neurofuzzy(
    lot: QualityLot,
    validation: QualityLot,
    out: Path,
    seed: int = 0,
    epochs: int = EPOCHS,
    tick: Report = lambda _: None,
    spec: FeatureSpec | None = None,
) -> list[QualityEpoch]:
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
    history: list[QualityEpoch] = []
    best, started = model.get_weights(), time.monotonic()
    for number in range(1, epochs + 1):
        loss = _one_epoch(step, inputs, lot.targets, seed, number)
        validated = float(np.mean((quality_index(model, held_out) - validation.targets) ** 2))
        if not history or validated < min(epoch.validation_loss for epoch in history):
            best = model.get_weights()
        history.append(QualityEpoch(number, loss, validated, time.monotonic() - started))
        tick(history[-1])
    model.set_weights(best)
    model.save(out)
    return history


def quality_index(model: Any, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """The model's Quality Index of each joint: (n, features) to (n,)."""
    parts = [np.asarray(model(inputs[start : start + 4096]))[:, 0] for start in range(0, len(inputs), 4096)]
    return np.concatenate(parts)


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
