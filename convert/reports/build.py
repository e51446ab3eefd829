"""What a build found out, as Markdown, HTML, JSON and figures: also when it was refused, as far as it came."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from convert.conversion.findings import Findings
from convert.conversion.flatfile import inventory
from convert.conversion.layer_errors import most_costly
from convert.reports.build_familiarity import familiarity_table
from convert.reports.build_tables import gate_table, step_tables
from convert.reports.pages import Page, Picture, Table, write_page
from convert.reports.tasks import part_about
from edge.core.card import Quantisation

_OF_THIS_MACHINE = (
    "Times and memory are of this build on this machine; compare them with nothing but each other (make bench measures "
    "side by side)."
)


def write_findings(found: Findings, out: Path) -> Path:
    """Write ``BUNDLE.report/`` with report.md, .html, .json and figures; its path."""
    folder = out / f"{found.bundle}.report"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(_as_data(found)), indent=1) + b"\n")
    page = Page(
        f"Build of {found.bundle}: {'refused' if found.refused else 'passed'}",
        found.refused or _caution(found),
        tuple(_facts(found)),
        tuple(_pictures(found, folder)),
        tuple(_tables(found)),
    )
    write_page(page, folder, "report")
    return folder


def _caution(found: Findings) -> str:
    simulated = found.comparison is not None and found.comparison.measured.lot.simulated
    return f"Simulated joints. {_OF_THIS_MACHINE}" if simulated else _OF_THIS_MACHINE


def _facts(found: Findings) -> Iterator[str]:
    if not found.refused and found.comparison is not None:
        yield part_about(found.task).meaning(found.comparison)
    yield from found.lots
    if found.quantised:
        yield f"model.tflite: {len(found.quantised.model):,} bytes"
    if found.measurement:
        yield from _boundary(found.measurement.quantisation, found.recipe.quantisation.reason)
        if found.measurement.quantisation.features is None and found.decided and found.decided.points:
            yield "WARNING: the network averages no picture, so it cannot tell what is no joint: every box is judged"
    yield from (f"WARNING: {warning}" for warning in found.warnings)
    yield from (f"REFUSED: {problem}" for problem in (found.quantised.problems if found.quantised else ()))


def _boundary(quantisation: Quantisation, reason: str) -> Iterator[str]:
    left = ", ".join(quantisation.float_layers)
    yield f"scheme {quantisation.scheme}" + (f"; left in float by name: {left}" if left else "")
    different = f"exact kernels of the runtimes differ, as the recipe allows: {reason}"
    same = "bit-identical on every runtime's exact kernels" if quantisation.bit_identical else different
    tolerance, reading = quantisation.replay_tolerance, quantisation.head.shows
    yield f"{same}; golden joints may be off by {tolerance:.3f} in the {reading} on fast kernels"


def _tables(found: Findings) -> Iterator[Table]:
    if found.decided is not None:
        yield gate_table(found.decided)
    if found.comparison is not None:
        yield from part_about(found.task).tables(found.comparison)
    if found.acquaintance is not None:
        yield familiarity_table(found.acquaintance)
    yield from step_tables(found)


def _pictures(found: Findings, folder: Path) -> Iterator[Picture]:
    from convert.reports.build_drawings import draw_layer_errors, draw_ranks
    from convert.reports.build_familiarity import draw_familiarity

    if found.comparison is not None:
        yield from part_about(found.task).pictures(found.comparison, folder)
    if found.acquaintance is not None:
        draw_familiarity(folder / "familiarity.png", found.acquaintance)
        yield Picture("familiarity.png", "Wrong pictures by kind: called normal, and released")
    if found.source is not None and found.source.ranks:
        draw_ranks(folder / "ranks.png", found.source.ranks)
        yield Picture("ranks.png", "Rank against AUROC on validation, size and time of the converted file")
    if found.measurement is not None and found.measurement.layers:
        draw_layer_errors(folder / "layers.png", found.measurement.layers)
        yield Picture(
            "layers.png",
            "Every operation's result against float32, and what the operation by itself does to the reading",
        )


def _as_data(found: Findings) -> dict[str, object]:
    source, lowering, quantised, measurement = found.source, found.lowering, found.quantised, found.measurement
    layers = measurement.layers if measurement else ()
    data: dict[str, object] = {
        "schema": "axi-build-report/2",
        "bundle": found.bundle,
        "refused": found.refused or None,
        "warnings": found.warnings,
        "problems": quantised.problems if quantised else (),
        "lots": found.lots,
        "gate": [{**check._asdict(), "passed": check.passed} for check in found.decided.checks]
        if found.decided
        else [],
        "auroc": None,
        "operating_points": (),
        "grades": None,
        "scale": None,
        "runtimes": measurement.runtimes if measurement else (),
        "ranks": source.ranks if source else (),
        "lowering": [rewrite._asdict() for rewrite in lowering.lowered.rewrites] if lowering else [],
        "lowering_max_difference": lowering.difference if lowering else None,
        "layers": [layer._asdict() for layer in layers],
        "worst_layer": most_costly(layers, 1)[0].name if layers else None,
        "calibration_disagreement": lowering.disagreement if lowering else {},
        "operations": [kind._asdict() for kind in inventory(quantised.operations)] if quantised else [],
        "model_bytes": len(quantised.model) if quantised else 0,
        "quantisation": measurement.quantisation if measurement else None,
        "familiarity": found.acquaintance and [kind._asdict() for kind in found.acquaintance.kinds],
        "scores": None,
    }
    if measurement is None:
        return data
    measured = measurement.scored.evaluation
    data["scores"] = [
        {"job_id": row.job_id, "joint": row.joint, "truth": row.truth, "keras": float(k), "converted": float(c)}
        for row, k, c in zip(measured.lot.rows, measured.keras, measured.tflite, strict=True)
    ]
    return data | (part_about(found.task).data(found.comparison) if found.comparison else {})
