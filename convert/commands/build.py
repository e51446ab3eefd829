"""``axi-convert build``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from convert.console import console

if TYPE_CHECKING:
    from convert.commands import Commands


def add_build(commands: Commands) -> None:
    build = commands.add_parser("build", help="trained model -> gated, signed bundle")
    build.add_argument("recipe", type=Path, metavar="RECIPE.toml")
    build.add_argument("--out", required=True, type=Path, metavar="DIR")
    build.set_defaults(action=_build)


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
    points = Table(title="operating points, on held-out joints (95 % intervals)", title_justify="left")
    for heading in ("name", "threshold", "recall", "false positive rate"):
        points.add_column(heading)
    for point in done.points:
        recall, false = point.recall, point.false_positive_rate
        points.add_row(
            point.name,
            f"{point.threshold:.4f}",
            f"{recall.value:.3f} ({recall.low:.3f} to {recall.high:.3f}, n={recall.total})",
            f"{false.value:.3f} ({false.low:.3f} to {false.high:.3f}, n={false.total})",
        )
    console.print(gate, points)
    for warning in done.warnings:
        console.print(f"warning: {warning}", markup=False, highlight=False)
    console.print(f"report: {done.report / 'report.html'}", markup=False, highlight=False, soft_wrap=True)
    print(done.bundle)
    return 0
