"""Training: split by board type, balanced, seeded, streamed from disk, resumable after every epoch."""

from __future__ import annotations

import csv
import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from convert.lots.lot import LabelledLot
from convert.lots.splits import balanced, require_both_classes, require_unseen, split_apart
from convert.lowering.read import read_network
from convert.metrics.defects import auroc
from convert.networks.cnn3d import cnn3d
from convert.networks.cnn_lstm import TRUNKS, cnn_lstm
from convert.networks.handing import first_output
from convert.networks.scoring import scores_in_batches
from convert.networks.slicenet import STAGES, TEACHER, slicenet
from convert.training.checkpoint import load_checkpoint, save_checkpoint
from convert.training.plan import Network, TrainingPlan
from convert.training.step import Run, Tick, one_epoch, optimizer_for
from edge.core.card import NORMAL


class Epoch(NamedTuple):
    """One line of the history; AUROC and loss of the validation side are NaN without one."""

    epoch: int
    loss: float
    validation_loss: float
    validation_auroc: float
    learning_rate: float
    seconds: float


Report = Callable[[Epoch], None]


class Sides(NamedTuple):
    """What is trained on, balanced, and what is validated on, as it is; no board type in common."""

    training: LabelledLot
    validation: LabelledLot | None

    @property
    def classes(self) -> tuple[str, ...]:
        """What the training side's truth tells apart: normal first, then each kind of defect."""
        rows = self.training.defect_rows
        return (NORMAL, *sorted({row.truth for row in rows if row.label}))


def sides(lot: LabelledLot, plan: TrainingPlan, validation: LabelledLot | None = None) -> Sides:
    """Split and balance.

    Raises UsageError when a class or a second board type is missing, or when the validation lot is not of other types.
    """
    if validation is None and plan.validation_share > 0:
        lot, validation = split_apart(lot, plan.validation_share, plan.seed)
    if validation is not None:
        require_unseen(lot, validation)
        require_both_classes(validation)
    return Sides(balanced(lot, plan.balance, plan.seed), validation)


def untrained(network: Network, plan: TrainingPlan, classes: Sequence[str] = ("normal", "defect")) -> Any:
    """The named network, fresh. ``classes``: what SliceNet tells apart."""
    if network == "slicenet":
        stages = TEACHER if plan.large else STAGES
        return slicenet(stages=stages, classes=classes, dropout=plan.dropout, seed=plan.seed)
    if network == "cnn3d":
        return cnn3d(dense_units=plan.dense_units, dropout=plan.dropout, seed=plan.seed)
    return cnn_lstm(
        trunk=TRUNKS[plan.trunk], features=plan.features, units=plan.units, dropout=plan.dropout, seed=plan.seed
    )


def family_of(model: Any) -> Network:
    """Which of the networks trained here a model is. Raises ConfigError for a model that lowering does not know."""
    if len(model.input_shape) == 4:
        return "slicenet"
    return "cnn-lstm" if read_network(model).sequential else "cnn3d"


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
    teacher: Any = None,
) -> list[Epoch]:
    """Train and save the best epoch to ``out`` (.keras), its history beside it (.csv).

    ``tick`` hears each step's loss, ``report`` each epoch, those before an interruption included. ``start`` is a model
    to go on from, which is epoch 0 where there is a validation side; ``teacher`` one to learn from as the plan says.
    After each epoch the whole state is saved beside ``out`` (.resume.npz), and it goes when training is done: the same
    call after an interruption continues there, and ends where an uninterrupted one would have.
    """
    keras.utils.set_random_seed(plan.seed)
    tf.config.experimental.enable_op_determinism()  # the same seed on the same kind of machine: the same weights
    model = untrained(network, plan, data.classes) if start is None else start
    targets = _targets(model, data)
    optimizer = optimizer_for(plan, steps_per_epoch(data, plan))
    optimizer.build(model.trainable_variables)
    run = Run(model, optimizer, plan, teacher)
    state = out.with_suffix(".resume.npz")
    identity = _identity(network, plan, data, start, teacher)
    variables = [*model.variables, *optimizer.variables]
    before = [Epoch(*row) for row in load_checkpoint(state, identity, variables)]
    history = before or _as_it_begins(run, start, data.validation, out)
    for epoch in history:
        report(epoch)
    started = time.monotonic() - (history[-1].seconds if history else 0.0)
    while not _finished(history, plan):
        number = history[-1].epoch + 1 if history else 1
        loss = one_epoch(run, data.training, targets, plan, number, tick)
        rate = float(np.asarray(optimizer.learning_rate))
        epoch = Epoch(number, loss, *_validated(run, data.validation), rate, time.monotonic() - started)
        history.append(epoch)
        if data.validation is None or _is_best(history):
            model.save(out)
        _write_history(out.with_suffix(".csv"), history)
        save_checkpoint(state, identity, history, variables)
        report(epoch)
    state.unlink(missing_ok=True)
    return history


