"""Keras against the quantised model: the same joints, the same thresholds, the runtimes that ship."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.dataset import LabelledLot
from convert.gate import Check
from convert.metrics import auroc, flipped, outcome_at, threshold_for_recall
from convert.recipe import BudgetSection
from convert.runtimes import outputs_on, thread_count
from edge.adapters.tflite import installed_runtimes
from edge.core.card import Accuracy, OperatingPoint, Quantisation
from edge.core.decide import logit_of, score_of
from edge.core.errors import ConfigError, GateRefused

FLOAT_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Measured:
    """Both sides' p_defect on one lot, float64 (n,)."""

    lot: LabelledLot
    keras: NDArray[np.float64]
    tflite: NDArray[np.float64]


@dataclass(frozen=True)
class RuntimeOutputs:
    """Raw outputs (n, bands) on every runtime: ``shipped`` on the preferred one's fast kernels."""

    shipped: NDArray[Any]
    exact: NDArray[Any]
    others: dict[str, NDArray[Any]]


def outputs_everywhere(model: bytes, lot: LabelledLot, *, integer: bool) -> RuntimeOutputs:
    """Run every joint on every runtime here, fast and exact kernels.

    Raises GateRefused when the exact kernels of two runtimes differ in a single integer level (floats: by 1e-4), or
    when the model says the same of every joint.
    """
    threads = thread_count()
    fast: dict[str, NDArray[Any]] = {}
    exact: NDArray[Any] | None = None
    for runtime in installed_runtimes():
        mine = outputs_on(runtime, "exact", model, lot.patches, threads)
        exact = mine if exact is None else exact
        same = np.array_equal(mine, exact) if integer else np.allclose(mine, exact, rtol=0, atol=FLOAT_TOLERANCE)
        if not same:
            raise GateRefused(
                f"no bundle written: {runtime.name} does not reproduce the other runtime on exact kernels; "
                "report it with the model"
            )
        fast[runtime.name] = outputs_on(runtime, "fast", model, lot.patches, threads)
    if exact is None:
        raise ConfigError("no TFLite runtime is installed here; install axi-edge anew")
    if (exact == exact[0]).all():
        raise GateRefused("no bundle written: the model says the same of every joint; train or convert it anew")
    preferred = next(iter(fast))
    return RuntimeOutputs(fast.pop(preferred), exact, {**fast, "exact kernels": exact})


def logits_apart(outputs: RuntimeOutputs, quantisation: Quantisation) -> float:
    """The largest difference between the logits of exact and of any fast kernels."""
    logits = np.array([logit_of(row, quantisation) for row in outputs.exact])
    others = [outputs.shipped, *outputs.others.values()]
    return max(float(np.abs(np.array([logit_of(row, quantisation) for row in one]) - logits).max()) for one in others)


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
    name, labels = measured.lot.name, measured.lot.labels
    return (
        Accuracy(data=name, metric="auroc", side="keras", value=auroc(measured.keras, labels), joints=len(labels)),
        Accuracy(data=name, metric="auroc", side="tflite", value=auroc(measured.tflite, labels), joints=len(labels)),
    )


def checks_of(
    measured: Measured,
    others: Mapping[str, NDArray[np.float64]],
    points: Sequence[OperatingPoint],
    budget: BudgetSection,
) -> tuple[Check, ...]:
    """The gate's lines, on the evaluation lot: what quantisation cost, and what another runtime would change.

    ``others``: p_defect on the other runtimes and kernels, by name.
    """
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
    elsewhere = [
        Check(
            f"share of joints whose decision flips on {name} at {points[0].name}",
            len(flipped(measured.tflite, scores, points[0].threshold)) / len(labels),
            budget.max_flipped,
        )
        for name, scores in others.items()
    ]
    return (Check("AUROC drop against Keras", drop, budget.max_auroc_drop), *shares, *elsewhere)
