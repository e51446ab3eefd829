"""The tables of a build's report."""

from __future__ import annotations

from collections.abc import Iterator

from convert.conversion.convert import Lowering, Measurement, Quantised
from convert.conversion.findings import Findings
from convert.conversion.flatfile import inventory
from convert.conversion.gate import CHECK_HEADINGS
from convert.conversion.layer_errors import most_costly
from convert.conversion.ranks import RankTried
from convert.conversion.task import Decided
from convert.reports.pages import Table

_WORST = 5


def gate_table(decided: Decided) -> Table:
    return Table(
        "Gate",
        "A bundle is written only when no budget is exceeded. A drop is Keras' figure less the converted model's, on "
        "the first runtime: below 0 the converted model is the better. A flipped decision is a joint that one side "
        "calls a defect and the other does not. Lines without a budget inform only. An escape bound is Clopper's and "
        "Pearson's one-sided 95 % upper bound: what so many defects prove, not what they happened to show.",
        CHECK_HEADINGS,
        tuple(check.cells for check in decided.checks),
    )


def step_tables(found: Findings) -> Iterator[Table]:
    """What the steps found, as far as the build came; the last step first."""
    if found.measurement:
        yield _runtimes(found.measurement)
    if found.source and found.source.ranks:
        yield _ranks(found.source.ranks)
    if found.lowering:
        yield _lowering(found.lowering)
    if found.measurement and found.measurement.layers:
        yield _layers(found.measurement)
    if found.lowering and found.lowering.disagreement:
        yield _calibration(found.lowering)
    if found.quantised:
        yield _contents(found.quantised)


def _runtimes(found: Measurement) -> Table:
    rows = tuple(
        (
            runtime.name,
            f"{runtime.median_ms:.3g}",
            f"{runtime.peak_mb:.0f}",
            f"{runtime.model_mb:.0f}",
            "yes" if runtime.identical else "no",
        )
        for runtime in found.runtimes
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
            "whole" if tried_rank.rank is None else str(tried_rank.rank),
            f"{tried_rank.auroc:.4f}",
            f"{tried_rank.weights:,}",
            f"{tried_rank.model_bytes:,}",
            f"{tried_rank.median_ms:.3g}",
            "chosen" if tried_rank.chosen else "",
        )
        for tried_rank in tried
    )
    return Table(
        "Rank of the factorised matrices",
        "Each rank converted and run on the validation lot. The smallest is taken that keeps the AUROC budget.",
        ("rank", "AUROC", "weights", "bytes", "ms a joint", ""),
        rows,
    )


def _lowering(found: Lowering) -> Table:
    rows = tuple(
        (rewrite.name, str(rewrite.layers), f"{rewrite.weights:,}", f"{rewrite.difference:.1e}")
        for rewrite in found.lowered.rewrites
    )
    note = "Largest difference of a score from the step before, in float32, on calibration joints."
    note += f" On the whole evaluation lot, from Keras to the last step: {found.difference:.1e}."
    return Table("Lowering, pass by pass", note, ("pass", "layers", "weights", "difference"), rows)


def _layers(found: Measurement) -> Table:
    worst = most_costly(found.layers, _WORST)
    rows = tuple((layer.name, f"{layer.logit:.4f}", f"{layer.snr_db:.1f}", f"{layer.cosine:.6f}") for layer in worst)
    return Table(
        "The layers that cost most",
        "Cost: how far the operation by itself, on the inputs that the file gave it, moves the reading (logit or "
        "quality index), root mean square over a few joints. Signal-to-noise ratio and cosine hold what earlier "
        "operations spoilt, too. The figure shows all. A layer that costs too much can be kept in float by name: "
        "[quantisation] float.",
        ("operation", "moves the reading by", "SNR, dB", "cosine"),
        rows,
    )


def _calibration(found: Lowering) -> Table:
    worst = sorted(found.disagreement.items(), key=lambda item: -item[1])[:_WORST]
    return Table(
        "Calibration: do two halves agree?",
        "How far the ranges learnt on two disjoint halves lie apart, as a share of the range; the worst operations. "
        "Above the recipe's max_disagreement the report warns.",
        ("operation", "apart"),
        tuple((name, f"{value:.3f}") for name, value in worst),
    )


def _contents(found: Quantised) -> Table:
    rows = tuple(
        (kind.name, str(kind.version), str(kind.number), kind.types, f"{kind.constant_bytes:,}")
        for kind in inventory(found.operations)
    )
    return Table(
        "What the file holds",
        "Read back from model.tflite itself. Version: the operation's own, which a runtime must know.",
        ("operation", "version", "count", "computes in", "bytes of constants"),
        rows,
    )
