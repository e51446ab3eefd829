"""The task of finding defects: operating points, and what conversion did to decisions at them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray
from scipy import stats

from convert.conversion.calibration import require_images
from convert.conversion.gate import Check, escape_check, upper_bound
from convert.conversion.parity import Measured
from convert.conversion.recipe import BudgetSection, Recipe
from convert.conversion.score_scale import fitted_head
from convert.conversion.task import AtPoint, Decided, Lots, Scored
from convert.lowering.graphs.handed import Handed
from convert.metrics.defects import Scores, auroc, flipped, outcome_at, threshold_for_recall
from edge.core.card import Accuracy
from edge.core.intake import Spec
from edge.core.preprocess import PreprocessSpec
from edge.core.rules import ClassesHead, Head, OperatingPoint, TaskName, ThermometerHead


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
        note = _how_sure(point.flipped, len(labels), budget.max_flipped)
        lines += [
            Check(f"recall drop at {point.name}", lost, budget.max_recall_drop),
            Check(f"decisions flipped at {point.name}", point.flipped / len(labels), budget.max_flipped, note),
        ]
    for name, scores in others.items():
        share = len(flipped(measured.tflite, scores, points[0].threshold)) / len(labels)
        lines.append(Check(f"decisions flipped on {name} at {points[0].name}", share, budget.max_flipped))
    return (*lines, *_escapes(measured, points[0], budget))


def _how_sure(flipped: int, joints: int, budget: float | None) -> str:
    """Out of how many, and what the share lies below by that; a few joints prove little."""
    bound = upper_bound(flipped, joints)
    few = "; too few joints to prove the budget" if budget is not None and bound > budget >= flipped / joints else ""
    return f"{flipped} of {joints} joints, below {bound:.1%} (95 %){few}"


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


@dataclass(frozen=True)
class Defects:
    """Is the joint a defect? Decided by p_defect at operating points, whose thresholds are chosen on validation."""

    name: TaskName = "joint_defect"
    classes: tuple[str, ...] = ("normal", "defect")
    joint_types: tuple[str, ...] = ("PTH",)
    calibration_use: str = "calibrated"
    learns: bool = False
    least_replay_tolerance: float = 0.05

    def recipe_problems(self, recipe: Recipe) -> Iterator[tuple[str, str]]:
        if not recipe.validation.lot:
            yield "[validation] lot", "missing; name the lot that thresholds are chosen on"
        if recipe.budget.max_recognition_drop != BudgetSection().max_recognition_drop:
            yield "[budget] max_recognition_drop", "means nothing to a network that finds defects; remove it"

    def spec(self, model: Any, recipe: Recipe) -> Spec:
        """As the recipe says; where it says nothing, patches of the size and slices that a model takes."""
        if isinstance(model, Handed) and recipe.preprocess == PreprocessSpec():
            size, _, channels = model.input_shape
            return replace(recipe.preprocess, size=size, channels=channels)
        return recipe.preprocess

    def require_lots(self, lots: Lots) -> None:
        """Thresholds that hold on board types seen in calibration are no less chosen on others."""

    def require_calibration(self, patches: NDArray[np.uint8], lot: str) -> None:
        require_images(patches, lot)

    def fitted_head(self, head: Head, ours: Scores, wanted: Scores) -> Head:
        return fitted_head(head, ours, wanted) if isinstance(head, ThermometerHead | ClassesHead) else head

    def decide(self, recipe: Recipe, lots: Lots, scored: Scored) -> Decided:  # noqa: ARG002
        assert scored.validation is not None  # noqa: S101 - a recipe of this task names the lot
        points = operating_points(recipe.validation.recalls, scored.validation, scored.evaluation)
        compared = tuple(at_point(scored.evaluation, point) for point in points)
        checks = checks_of(scored.evaluation, scored.elsewhere, compared, recipe.budget)
        return Decided(accuracy_of(scored.evaluation), checks, points=points, compared=compared)


DEFECTS = Defects()
