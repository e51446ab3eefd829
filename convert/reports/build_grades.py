"""The part of a build's report that is about a network that grades."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from matplotlib import pyplot as plt

from convert.conversion.findings import Comparison
from convert.conversion.parity import Measured
from convert.conversion.task import Decided
from convert.lots.graded_truth import expected
from convert.lowering.layers import Network
from convert.metrics.grades import Agreement
from convert.reports.grade_drawings import COLOURS, QUIET, draw_index, draw_sets
from convert.reports.grade_tables import confusion_table, rules_table
from convert.reports.pages import Picture, Table, share
from convert.reports.style import save
from edge.core.grades import GRADES, in_words
from edge.core.rules import GradeScale


def agreement_table(both: Agreement, scale: GradeScale) -> Table:
    """Both sides of a conversion, at the card's thresholds."""
    rows = tuple(
        (
            side,
            share(found.recognised),
            share(found.outside),
            f"{found.ordinal_error:.4f}",
            str(found.two_off),
            str(found.poor_as_good),
            share(found.recall),
            share(found.false_positive_rate),
        )
        for side, found in (("Keras", both.keras), ("converted", both.tflite))
    )
    between = ", ".join(f"{threshold:.4f}" for threshold in scale.thresholds)
    return Table(
        "Grades on the evaluation lot",
        f"Thresholds th1 to th4, midway between class means of {scale.learnt_on}: {between}. {both.changed} joints "
        f"change their grade, {both.jumps} by two or more; the quality index moves by {both.typical_difference:.4f} "
        f"typically ({both.mean_difference:+.4f} on average), by {both.largest_difference:.4f} at most. Outside: of "
        "the band where experts disagree. Recall and false positive rate: of poor and excessive joints, as defects.",
        (
            "side",
            "Recognition Rate",
            "outside the band",
            "ordinal error, grades",
            "two off",
            "poor as good or better",
            "recall",
            "false positive rate",
        ),
        rows,
    )


def draw_index_parity(path: Path, measured: Measured, thresholds: Sequence[float]) -> None:
    """Quality index of Keras against the converted model's, and how their difference is spread."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.4))
    grades = expected(measured.lot.graded_rows)
    for i, (grade, colour) in enumerate(zip(GRADES, COLOURS, strict=True)):
        chosen = grades == i
        left.plot(
            measured.keras[chosen], measured.tflite[chosen], ".", color=colour, ms=3, alpha=0.6, label=in_words(grade)
        )
    for threshold in thresholds:
        left.axhline(threshold, color=QUIET, lw=0.8, ls="--")
        left.axvline(threshold, color=QUIET, lw=0.8, ls="--")
    left.set(xlabel="quality index, Keras", ylabel="quality index, converted")
    left.legend(frameon=False, markerscale=3)
    right.hist(measured.tflite - measured.keras, bins=60, color="#5c6b73")
    right.set(xlabel="quality index, converted less Keras", ylabel="joints")
    for axes in (left, right):
        axes.grid(alpha=0.25)
    save(figure, path)


def _rules(found: Comparison) -> Network:
    assert isinstance(found.network, Network)  # noqa: S101 - nothing else grades
    return found.network


def meaning(found: Comparison) -> str:
    """What a passed build says, and what it does not."""
    both = _agreement(found.decided)
    recall, false = both.tflite.recall, both.tflite.false_positive_rate
    return (
        "passed means: model.tflite grades as the Keras model does, within the budgets below. It does not mean that "
        f"the model is good enough for a line: on the lot it was measured on it misses {recall.total - recall.hits} of "
        f"{recall.total} poor or excessive joints and calls {false.hits} of {false.total} others defects"
    )


def tables(found: Comparison) -> Iterator[Table]:
    """What was found on the evaluation lot, and what the network learnt."""
    both = _agreement(found.decided)
    yield agreement_table(both, _scale(found.decided))
    yield confusion_table("Confusion matrix of the converted model", both.tflite)
    yield rules_table(_rules(found))


def pictures(found: Comparison, folder: Path) -> Iterator[Picture]:
    """Draw the fuzzy sets, index against index, and index against solder."""
    draw_sets(folder / "sets.png", _rules(found))
    yield Picture("sets.png", "What the network learnt: membership functions, and the index rules make")
    between = _scale(found.decided).thresholds
    draw_index_parity(folder / "scores.png", found.measured, between)
    yield Picture("scores.png", "Quality index of every evaluation joint: Keras against converted")
    title = f"{len(found.measured.lot.rows)} evaluation joints, converted model"
    if any(row.solder is None for row in found.measured.lot.graded_rows):
        return
    draw_index(folder / "index.png", found.measured.lot.graded_rows, found.measured.tflite, between, title)
    yield Picture("index.png", "Quality index against the amount of solder")


def data(found: Comparison) -> dict[str, object]:
    """For report.json."""
    return {"grades": found.decided.agreement, "scale": found.decided.scale}


def _scale(decided: Decided) -> GradeScale:
    assert decided.scale is not None  # noqa: S101 - this task has one
    return decided.scale


def _agreement(decided: Decided) -> Agreement:
    assert decided.agreement is not None  # noqa: S101
    return decided.agreement
