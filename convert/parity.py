"""Keras against the quantised model: the same joints, the same thresholds, the runtimes that ship."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.dataset import LabelledLot
from convert.gate import Check
from convert.metrics import auroc, flipped, outcome_at, threshold_for_recall
from convert.recipe import BudgetSection
from edge.adapters.tflite import TfliteScorer
from edge.core.card import Accuracy, OperatingPoint, Quantisation
from edge.core.decide import Output, score_of
from edge.core.errors import GateRefused

FLOAT_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Measured:
    """Both sides' p_defect on one lot, float64 (n,)."""

    lot: LabelledLot
    keras: NDArray[np.float64]
    tflite: NDArray[np.float64]


def outputs_of(scorers: Sequence[TfliteScorer], lot: LabelledLot, *, exact: bool) -> NDArray[Any]:
    """Raw outputs (n, bands) that all runtimes agree on.

    Raises GateRefused when they differ: by a single level for integers (``exact``), beyond 1e-4 for floats; or when
    the model gives one and the same output for every joint.
    """
    reference: list[Output] = []
    for scorer in scorers:
        outputs = [scorer.run(patch)[0] for patch in lot.patches]
        if not reference:
            reference = outputs
        differing = sum(
            not (np.array_equal(mine, other) if exact else np.allclose(mine, other, rtol=0, atol=FLOAT_TOLERANCE))
            for mine, other in zip(outputs, reference, strict=True)
        )
        if differing:
            raise GateRefused(
                f"{scorer.runtime.name} and {scorers[0].runtime.name} differ on {differing} of {len(outputs)} joints; "
                "no bundle written: a verdict must not depend on the runtime"
            )
    stacked = np.stack(reference)
    if (stacked == stacked[0]).all():
        raise GateRefused("the model gives the same output for every joint; no bundle written: train or convert anew")
    return stacked


def scores_of(outputs: NDArray[Any], quantisation: Quantisation) -> NDArray[np.float64]:
    """p_defect of each row of raw outputs, as the device computes it."""
    return np.array([score_of(row, quantisation).p_defect for row in outputs])


def operating_points(
    recalls: Sequence[float], validation: Measured, evaluation: Measured
) -> tuple[OperatingPoint, ...]:
    """Thresholds chosen for the quantised model on validation, measured on the evaluation lot."""
    points = []
    for recall in recalls:
        threshold = threshold_for_recall(validation.tflite, validation.lot.labels, recall)
        outcome = outcome_at(evaluation.tflite, evaluation.lot.labels, threshold)
        points.append(
            OperatingPoint(
                name=f"recall-{recall:.2f}",
                threshold=threshold,
                measured_on=evaluation.lot.name,
                recall=outcome.recall,
                false_positive_rate=outcome.false_positive_rate,
            )
        )
    return tuple(points)


def accuracy_of(measured: Measured) -> tuple[Accuracy, ...]:
    """AUROC of both sides."""
    labels = measured.lot.labels
    return (
        Accuracy(
            data=measured.lot.name,
            metric="auroc",
            side="keras",
            value=auroc(measured.keras, labels),
            joints=len(labels),
        ),
        Accuracy(
            data=measured.lot.name,
            metric="auroc",
            side="tflite",
            value=auroc(measured.tflite, labels),
            joints=len(labels),
        ),
    )


def checks_of(measured: Measured, points: Sequence[OperatingPoint], budget: BudgetSection) -> tuple[Check, ...]:
    """The gate's lines: what quantisation cost on the evaluation lot."""
    labels = measured.lot.labels
    drop = auroc(measured.keras, labels) - auroc(measured.tflite, labels)
    shares = [
        Check(
            f"share of joints whose decision flips at {point.name}",
            len(flipped(measured.keras, measured.tflite, point.threshold)) / len(labels),
            budget.max_flipped,
        )
        for point in points
    ]
    return (Check("AUROC drop against Keras", drop, budget.max_auroc_drop), *shares)
