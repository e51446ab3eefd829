"""``axi-convert build``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from convert.console import console

if TYPE_CHECKING:
    from convert.commands import Commands
    from edge.core.card import Rate


def add_build(commands: Commands) -> None:
    build = commands.add_parser("build", help="trained model -> gated, signed bundle")
    build.add_argument("recipe", type=Path, metavar="RECIPE.toml")
    build.add_argument("--out", required=True, type=Path, metavar="DIR")
    build.set_defaults(action=_build)


def _rate(rate: Rate) -> str:
    return f"{rate.value:.3f} ({rate.low:.3f} to {rate.high:.3f}, n={rate.total})"


def _build(arguments: argparse.Namespace) -> int:
    from convert.gate import CHECK_HEADINGS
    from convert.pipeline import build

    done = build(
        arguments.recipe, arguments.out, lambda text: console.print(f"- {text}", markup=False, highlight=False)
    )
    gate = Table(title="gate", title_justify="left")
    for heading in CHECK_HEADINGS:
        gate.add_column(heading)
    for check in done.checks:
        gate.add_row(*check.cells)
    points = Table(title="on held-out joints (95 % intervals)", title_justify="left")
    for heading in ("decides by", "threshold", "recall", "false positive rate", "Recognition Rate"):
        points.add_column(heading)
    for point in done.rule.points:
        points.add_row(point.name, f"{point.threshold:.4f}", _rate(point.recall), _rate(point.false_positive_rate), "-")
    if (scale := done.rule.scale) is not None:
        between = ", ".join(f"{one:.4f}" for one in scale.thresholds)
        rates = (_rate(one) for one in (scale.recall, scale.false_positive_rate, scale.recognised))
        points.add_row(scale.name, between, *rates)
    console.print(gate, points)
    for warning in done.warnings:
        console.print(f"warning: {warning}", markup=False, highlight=False)
    console.print(f"report: {done.report / 'report.html'}", markup=False, highlight=False, soft_wrap=True)
    print(done.bundle)
    return 0
