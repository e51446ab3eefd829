"""Training: split by board type, balanced, seeded, streamed from disk, resumable after every epoch."""

from __future__ import annotations

import csv
import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from convert.lots.lot import LabelledLot
from convert.lots.splits import balanced, require_both_classes, require_unseen, split_by_board_type
from convert.metrics.defects import auroc
from convert.networks.cnn3d import cnn3d
from convert.networks.cnn_lstm import TRUNKS, cnn_lstm
from convert.networks.folded import folded
from convert.networks.scoring import as_volume, compiled, scores_in_batches
from convert.training.checkpoint import load_checkpoint, save_checkpoint
from convert.training.plan import Network, TrainingPlan


class Epoch(NamedTuple):
    """One line of the history; AUROC and loss of the validation side are NaN without one."""

    epoch: int
    loss: float
    validation_loss: float
    validation_auroc: float
    learning_rate: float
    seconds: float


Report = Callable[[Epoch], None]
Tick = Callable[[float], None]


class Sides(NamedTuple):
    """What is trained on, balanced, and what is validated on, as it is; no board type in common."""

    training: LabelledLot
    validation: LabelledLot | None


def sides(lot: LabelledLot, plan: TrainingPlan, validation: LabelledLot | None = None) -> Sides:
    """Split and balance.

    Raises UsageError when a class or a second board type is missing, or when the validation lot is not of other types.
    """
    if validation is None and plan.validation_share > 0:
        lot, validation = split_by_board_type(lot, plan.validation_share, plan.seed)
    if validation is not None:
        require_unseen(lot, validation)
        require_both_classes(validation)
    return Sides(balanced(lot, plan.balance, plan.seed), validation)


def untrained(network: Network, plan: TrainingPlan) -> Any:
    """The named network, fresh."""
    if network == "cnn3d":
        return cnn3d(dense_units=plan.dense_units, dropout=plan.dropout, seed=plan.seed)
    return cnn_lstm(
        trunk=TRUNKS[plan.trunk], features=plan.features, units=plan.units, dropout=plan.dropout, seed=plan.seed
    )


