"""One step of training, and one epoch: the loss, the optimiser, and joints made ready while the step before runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from convert.lots.lot import LabelledLot
from convert.lots.patches import Patches, Positions
from convert.networks.handing import first_output
from convert.networks.scoring import as_input, compiled, computing
from convert.training.augmentation import augmented
from convert.training.plan import TrainingPlan

T = TypeVar("T")
Tick = Callable[[float], None]


class Run:
    """A model's compiled training step, and its compiled inference."""

    def __init__(self, model: Any, optimizer: Any, plan: TrainingPlan, teacher: Any) -> None:
        compute = computing(model, rounded=plan.rounded)
        classes = first_output(model.output_shape)[-1]
        wanted_of = _wanted(classes, plan, teacher)
        loss_of = keras.losses.CategoricalCrossentropy()

        @tf.function(reduce_retracing=True, autograph=False)
        def step(patches: Any, targets: Any) -> Any:
            wanted = wanted_of(patches, targets)
            with tf.GradientTape() as tape:
                loss = loss_of(wanted, first_output(compute(as_input(model, patches), training=True)))
            optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
            return loss

        self.step = step
        self.forward = compiled(model)


def _wanted(classes: int, plan: TrainingPlan, teacher: Any) -> Any:
    """What the model is to say of a batch, (n, classes): the truth, smoothed, mixed with what a teacher says of it."""
    smooth = plan.label_smoothing
    judged = None if teacher is None else computing(teacher)

    def of(patches: Any, targets: Any) -> Any:
        truth = (1 - smooth) * tf.one_hot(targets, classes) + smooth / classes
        if judged is None or not plan.taught:
            return truth
        said = first_output(judged(as_input(teacher, patches), training=False))
        return (1 - plan.taught) * truth + plan.taught * tf.stop_gradient(said)

    return of


def optimizer_for(plan: TrainingPlan, steps: int) -> Any:
    rate = _schedule(plan, steps)
    if not plan.weight_decay:
        return keras.optimizers.Adam(rate)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=plan.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer


def _schedule(plan: TrainingPlan, steps: int) -> Any:
    if not plan.cosine:
        return keras.optimizers.schedules.InverseTimeDecay(plan.learning_rate, 1, plan.decay)
    total = steps * plan.epochs
    rise = min(plan.warm_up, total // 10)
    return keras.optimizers.schedules.CosineDecay(
        plan.learning_rate / 50, total - rise, alpha=0.02, warmup_target=plan.learning_rate, warmup_steps=rise
    )


def one_epoch(
    run: Run, lot: LabelledLot, targets: NDArray[np.int64], plan: TrainingPlan, number: int, tick: Tick
) -> float:
    """Each joint once, in an order and changed in ways that depend on seed and epoch only."""
    losses = []
    for patches, chosen in _ahead(_batches(lot, plan, number)):
        losses.append(float(run.step(patches, targets[chosen])))
        tick(losses[-1])
    return float(np.mean(losses))


def _batches(lot: LabelledLot, plan: TrainingPlan, number: int) -> Iterator[tuple[Patches, Positions]]:
    rng = np.random.default_rng([plan.seed, number])
    order = rng.permutation(len(lot.rows))
    for start in range(0, len(order), plan.batch):
        chosen = order[start : start + plan.batch]
        yield augmented(lot.take(chosen), plan.augmentation, rng), chosen


def _ahead(items: Iterator[T]) -> Iterator[T]:
    """The same, each made while the one before it is used."""
    with ThreadPoolExecutor(1) as maker:
        coming = maker.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = maker.submit(next, items, None)
            yield item
