"""The part of a build's report that is about a network that finds defects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from numpy.typing import NDArray

from convert.conversion.findings import Comparison
from convert.conversion.parity import Measured
from convert.conversion.task import AtPoint, Decided, by_threshold
from convert.metrics.defects import Interval, auroc_interval, flipped
from convert.reports.pages import Picture, Table, interval, share
from convert.reports.style import INK, JointRow, joint_rows, save, write_png
from edge.core.logistic import logit, logits


def _accuracy(measured: Measured) -> Table:
    rows = tuple((side, interval(value)) for side, value in aurocs(measured).items())
    return Table(
        "AUROC on the evaluation lot",
        "With its 95 % interval: DeLong's, or Clopper's and Pearson's where no two joints are out of order.",
        ("side", "AUROC"),
        rows,
    )


def aurocs(measured: Measured) -> dict[str, Interval]:
    labels = measured.lot.labels
    return {"Keras": auroc_interval(measured.keras, labels), "converted": auroc_interval(measured.tflite, labels)}


def _points(decided: Decided) -> Table:
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
        for point in decided.compared
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


def flips_at(measured: Measured, threshold: float) -> NDArray[np.int64]:
    """Positions, the largest difference first."""
    flips = flipped(measured.keras, measured.tflite, threshold)
    return flips[np.argsort(-np.abs(measured.keras - measured.tflite)[flips], kind="stable")]


_MOST_PICTURES = 60
_LINES = ("--", ":", "-.", (0, (6, 1)))
"""Of operating points, whose thresholds may lie too near to each other for names beside them."""
_END = 1e-5
"""Nearer than this to 0 or 1 the converted score stops at the end of its scale."""


def draw_parity(path: Path, measured: Measured, points: Sequence[AtPoint]) -> None:
    """Score against score on the logit scale, and how their difference is spread away from the ends of the scale."""
    keras, ours = (logits(scores, _END) for scores in (measured.keras, measured.tflite))
    apart = (ours - keras)[_is_inside(measured.keras) & _is_inside(measured.tflite)]
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.4))
    for label, colour, name in ((0, INK[0], "normal"), (1, INK[1], "defect")):
        chosen = measured.lot.labels == label
        left.plot(keras[chosen], ours[chosen], ".", color=colour, ms=3, alpha=0.6, label=name)
    for (threshold, names), style in zip(by_threshold(points).items(), cycle(_LINES)):
        at = logit(threshold) if 0 < threshold < 1 else 0.0
        left.axhline(at, color=INK[5], lw=0.9, ls=style)
        left.axvline(at, color=INK[5], lw=0.9, ls=style, label="\n".join(names))
    left.set(xlabel="defect logit, Keras", ylabel="defect logit, converted")
    left.legend(frameon=True, fontsize=8, loc="upper left")
    right.hist(apart, bins=60, color=INK[5])
    right.set(xlabel="defect logit, converted less Keras", ylabel="joints")
    beyond = len(keras) - len(apart)
    right.set_title(f"standard deviation {np.std(apart):.3f}; left out, beyond the scale: {beyond}", fontsize=9)
    for axes in (left, right):
        axes.grid(alpha=0.25)
    save(figure, path)


def _is_inside(scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    return (scores > _END) & (scores < 1 - _END)


def draw_flipped(path: Path, measured: Measured, positions: NDArray[np.int64]) -> None:
    """Joints as the network sees them, with truth and both scores, in two columns of rows."""
    patches = measured.lot.take(positions)
    slices, rows = patches.shape[-1], []
    for i, patch in zip(positions, patches, strict=True):
        about, scores = measured.lot.rows[i], f"{measured.keras[i]:.4f} → {measured.tflite[i]:.4f}"
        label = f"{about.job_id}\n{about.joint}\n{about.truth}\n{scores}"
        rows.append(JointRow(patch[..., : about.slices], label))
    figure = joint_rows(rows, slices, (1.2 * (2 * slices + 2.4), 1.25), size=7)
    figure.subplots_adjust(left=0.1, right=0.995, top=0.99, bottom=0.01, wspace=0.04, hspace=0.06)
    write_png(figure, path, dpi=80)


def meaning(found: Comparison) -> str:
    """What a passed build says, and what it does not."""
    point = found.decided.compared[0]
    recall, false = point.tflite.recall, point.tflite.false_positive_rate
    return (
        "passed means: model.tflite decides as the Keras model does, within the budgets below. It does not mean that "
        f"the model is good enough for a line: at {point.name}, on the lot it was measured on, it misses "
        f"{recall.total - recall.hits} of {recall.total} defects and calls {false.hits} of {false.total} good joints "
        "defects"
    )


def tables(found: Comparison) -> Iterator[Table]:
    """What was found on the evaluation lot."""
    yield _accuracy(found.measured)
    yield _points(found.decided)
    flips = _flip_list(found.measured, found.decided.compared)
    if flips.rows:
        yield flips


def pictures(found: Comparison, folder: Path) -> Iterator[Picture]:
    """Draw scores against scores, and every joint whose decision flipped."""
    draw_parity(folder / "scores.png", found.measured, found.decided.compared)
    yield Picture("scores.png", "Defect logit, ln(p / (1 - p)), of every evaluation joint: Keras against converted")
    for point in found.decided.compared:
        flips = flips_at(found.measured, point.threshold)[:_MOST_PICTURES]
        if len(flips):
            name = f"flipped-at-{point.name}.png"
            draw_flipped(folder / name, found.measured, flips)
            shown = f"{len(flips)} of {point.flipped}"
            yield Picture(
                name,
                f"Joints whose decision flipped at {point.name}, threshold {point.threshold:.4f} ({shown}): "
                "truth, p_defect of Keras and of the converted model, slices from 0 on; largest difference "
                "first, down the left column and then the right",
            )


def data(found: Comparison) -> dict[str, object]:
    """For report.json."""
    return {"auroc": aurocs(found.measured), "operating_points": found.decided.compared}
