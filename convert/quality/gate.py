"""The gate of a quality index: its scale, from training joints, and what conversion did to the grades."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from convert.dataset import LabelledLot
from convert.gate import Check, escape_check
from convert.metrics import Scores
from convert.parity import Measured
from convert.quality.figures import Agreement, agreement, expected, grades_of, thresholds
from convert.recipe import BudgetSection
from edge.core.card import Accuracy, GradeScale


def scale_of(training: LabelledLot, qi: Scores, evaluation: Measured) -> tuple[GradeScale, Agreement]:
    """The scale that training joints give the converted model's index ``qi``, and how both sides do with it.

    Raises UsageError for a training lot that lacks a grade, or whose class means do not rise.
    """
    means, between = thresholds(qi, expected(training.quality_rows))
    both = agreement(evaluation.keras, evaluation.tflite, between.tolist(), evaluation.lot.quality_rows)
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


def quality_accuracy(both: Agreement, evaluation: Measured) -> tuple[Accuracy, ...]:
    """Recognition Rates of both sides on the evaluation lot, and how far their quality indices lie apart."""
    data, joints = evaluation.lot.name, len(evaluation.lot.rows)
    sides = (("keras", both.keras), ("tflite", both.tflite))
    rates = tuple(
        Accuracy(data=data, metric="recognition_rate", side=side, value=one.recognised.value, joints=joints)  # type: ignore[arg-type]
        for side, one in sides
    )
    apart = both.typical_difference
    return (*rates, Accuracy(data=data, metric="quality_index_difference", side="both", value=apart, joints=joints))
