"""The tables of a build's report."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from convert.evaluation.tables import interval, share
from convert.findings import Findings
from convert.gate import CHECK_HEADINGS
from convert.layer_errors import most_costly
from convert.metrics import Interval, auroc_interval, flipped
from convert.pages import Table
from convert.parity import AtPoint, Measured
from convert.quality.tables import agreement_table, confusion_table, rules_table
from convert.rank_choice import RankTried

_WORST = 5


def tables_of(found: Findings) -> Iterator[Table]:
    if found.gate:
        yield _gate(found)
    yield from _measured(found)
    if found.runtimes:
        yield _runtimes(found)
    if found.ranks:
        yield _ranks(found.ranks)
    if found.rewrites:
        yield _lowering(found)
    if found.layers:
        yield _layers(found)
    if found.disagreement:
        yield _calibration(found)
    if found.operations:
        yield _contents(found)


def _measured(found: Findings) -> Iterator[Table]:
    """What was found on the evaluation lot, of decisions or of grades."""
    if found.grades is not None and found.scale is not None:
        yield agreement_table(found.grades, found.scale)
        yield confusion_table("Confusion matrix of the converted model", found.grades.tflite)
    elif found.evaluation is not None:
        yield _accuracy(found.evaluation)
        yield _points(found)
        yield _flip_list(found.evaluation, found.points)
    if found.network is not None:
        yield rules_table(found.network)


def _gate(found: Findings) -> Table:
    return Table(
        "Gate",
        "A bundle is written only when no budget is exceeded. A drop is Keras' figure less the converted model's, on "
        "the first runtime: below 0 the converted model is the better. A flipped decision is a joint that one side "
        "calls a defect and the other does not. Lines without a budget inform only. An escape bound is Clopper's and "
        "Pearson's one-sided 95 % upper bound: what so many defects prove, not what they happened to show.",
        CHECK_HEADINGS,
        tuple(check.cells for check in found.gate),
    )


def _accuracy(measured: Measured) -> Table:
    rows = tuple((side, interval(value)) for side, value in aurocs(measured).items())
    return Table("AUROC on the evaluation lot", "With DeLong's 95 % interval.", ("side", "AUROC"), rows)


def aurocs(measured: Measured) -> dict[str, Interval]:
    labels = measured.lot.labels
    return {"Keras": auroc_interval(measured.keras, labels), "converted": auroc_interval(measured.tflite, labels)}


def _points(found: Findings) -> Table:
    rows = tuple(
        (
            point.name,
            f"{point.threshold:.4f}",
            side,
            share(outcome.recall),
            share(outcome.false_positive_rate),
            f"{point.flipped}",
            f"{point.only_keras} : {point.only_tflite}, p = {point.mcnemar_p:.2f}",
        )
        for point in found.points
        for side, outcome in (("Keras", point.keras), ("converted", point.tflite))
    )
    return Table(
        "Operating points",
        "Thresholds are chosen for the converted model, on validation. Rightly judged by one side only, Keras : "
        "converted, and McNemar's exact test of that split: a small p says that one side is better.",
        ("point", "threshold", "side", "recall", "false positive rate", "flipped", "right on one side only"),
        rows,
    )


def _flip_list(measured: Measured, points: tuple[AtPoint, ...]) -> Table:
    rows = []
    for point in points:
        for i in flips_at(measured, point.threshold):
            row = measured.lot.rows[i]
            scores = f"{measured.keras[i]:.4f}", f"{measured.tflite[i]:.4f}"
            now = "called" if measured.tflite[i] >= point.threshold else "passed"
            rows.append((point.name, f"{row.job_id} {row.joint}", row.truth, str(row.slices), *scores, now))
    return Table(
        "Joints whose decision flipped",
        "Largest difference first. Near a threshold the smallest difference flips a decision. A defect now passed is "
        "an escape that conversion brought; a normal joint now called, a false call.",
        ("point", "joint", "truth", "slices", "p_defect, Keras", "p_defect, converted", "now"),
        tuple(rows),
    )


def _runtimes(found: Findings) -> Table:
    rows = tuple(
        (
            one.name,
            f"{one.median_ms:.3g}",
            f"{one.peak_mb:.0f}",
            f"{one.model_mb:.0f}",
            "yes" if one.identical else "no",
        )
        for one in found.runtimes
    )
    return Table(
        "Runtimes",
        "A joint at a time, fast kernels, all cores; each in a process of its own. The model's memory is what loading "
        "and running it added. Identical: exact kernels gave the same with one and two threads and as the first "
        "runtime, fast kernels the same with one and two threads.",
        ("runtime", "ms a joint, median", "peak MB", "of it the model's", "identical"),
        rows,
    )


def _ranks(tried: tuple[RankTried, ...]) -> Table:
    rows = tuple(
        (
            "whole" if one.rank is None else str(one.rank),
            f"{one.auroc:.4f}",
            f"{one.weights:,}",
            f"{one.model_bytes:,}",
            f"{one.median_ms:.3g}",
            "chosen" if one.chosen else "",
        )
        for one in tried
    )
    return Table(
        "Rank of the factorised matrices",
        "Each rank converted and run on the validation lot. The smallest is taken that keeps the AUROC budget.",
        ("rank", "AUROC", "weights", "bytes", "ms a joint", ""),
        rows,
    )


def _lowering(found: Findings) -> Table:
    rows = tuple((one.name, str(one.layers), f"{one.weights:,}", f"{one.difference:.1e}") for one in found.rewrites)
    note = "Largest difference of a score from the step before, in float32, on calibration joints."
    if found.lowering_difference is not None:
        note += f" On the whole evaluation lot, from Keras to the last step: {found.lowering_difference:.1e}."
    return Table("Lowering, pass by pass", note, ("pass", "layers", "weights", "difference"), rows)


def _layers(found: Findings) -> Table:
    worst = most_costly(found.layers, _WORST)
    rows = tuple((one.name, f"{one.logit:.4f}", f"{one.snr_db:.1f}", f"{one.cosine:.6f}") for one in worst)
    return Table(
        "The layers that cost most",
        "Cost: how far the operation by itself, on the inputs that the file gave it, moves the reading (logit or "
        "quality index), root mean square over a few joints. Signal-to-noise ratio and cosine hold what earlier "
        "operations spoilt, too. The figure shows all. A layer that costs too much can be kept in float by name: "
        "[quantisation] float.",
        ("operation", "moves the reading by", "SNR, dB", "cosine"),
        rows,
    )


def _calibration(found: Findings) -> Table:
    worst = sorted(found.disagreement.items(), key=lambda item: -item[1])[:_WORST]
    return Table(
        "Calibration: do two halves agree?",
        "How far the ranges learnt on two disjoint halves lie apart, as a share of the range; the worst operations. "
        "Above the recipe's max_disagreement the report warns.",
        ("operation", "apart"),
        tuple((name, f"{value:.3f}") for name, value in worst),
    )


def _contents(found: Findings) -> Table:
    rows = tuple(
        (one.name, str(one.version), str(one.number), one.types, f"{one.constant_bytes:,}") for one in found.operations
    )
    return Table(
        "What the file holds",
        "Read back from model.tflite itself. Version: the operation's own, which a runtime must know.",
        ("operation", "version", "count", "computes in", "bytes of constants"),
        rows,
    )


def flips_at(measured: Measured, threshold: float) -> NDArray[np.int64]:
    """Positions, the largest difference first."""
    flips = flipped(measured.keras, measured.tflite, threshold)
    return flips[np.argsort(-np.abs(measured.keras - measured.tflite)[flips], kind="stable")]
