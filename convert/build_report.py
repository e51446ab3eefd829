"""What a build found out, as Markdown, HTML, JSON and figures: also when it was refused, as far as it came."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from convert.evaluation.tables import interval, share
from convert.findings import Findings
from convert.gate import CHECK_HEADINGS
from convert.layer_errors import most_costly
from convert.metrics import Interval, auroc_interval, flipped
from convert.pages import Page, Picture, Table, write_page
from convert.parity import AtPoint, Measured
from convert.rank_choice import RankTried

_MOST_PICTURES = 60
_WORST = 5
DISCLAIMER = (
    "Lots made by axi-convert simulate are simulated. Times and memory are of this build on this machine; compare them "
    "with nothing but each other (make bench measures side by side)."
)


def write_findings(found: Findings, out: Path) -> Path:
    """Write ``BUNDLE.report/`` with report.md, .html, .json and figures; its path."""
    folder = out / f"{found.bundle}.report"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(_as_data(found)), indent=1) + b"\n")
    page = Page(
        f"Build of {found.bundle}: {'refused' if found.refused else 'passed'}",
        found.refused or DISCLAIMER,
        tuple(_facts(found)),
        tuple(_draw(found, folder)),
        tuple(_tables(found)),
    )
    write_page(page, folder, "report")
    return folder


def _facts(found: Findings) -> Iterator[str]:
    yield from _meaning(found)
    yield from found.lots
    if found.model_bytes:
        yield f"model.tflite: {found.model_bytes:,} bytes"
    quantisation = found.quantisation
    if quantisation is not None:
        left = ", ".join(quantisation.float_layers)
        yield f"scheme {quantisation.scheme}" + (f"; left in float by name: {left}" if left else "")
        different = f"exact kernels of the runtimes differ, as the recipe allows: {found.reason}"
        same = "bit-identical on every runtime's exact kernels" if quantisation.bit_identical else different
        yield f"{same}; golden joints may be off by {quantisation.replay_tolerance:.3f} in the logit on fast kernels"
    yield from (f"WARNING: {warning}" for warning in found.warnings)
    yield from (f"REFUSED: {problem}" for problem in found.problems)


def _meaning(found: Findings) -> Iterator[str]:
    """What a passed build says, and what it does not."""
    if found.refused or not found.points:
        return
    point = found.points[0]
    recall, false = point.tflite.recall, point.tflite.false_positive_rate
    yield (
        "passed means: model.tflite decides as the Keras model does, within the budgets below. It does not mean that "
        f"the model is good enough for a line: at {point.name}, on the lot it was measured on, it misses "
        f"{recall.total - recall.hits} of {recall.total} defects and calls {false.hits} of {false.total} good joints "
        "defects"
    )


def _draw(found: Findings, folder: Path) -> Iterator[Picture]:
    from convert import plots

    if found.evaluation is not None:
        plots.draw_parity(folder / "scores.png", found.evaluation, found.points)
        yield Picture("scores.png", "Defect logit, ln(p / (1 - p)), of every evaluation joint: Keras against converted")
        for point in found.points:
            flips = _flipped(found.evaluation, point.threshold)[:_MOST_PICTURES]
            if len(flips):
                name = f"flipped-at-{point.name}.png"
                plots.draw_flipped(folder / name, found.evaluation, flips)
                shown = f"{len(flips)} of {point.flipped}"
                yield Picture(
                    name,
                    f"Joints whose decision flipped at {point.name}, threshold {point.threshold:.4f} ({shown}): "
                    "truth, p_defect of Keras and of the converted model, slices from 0 on; largest difference "
                    "first, down the left column and then the right",
                )
    if found.ranks:
        plots.draw_ranks(folder / "ranks.png", found.ranks)
        yield Picture("ranks.png", "Rank against AUROC on validation, size and time of the converted file")
    if found.layers:
        plots.draw_layer_errors(folder / "layers.png", found.layers)
        yield Picture(
            "layers.png", "Every operation's result against float32, and what the operation by itself does to the logit"
        )


def _flipped(measured: Measured, threshold: float) -> NDArray[np.int64]:
    """Positions, the largest difference first."""
    flips = flipped(measured.keras, measured.tflite, threshold)
    return flips[np.argsort(-np.abs(measured.keras - measured.tflite)[flips], kind="stable")]


def _tables(found: Findings) -> Iterator[Table]:
    if found.gate:
        yield _gate(found)
    if found.evaluation is not None:
        yield _accuracy(found.evaluation)
        yield _points(found)
        yield _flip_list(found.evaluation, found.points)
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
    rows = tuple((side, interval(value)) for side, value in _aurocs(measured).items())
    return Table("AUROC on the evaluation lot", "With DeLong's 95 % interval.", ("side", "AUROC"), rows)


def _aurocs(measured: Measured) -> dict[str, Interval]:
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
        for i in _flipped(measured, point.threshold):
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
            f"{one.median_ms:.2f}",
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
            f"{one.median_ms:.2f}",
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
    note = "Largest difference in p_defect from the step before, in float32, on calibration joints."
    if found.lowering_difference is not None:
        note += f" On the whole evaluation lot, from Keras to the last step: {found.lowering_difference:.1e}."
    return Table("Lowering, pass by pass", note, ("pass", "layers", "weights", "difference"), rows)


def _layers(found: Findings) -> Table:
    worst = most_costly(found.layers, _WORST)
    rows = tuple((one.name, f"{one.logit:.4f}", f"{one.snr_db:.1f}", f"{one.cosine:.6f}") for one in worst)
    return Table(
        "The layers that cost most",
        "Cost: how far the operation by itself, on the inputs that the file gave it, moves the defect logit (root mean "
        "square over a few joints). Signal-to-noise ratio and cosine hold what earlier operations spoilt, too. The "
        "figure shows all. A layer that costs too much can be kept in float by name: [quantisation] float.",
        ("operation", "moves the logit by", "SNR, dB", "cosine"),
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


def _as_data(found: Findings) -> dict[str, object]:
    measured = found.evaluation
    worst = most_costly(found.layers, 1)[0].name if found.layers else None
    return {
        "schema": "axi-build-report/2",
        "bundle": found.bundle,
        "refused": found.refused or None,
        "warnings": found.warnings,
        "problems": found.problems,
        "lots": found.lots,
        "gate": [{**check._asdict(), "passed": check.passed} for check in found.gate],
        "auroc": _aurocs(measured) if measured else None,
        "operating_points": found.points,
        "runtimes": found.runtimes,
        "ranks": found.ranks,
        "lowering": [one._asdict() for one in found.rewrites],
        "lowering_max_difference": found.lowering_difference,
        "layers": [one._asdict() for one in found.layers],
        "worst_layer": worst,
        "calibration_disagreement": found.disagreement,
        "operations": [one._asdict() for one in found.operations],
        "model_bytes": found.model_bytes,
        "quantisation": found.quantisation,
        "scores": None
        if measured is None
        else [
            {"job_id": row.job_id, "joint": row.joint, "truth": row.truth, "keras": float(k), "converted": float(c)}
            for row, k, c in zip(measured.lot.rows, measured.keras, measured.tflite, strict=True)
        ],
    }
