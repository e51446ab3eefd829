"""Keras against the converted model: the same joints, the same thresholds, the runtimes that ship."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy import stats

from convert.dataset import LabelledLot
from convert.gate import Check, escape_check
from convert.metrics import Outcome, Scores, auroc, flipped, outcome_at, threshold_for_recall
from convert.recipe import BudgetSection
from convert.runtimes import Run, run_on, thread_count
from edge.adapters.tflite import RuntimeInfo
from edge.core.card import Accuracy, OperatingPoint, Quantisation, SugenoHead
from edge.core.decide import reading_of, score_of
from edge.core.errors import GateRefused
from edge.ports import Kernels

FLOAT_TOLERANCE = 1e-4
_KERNELS: tuple[Kernels, ...] = ("exact", "fast")
_Setting = tuple[Kernels, RuntimeInfo, int]


@dataclass(frozen=True)
class Measured:
    """Both sides' p_defect, or quality index, on one lot, float64 (n,)."""

    lot: LabelledLot
    keras: Scores
    tflite: Scores


@dataclass(frozen=True)
class Identity:
    """What a few joints gave on every runtime, with one and two threads. Raw outputs (n, bands).

    ``exact``: of the preferred runtime's exact kernels. ``others``: of every runtime's exact kernels, and ``fast``: of
    their fast ones, by name. ``differing``: runtimes whose exact kernels did not give the very same.
    ``unsteady``: those whose fast kernels depend on the number of threads.
    """

    exact: NDArray[Any]
    others: dict[str, NDArray[Any]]
    fast: dict[str, NDArray[Any]]
    differing: tuple[str, ...]
    unsteady: tuple[str, ...]


def run_everywhere(runtimes: Sequence[RuntimeInfo], model: bytes, patches: NDArray[np.uint8]) -> dict[str, Run]:
    """Every joint on every runtime's fast kernels, as devices run them; the preferred first."""
    return {runtime.name: run_on(runtime, "fast", model, patches, thread_count()) for runtime in runtimes}


def identity(runtimes: Sequence[RuntimeInfo], model: bytes, patches: NDArray[np.uint8], *, integer: bool) -> Identity:
    """Run joints on fast and exact kernels, with one and two threads, and compare what must be the same.

    Exact kernels: the same everywhere (floats: within 1e-4). Fast kernels: the same for any number of threads.
    """
    settings: list[_Setting] = list(product(_KERNELS, runtimes, (1, 2)))
    with ThreadPoolExecutor(thread_count()) as pool:
        jobs = [pool.submit(run_on, runtime, kernels, model, patches, n) for kernels, runtime, n in settings]
        outputs = {one: job.result().outputs for one, job in zip(settings, jobs, strict=True)}
    exact = outputs["exact", runtimes[0], 1]

    def same(mine: NDArray[Any], reference: NDArray[Any]) -> bool:
        if integer:
            return np.array_equal(mine, reference)
        return bool(np.allclose(mine, reference, rtol=0, atol=FLOAT_TOLERANCE))

    return Identity(
        exact,
        {_name(*one): found for one, found in outputs.items() if one[0] == "exact"},
        {_name(*one): found for one, found in outputs.items() if one[0] == "fast"},
        tuple(
            runtime.name
            for runtime in runtimes
            if not all(same(outputs["exact", runtime, threads], exact) for threads in (1, 2))
        ),
        tuple(
            runtime.name for runtime in runtimes if not same(outputs["fast", runtime, 2], outputs["fast", runtime, 1])
        ),
    )


def _name(kernels: Kernels, runtime: RuntimeInfo, threads: int) -> str:
    return f"{runtime.name}, {kernels} kernels, {threads} thread" + "s" * (threads > 1)


def require_sense(outputs: NDArray[Any]) -> None:
    """Raises GateRefused when the model says the same of every joint, or what is no number."""
    if not np.isfinite(outputs).all():
        raise GateRefused("no bundle written: the converted model's outputs are not all numbers; convert it anew")
    if (outputs == outputs[0]).all():
        raise GateRefused("no bundle written: the model says the same of every joint; train or convert it anew")


