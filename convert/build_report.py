"""What a build found out, as Markdown, HTML, JSON and figures: also when it was refused, as far as it came."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from convert.build_tables import aurocs, flips_at, tables_of
from convert.findings import Findings
from convert.layer_errors import most_costly
from convert.pages import Page, Picture, write_page
from convert.quality.figures import Agreement
from edge.core.card import SugenoHead

_MOST_PICTURES = 60
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
        tuple(tables_of(found)),
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
        unit = "quality index" if isinstance(quantisation.head, SugenoHead) else "logit"
        yield f"{same}; golden joints may be off by {quantisation.replay_tolerance:.3f} in the {unit} on fast kernels"
    yield from (f"WARNING: {warning}" for warning in found.warnings)
    yield from (f"REFUSED: {problem}" for problem in found.problems)


def _meaning(found: Findings) -> Iterator[str]:
    """What a passed build says, and what it does not."""
    if not found.refused and found.grades is not None:
        yield _meaning_of_grades(found.grades)
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


def _meaning_of_grades(both: Agreement) -> str:
    recall, false = both.tflite.recall, both.tflite.false_positive_rate
    return (
        "passed means: model.tflite grades as the Keras model does, within the budgets below. It does not mean that "
        f"the model is good enough for a line: on the lot it was measured on it misses {recall.total - recall.hits} of "
        f"{recall.total} poor or excessive joints and calls {false.hits} of {false.total} others defects"
    )


def _draw(found: Findings, folder: Path) -> Iterator[Picture]:
    from convert import plots
    from convert.quality import drawings

    if found.network is not None:
        drawings.draw_sets(folder / "sets.png", found.network)
        yield Picture("sets.png", "What the network learnt: membership functions, and the index rules make")
    if found.evaluation is not None and found.scale is not None:
        measured, between = found.evaluation, found.scale.thresholds
        drawings.draw_index_parity(folder / "scores.png", measured, between)
        yield Picture("scores.png", "Quality index of every evaluation joint: Keras against converted")
        title = f"{len(measured.lot.rows)} evaluation joints, converted model"
        drawings.draw_index(folder / "index.png", measured.lot.quality_rows, measured.tflite, between, title)
        yield Picture("index.png", "Quality index against the amount of solder")
    elif found.evaluation is not None:
        plots.draw_parity(folder / "scores.png", found.evaluation, found.points)
        yield Picture("scores.png", "Defect logit, ln(p / (1 - p)), of every evaluation joint: Keras against converted")
        for point in found.points:
            flips = flips_at(found.evaluation, point.threshold)[:_MOST_PICTURES]
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
            "layers.png",
            "Every operation's result against float32, and what the operation by itself does to the reading",
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
        "auroc": aurocs(measured) if measured and not found.scale else None,
        "operating_points": found.points,
        "grades": found.grades,
        "scale": found.scale,
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
