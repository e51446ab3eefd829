"""How much data is enough: recognition against the number of labelled joints, from the reference and from scratch."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from convert.evaluation.learning import Learnt, Start
from convert.lots.lot import LabelledLot
from convert.lots.patches import Positions
from convert.lots.splits import balanced
from convert.metrics.defects import auroc, outcome_at, threshold_for_recall
from convert.networks.scoring import load_model, score
from convert.training.defects import Sides, train
from convert.training.fine_tuning import from_reference
from convert.training.plan import SLICENET, TrainingPlan, fine_tuning

SIZES = (10, 30, 100, 300)
STEPS = 120
"""Of each training; the reference's end is fitted before."""
RECALL = 0.95


def learning_curve(training: LabelledLot, held_out: LabelledLot, seeds: int) -> Iterator[Learnt]:
    """Each training of each size, as it is measured on the held-out lot."""
    for size in sizes_of(len(training.rows)):
        for seed in range(seeds):
            some = training.subset(_drawn(training, size, seed), f"{training.name}, {size} joints")
            for start in ("reference", "scratch"):
                yield _learnt(start, some, held_out, seed)


def sizes_of(joints: int) -> tuple[int, ...]:
    """Those that a lot has joints enough for, and all of it."""
    return (*(size for size in SIZES if size < joints), joints)


def _drawn(lot: LabelledLot, size: int, seed: int) -> Positions:
    """Joints, of both classes as in the lot, at least two of each."""
    if size >= len(lot.rows):
        return np.arange(len(lot.rows))
    rng = np.random.default_rng([seed, size])
    defects, normals = (rng.permutation(np.flatnonzero(lot.labels == label)) for label in (1, 0))
    wanted = min(len(defects), max(2, round(size * len(defects) / len(lot.rows))))
    wanted = max(wanted, size - len(normals))
    return np.sort(np.concatenate([defects[:wanted], normals[: size - wanted]]))


def _learnt(start: Start, some: LabelledLot, held_out: LabelledLot, seed: int) -> Learnt:
    plan = _short(fine_tuning(len(some.rows)) if start == "reference" else SLICENET, len(some.rows), seed)
    data = Sides(balanced(some, plan.balance, seed), None)
    model = from_reference(data.training, data.classes, plan) if start == "reference" else None
    with tempfile.TemporaryDirectory(prefix="axi-curve-") as work:
        path = Path(work) / "model.keras"
        train("slicenet", data, path, plan, start=model)
        scores = score(load_model(path), held_out)
    labels = held_out.labels
    at = threshold_for_recall(scores, labels, RECALL)
    rates = outcome_at(scores, labels, at)
    return Learnt(
        start, len(some.rows), int(some.labels.sum()), seed, auroc(scores, labels), rates.false_positive_rate.value
    )


def _short(plan: TrainingPlan, joints: int, seed: int) -> TrainingPlan:
    """As many steps whatever the size."""
    batch = min(32, max(8, joints))
    epochs = max(1, round(STEPS / -(-joints // batch)))
    return replace(
        plan, batch=batch, epochs=epochs, seed=seed, balance="repeat-defects", validation_share=0.0, taught=0.0
    )