def readings_apart(exact: NDArray[Any], others: Mapping[str, NDArray[Any]], quantisation: Quantisation) -> float:
    """The largest difference of a reading in any of ``others`` from the exact ones."""
    reference = readings_of(exact, quantisation)
    return max(float(np.abs(readings_of(one, quantisation) - reference).max()) for one in others.values())


def readings_of(outputs: NDArray[Any], quantisation: Quantisation) -> NDArray[np.float64]:
    """The defect logit, or the quality index, that each row of raw outputs shows."""
    return np.array([reading_of(row, quantisation) for row in outputs])


def scores_of(outputs: NDArray[Any], quantisation: Quantisation) -> Scores:
    """p_defect, or quality index, of each row of raw outputs, as the device computes it."""
    if isinstance(quantisation.head, SugenoHead):
        return readings_of(outputs, quantisation)
    return np.array([score_of(row, quantisation).p_defect for row in outputs])


def operating_points(
    recalls: Sequence[float], validation: Measured, evaluation: Measured
) -> tuple[OperatingPoint, ...]:
    """Thresholds chosen for the converted model on validation, measured on the evaluation lot."""
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


class AtPoint(msgspec.Struct, frozen=True):
    """Both sides at one operating point's threshold, on the evaluation lot.

    ``only_keras``, ``only_tflite``: joints that only this side judges rightly; ``mcnemar_p``: McNemar's exact test, the
    probability of so uneven a split between them if neither side were better.
    """

    name: str
    threshold: float
    keras: Outcome
    tflite: Outcome
    flipped: int
    only_keras: int
    only_tflite: int
    mcnemar_p: float


def at_point(measured: Measured, point: OperatingPoint) -> AtPoint:
    """Compare both sides' decisions."""
    labels = measured.lot.labels
    right = [(scores >= point.threshold) == (labels == 1) for scores in (measured.keras, measured.tflite)]
    only_keras, only_tflite = int((right[0] & ~right[1]).sum()), int((~right[0] & right[1]).sum())
    either = only_keras + only_tflite
    return AtPoint(
        point.name,
        point.threshold,
        outcome_at(measured.keras, labels, point.threshold),
        outcome_at(measured.tflite, labels, point.threshold),
        len(flipped(measured.keras, measured.tflite, point.threshold)),
        only_keras,
        only_tflite,
        float(stats.binomtest(only_keras, either).pvalue) if either else 1.0,
    )


def checks_of(
    measured: Measured,
    others: Mapping[str, Scores],
    points: Sequence[AtPoint],
    budget: BudgetSection,
) -> tuple[Check, ...]:
    """The gate's lines, on the evaluation lot: what conversion cost, what another runtime would change, what escapes.

    ``others``: p_defect on the other runtimes, by name. Escapes are counted at the default operating point, the first.
    """
    labels = measured.lot.labels
    drop = auroc(measured.keras, labels) - auroc(measured.tflite, labels)
    lines = [Check("AUROC drop against Keras", drop, budget.max_auroc_drop)]
    for point in points:
        lost = point.keras.recall.value - point.tflite.recall.value
        note = f"{point.flipped} of {len(labels)} joints"
        lines += [
            Check(f"recall drop at {point.name}", lost, budget.max_recall_drop),
            Check(f"decisions flipped at {point.name}", point.flipped / len(labels), budget.max_flipped, note),
        ]
    for name, scores in others.items():
        share = len(flipped(measured.tflite, scores, points[0].threshold)) / len(labels)
        lines.append(Check(f"decisions flipped on {name} at {points[0].name}", share, budget.max_flipped))
    return (*lines, *_escapes(measured, points[0], budget))


def _escapes(measured: Measured, point: AtPoint, budget: BudgetSection) -> Iterator[Check]:
    labels = measured.lot.labels
    escaped = (measured.tflite < point.threshold) & (labels == 1)
    yield escape_check(
        f"escape rate at {point.name}, 95 % bound", int(escaped.sum()), int(labels.sum()), budget.max_escape
    )
    classes = np.array([row.truth for row in measured.lot.rows])
    for name in sorted(set(classes[labels == 1].tolist())):
        inside = (classes == name) & (labels == 1)
        yield escape_check(
            f"escape rate of {name} at {point.name}, 95 % bound",
            int((escaped & inside).sum()),
            int(inside.sum()),
            budget.max_escape_of.get(name),
        )
