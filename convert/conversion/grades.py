"""The gate of a quality index: its scale, from training joints, and what conversion did to the grades."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.conversion.gate import Check, escape_check
from convert.conversion.parity import Measured
from convert.conversion.recipe import BudgetSection, FamiliaritySection, Recipe
from convert.conversion.task import Decided, Lots, Scored
from convert.lots.graded_truth import expected
from convert.lots.lot import LabelledLot
from convert.lots.splits import require_unseen
from convert.metrics.defects import Scores
from convert.metrics.grades import Agreement, agreement, grades_of, thresholds
from edge.core.card import Accuracy
from edge.core.errors import ConfigError
from edge.core.grades import GRADES as GRADES_IN_ORDER
from edge.core.intake import Spec
from edge.core.preprocess import PreprocessSpec
from edge.core.rules import GradeScale, Head, TaskName


def scale_of(training: LabelledLot, qi: Scores, evaluation: Measured) -> tuple[GradeScale, Agreement]:
    """The scale that training joints give the converted model's index ``qi``, and how both sides do with it.

    Raises UsageError for a training lot that lacks a grade, or whose class means do not rise.
    """
    means, between = thresholds(qi, expected(training.graded_rows))
    both = agreement(evaluation.keras, evaluation.tflite, between.tolist(), evaluation.lot.graded_rows)
    scale = GradeScale(
        thresholds=tuple(between.tolist()),
        class_means=tuple(means.tolist()),
        learnt_on=training.name,
        measured_on=evaluation.lot.name,
        recognised=both.tflite.recognised,
        recall=both.tflite.recall,
        false_positive_rate=both.tflite.false_positive_rate,
    )
    return scale, both


def grade_checks(
    both: Agreement,
    evaluation: Measured,
    others: Mapping[str, Scores],
    scale: GradeScale,
    budget: BudgetSection,
) -> tuple[Check, ...]:
    """The gate's lines, on the evaluation lot: what conversion cost, what another runtime would change, what escapes.

    ``others``: quality indices on the other runtimes, by name.
    """
    return tuple(_checks(both, evaluation, others, scale, budget))


def _checks(
    both: Agreement,
    evaluation: Measured,
    others: Mapping[str, Scores],
    scale: GradeScale,
    budget: BudgetSection,
) -> Iterator[Check]:
    joints = len(evaluation.lot.rows)
    drop = both.keras.recognised.value - both.tflite.recognised.value
    yield Check("Recognition Rate drop against Keras", drop, budget.max_recognition_drop)
    yield Check("grades changed", both.changed / joints, budget.max_flipped, f"{both.changed} of {joints} joints")
    yield Check("grades two apart or more", both.jumps, 0.0, "joints that Keras grades otherwise by so much")
    yield Check("poor joints graded good or better", both.tflite.poor_as_good, 0.0, f"Keras: {both.keras.poor_as_good}")
    yield Check("quality index, typical difference", both.typical_difference, None)
    yield Check("quality index, largest difference", both.largest_difference, None)
    mine = grades_of(evaluation.tflite, scale.thresholds)
    for name, qi in others.items():
        changed = int((grades_of(qi, scale.thresholds) != mine).sum())
        yield Check(f"grades changed on {name}", changed / joints, budget.max_flipped, f"{changed} of {joints} joints")
    recall = both.tflite.recall
    yield escape_check(
        "escape rate of poor and excessive joints, 95 % bound",
        recall.total - recall.hits,
        recall.total,
        budget.max_escape,
    )


def grade_accuracy(both: Agreement, evaluation: Measured) -> tuple[Accuracy, ...]:
    """Recognition Rates of both sides on the evaluation lot, and how far their quality indices lie apart."""
    data, joints = evaluation.lot.name, len(evaluation.lot.rows)
    sides = (("keras", both.keras), ("tflite", both.tflite))
    rates = tuple(
        Accuracy(data=data, metric="recognition_rate", side=side, value=found.recognised.value, joints=joints)  # type: ignore[arg-type]
        for side, found in sides
    )
    apart = both.typical_difference
    return (*rates, Accuracy(data=data, metric="quality_index_difference", side="both", value=apart, joints=joints))


@dataclass(frozen=True)
class Grades:
    """How much solder? A quality index, graded by thresholds midway between class means of training joints."""

    name: TaskName = "joint_quality"
    classes: tuple[str, ...] = GRADES_IN_ORDER
    joint_types: tuple[str, ...] = ("SMT",)
    calibration_use: str = "calibrated, and grades learnt,"
    learns: bool = True
    least_replay_tolerance: float = 0.005

    def recipe_problems(self, recipe: Recipe) -> Iterator[tuple[str, str]]:
        if recipe.validation.lot:
            yield "[validation] lot", "thresholds between grades are learnt on [calibration]; remove it"
        for key, given in _meaningless(recipe):
            if given:
                yield key, "means nothing to a network that grades; remove it"

    def spec(self, model: Any, recipe: Recipe) -> Spec:  # noqa: ARG002 - such a network carries it, as it was trained
        from convert.networks.neurofuzzy import spec_of

        try:
            return spec_of(model)
        except ValueError as error:
            raise ConfigError(f"[source] model: {model.name} is no neurofuzzy network ({error}); name one") from error

    def require_lots(self, lots: Lots) -> None:
        require_unseen(lots.calibration, lots.evaluation)

    def require_calibration(self, patches: NDArray[np.uint8], lot: str) -> None:
        """Features are levels of ranges that training joints gave: there is no noise among them."""

    def fitted_head(self, head: Head, ours: Scores, wanted: Scores) -> Head:  # noqa: ARG002
        """The rules' conclusions are the scale."""
        return head

    def decide(self, recipe: Recipe, lots: Lots, scored: Scored) -> Decided:
        assert scored.learning is not None  # noqa: S101 - this task learns
        scale, both = scale_of(lots.calibration, scored.learning, scored.evaluation)
        checks = grade_checks(both, scored.evaluation, scored.elsewhere, scale, recipe.budget)
        return Decided(grade_accuracy(both, scored.evaluation), checks, scale=scale, agreement=both)


def _meaningless(recipe: Recipe) -> Iterator[tuple[str, bool]]:
    """Keys that such a network has no use for, and whether they were set all the same."""
    usual, budget = BudgetSection(), recipe.budget
    yield "[factorisation] layers", bool(recipe.factorisation.layers)
    yield "[preprocess]", recipe.preprocess != PreprocessSpec()
    yield "[budget] max_auroc_drop", budget.max_auroc_drop != usual.max_auroc_drop
    yield "[budget] max_recall_drop", budget.max_recall_drop != usual.max_recall_drop
    yield "[budget] max_escape_of", bool(budget.max_escape_of)
    yield "[budget] max_unfamiliar", budget.max_unfamiliar is not None
    yield "[budget] min_caught", budget.min_caught is not None
    yield "[familiarity]", recipe.familiarity != FamiliaritySection()


GRADES = Grades()
