"""Training: balanced by board-unseen split, seeded, with a checkpoint an epoch."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from convert.dataset import Balance, LabelledLot, as_floats, balanced, split_by_board_type
from convert.metrics import auroc
from convert.networks.cnn3d import cnn3d
from convert.networks.unrolled import unrolled
from edge.core.errors import ConfigError


@dataclass(frozen=True)
class TrainingPlan:
    """``learning_rate`` and ``decay``: Adam's; the paper trains with 1e-5 and 1e-6 on far more data.

    ``validation_share``: share of the board types held out; 0 trains on everything and keeps the last epoch.
    ``time_limit_s``: stop after the epoch in which this runs out.
    """

    epochs: int = 12
    batch: int = 32
    learning_rate: float = 3e-4
    decay: float = 1e-6
    seed: int = 0
    validation_share: float = 0.25
    dense_units: int = 1024
    time_limit_s: float | None = None
    balance: Balance = "fewer-normals"


class Epoch(NamedTuple):
    """One line of the history; AUROC is NaN without a validation side."""

    epoch: int
    loss: float
    validation_auroc: float
    seconds: float


Report = Callable[[Epoch], None]
Tick = Callable[[float], None]


def train(lot: LabelledLot, out: Path, plan: TrainingPlan, tick: Tick, report: Report) -> list[Epoch]:
    """Train a 3D CNN and save the best epoch to ``out`` (.keras), its history beside it (.csv).

    ``tick`` hears each step's loss, ``report`` each epoch. The plain Table II model is saved; its unrolled twin, which
    computes the same several times faster here, does the work.
    """
    keras.utils.set_random_seed(plan.seed)
    tf.config.experimental.enable_op_determinism()  # the same seed on the same kind of machine: the same weights
    training, validation = _sides(lot, plan)
    plain = cnn3d(dense_units=plan.dense_units, seed=plan.seed)
    twin = unrolled(plain)
    schedule = keras.optimizers.schedules.InverseTimeDecay(plan.learning_rate, 1, plan.decay)
    twin.compile(keras.optimizers.Adam(schedule), "sparse_categorical_crossentropy")
    rng = np.random.default_rng(plan.seed)
    history: list[Epoch] = []
    best = -np.inf
    started = time.monotonic()
    for number in range(1, plan.epochs + 1):
        loss = _one_epoch(twin, training, plan.batch, rng, tick)
        value = auroc(score(twin, validation.patches), validation.labels) if validation else float("nan")
        epoch = Epoch(number, loss, value, time.monotonic() - started)
        history.append(epoch)
        report(epoch)
        if validation is None or value > best:
            best = value
            plain.set_weights(twin.get_weights())
            plain.save(out)
        if plan.time_limit_s is not None and epoch.seconds > plan.time_limit_s:
            break
    _write_history(out.with_suffix(".csv"), history)
    return history


def steps_per_epoch(lot: LabelledLot, plan: TrainingPlan) -> int:
    training, _ = _sides(lot, plan)
    return -(-len(training.labels) // plan.batch)


def score(model: Any, patches: NDArray[np.uint8], batch: int = 64) -> NDArray[np.float64]:
    """p_defect of each patch under a Keras model, float64 (n,)."""
    parts = [
        np.asarray(model(as_floats(patches[i : i + batch]), training=False))[:, 1]
        for i in range(0, len(patches), batch)
    ]
    return np.concatenate(parts).astype(np.float64)


def load_model(path: Path) -> Any:
    """Read a ``.keras`` file. Raises ConfigError."""
    try:
        return keras.models.load_model(path, compile=False)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: not readable as a Keras model ({error}); save it as .keras") from error


def _sides(lot: LabelledLot, plan: TrainingPlan) -> tuple[LabelledLot, LabelledLot | None]:
    if plan.validation_share <= 0:
        return balanced(lot, plan.balance, plan.seed), None
    training, validation = split_by_board_type(lot, plan.validation_share, plan.seed)
    return balanced(training, plan.balance, plan.seed), validation


def _one_epoch(model: Any, lot: LabelledLot, batch: int, rng: np.random.Generator, tick: Tick) -> float:
    order = rng.permutation(len(lot.labels))
    losses = []
    for start in range(0, len(order), batch):
        chosen = order[start : start + batch]
        patches = np.stack([_turned(lot.patches[i], int(rng.integers(8))) for i in chosen])
        losses.append(float(model.train_on_batch(as_floats(patches), lot.labels[chosen])))
        tick(losses[-1])
    return float(np.mean(losses))


def _turned(patch: NDArray[np.uint8], turn: int) -> NDArray[np.uint8]:
    """One of the eight symmetries of the square: a joint seen from another side is the same joint."""
    rotated = np.rot90(patch, turn % 4)
    return rotated[:, ::-1] if turn >= 4 else rotated


def _write_history(path: Path, history: list[Epoch]) -> None:
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(Epoch._fields)
        writer.writerows(history)