def steps_per_epoch(data: Sides, plan: TrainingPlan) -> int:
    return -(-len(data.training.rows) // plan.batch)


def train(
    network: Network,
    data: Sides,
    out: Path,
    plan: TrainingPlan,
    tick: Tick = lambda _: None,
    report: Report = lambda _: None,
    start: Any = None,
) -> list[Epoch]:
    """Train and save the best epoch to ``out`` (.keras), its history beside it (.csv).

    ``tick`` hears each step's loss, ``report`` each epoch, those before an interruption included. ``start`` is a model
    to go on from. After each epoch the whole state is saved beside ``out`` (.resume.npz), and it goes when training is
    done: the same call after an interruption continues there, and ends where an uninterrupted one would have.
    """
    keras.utils.set_random_seed(plan.seed)
    tf.config.experimental.enable_op_determinism()  # the same seed on the same kind of machine: the same weights
    model = untrained(network, plan) if start is None else start
    steps = steps_per_epoch(data, plan)
    optimizer = keras.optimizers.Adam(_schedule(plan, steps))
    optimizer.build(model.trainable_variables)
    run = _Run(model, optimizer, rounded=plan.rounded)
    state = out.with_suffix(".resume.npz")
    identity = _identity(network, plan, data, start)
    variables = [*model.variables, *optimizer.variables]
    history = [Epoch(*row) for row in load_checkpoint(state, identity, variables)]
    for epoch in history:
        report(epoch)
    spent = history[-1].seconds if history else 0.0
    started = time.monotonic()
    while not _finished(history, plan):
        number = len(history) + 1
        loss = _one_epoch(run, data.training, plan, number, tick)
        validation = _validated(run, data.validation)
        rate = float(np.asarray(optimizer.learning_rate))
        epoch = Epoch(number, loss, *validation, rate, spent + time.monotonic() - started)
        history.append(epoch)
        if data.validation is None or _is_best(history):
            model.save(out)
        _write_history(out.with_suffix(".csv"), history)
        save_checkpoint(state, identity, history, variables)
        report(epoch)
    state.unlink(missing_ok=True)
    return history


def _identity(network: Network, plan: TrainingPlan, data: Sides, start: Any) -> str:
    """What run a training state belongs to: the plan, the joints on both sides, and the weights it began with."""
    digest = hashlib.sha256()
    for weight in [] if start is None else start.get_weights():
        digest.update(weight.tobytes())
    validation = data.validation.truth_digest if data.validation else "none"
    return f"{network} {plan.digest} {data.training.truth_digest} {validation} {digest.hexdigest()}"


class _Run:
    """A model's compiled training step, and its compiled inference."""

    def __init__(self, model: Any, optimizer: Any, *, rounded: bool) -> None:
        compute = folded(model, rounded=rounded)
        loss_of = keras.losses.SparseCategoricalCrossentropy()

        @tf.function(reduce_retracing=True, autograph=False)
        def step(patches: Any, labels: Any) -> Any:
            with tf.GradientTape() as tape:
                loss = loss_of(labels, compute(as_volume(patches), training=True))
            optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
            return loss

        self.step = step
        self.forward = compiled(model)


def _schedule(plan: TrainingPlan, steps: int) -> Any:
    if not plan.cosine:
        return keras.optimizers.schedules.InverseTimeDecay(plan.learning_rate, 1, plan.decay)
    total = steps * plan.epochs
    rise = min(100, total // 10)
    return keras.optimizers.schedules.CosineDecay(
        plan.learning_rate / 50, total - rise, alpha=0.02, warmup_target=plan.learning_rate, warmup_steps=rise
    )


def _finished(history: list[Epoch], plan: TrainingPlan) -> bool:
    if len(history) >= (plan.stop_after or plan.epochs):
        return True
    if history and plan.time_limit_s is not None and history[-1].seconds > plan.time_limit_s:
        return True
    values = [epoch.validation_auroc for epoch in history]
    if not values or np.isnan(values).all():
        return False
    return len(values) - 1 - int(np.nanargmax(values)) >= plan.patience


def _is_best(history: list[Epoch]) -> bool:
    values = [epoch.validation_auroc for epoch in history]
    return np.isnan(values[-1]) or len(values) == 1 or values[-1] > np.nanmax(values[:-1])


def _validated(run: _Run, validation: LabelledLot | None) -> tuple[float, float]:
    """Loss and AUROC."""
    if validation is None:
        return float("nan"), float("nan")
    scores = np.clip(scores_in_batches(run.forward, validation.batches(64)), 1e-7, 1 - 1e-7)
    labels = validation.labels
    return float(-np.mean(np.where(labels == 1, np.log(scores), np.log(1 - scores)))), auroc(scores, labels)


def _one_epoch(run: _Run, lot: LabelledLot, plan: TrainingPlan, number: int, tick: Tick) -> float:
    """Each joint once, in an order and turned in ways that depend on seed and epoch only."""
    rng = np.random.default_rng([plan.seed, number])
    order = rng.permutation(len(lot.rows))
    losses = []
    for start in range(0, len(order), plan.batch):
        chosen = order[start : start + plan.batch]
        turns = rng.integers(8, size=len(chosen))
        patches = np.stack([_turned(patch, int(turn)) for patch, turn in zip(lot.take(chosen), turns, strict=True)])
        losses.append(float(run.step(patches, lot.labels[chosen])))
        tick(losses[-1])
    return float(np.mean(losses))


def _turned(patch: NDArray[np.uint8], turn: int) -> NDArray[np.uint8]:
    """One of the eight symmetries of the square: a joint seen from another side is the same joint."""
    rotated = np.rot90(patch, turn % 4)
    return rotated[:, ::-1] if turn >= 4 else rotated


def read_history(path: Path) -> list[Epoch]:
    """The history that was saved beside a model."""
    with path.open(newline="") as stream:
        return [Epoch(int(row.pop("epoch")), **{k: float(v) for k, v in row.items()}) for row in csv.DictReader(stream)]


def _write_history(path: Path, history: list[Epoch]) -> None:
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(Epoch._fields)
        writer.writerows(history)