def _as_it_begins(run: Run, start: Any, validation: LabelledLot | None, out: Path) -> list[Epoch]:
    """What the model to go on from is worth, where there is one and that can be measured."""
    if start is None or validation is None:
        return []
    start.save(out)
    return [Epoch(0, float("nan"), *_validated(run, validation), float("nan"), 0.0)]


def _identity(network: Network, plan: TrainingPlan, data: Sides, *models: Any) -> str:
    """What run a training state belongs to: the plan, the joints on both sides, and the weights it came from."""
    digest = hashlib.sha256()
    for model in models:
        for weight in [] if model is None else model.get_weights():
            digest.update(weight.tobytes())
    validation = data.validation.truth_digest if data.validation else "none"
    return f"{network} {plan.digest} {data.training.truth_digest} {validation} {digest.hexdigest()}"


def _targets(model: Any, data: Sides) -> NDArray[np.int64]:
    """The class of each training joint: normal or defect, or what defect it is where the model tells."""
    numbers = {name: number for number, name in enumerate(data.classes)}
    if first_output(model.output_shape)[-1] != len(numbers):
        return data.training.labels
    return np.array([numbers[row.truth] for row in data.training.defect_rows], np.int64)


def _finished(history: list[Epoch], plan: TrainingPlan) -> bool:
    if history and history[-1].epoch >= (plan.stop_after or plan.epochs):
        return True
    if history and plan.time_limit_s is not None and history[-1].seconds > plan.time_limit_s:
        return True
    values = [epoch.validation_auroc for epoch in history]
    if not values or np.isnan(values).all():
        return False
    return len(values) - 1 - int(np.nanargmax(values)) >= plan.patience


def _is_best(history: list[Epoch]) -> bool:
    return np.isnan(history[-1].validation_auroc) or all(
        _worth(history[-1]) > _worth(before) for before in history[:-1]
    )


def kept_in_words(history: Sequence[Epoch]) -> str:
    """Which epoch was saved, and by what it was chosen."""
    if np.isnan([epoch.validation_auroc for epoch in history]).all():
        return f"kept epoch {history[-1].epoch}, the last: nothing was held back to choose by"
    best = max(history, key=_worth)
    as_it_came = " (the model as it began: training made it no better)" if best.epoch == 0 else ""
    return (
        f"kept epoch {best.epoch} of {history[-1].epoch}{as_it_came}: validation AUROC {best.validation_auroc:.4f}, "
        f"loss {best.validation_loss:.4f}"
    )


def _worth(epoch: Epoch) -> tuple[float, float]:
    """AUROC, which small lots soon have all of; then the loss."""
    return float(np.nan_to_num(epoch.validation_auroc, nan=-1.0)), -epoch.validation_loss


def _validated(run: Run, validation: LabelledLot | None) -> tuple[float, float]:
    """Loss and AUROC."""
    if validation is None:
        return float("nan"), float("nan")
    scores = np.clip(scores_in_batches(run.forward, validation.batches(64)), 1e-7, 1 - 1e-7)
    labels = validation.labels
    return float(-np.mean(np.where(labels == 1, np.log(scores), np.log(1 - scores)))), auroc(scores, labels)


def read_history(path: Path) -> list[Epoch]:
    """The history that was saved beside a model."""
    with path.open(newline="") as stream:
        return [Epoch(int(row.pop("epoch")), **{k: float(v) for k, v in row.items()}) for row in csv.DictReader(stream)]


def _write_history(path: Path, history: list[Epoch]) -> None:
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(Epoch._fields)
        writer.writerows(history)
