"""``axi-convert build``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from convert.commands import Commands
from convert.reports.pages import Table
from convert.reports.terminal import plainly, show, tell

if TYPE_CHECKING:
    from convert.conversion.task import Decided
    from edge.core.rules import Rate

_DECIDES = ("decides by", "threshold", "recall", "false positive rate", "Recognition Rate")


def add_build(commands: Commands) -> None:
    build = commands.add_parser("build", help="trained model -> gated, signed bundle")
    build.add_argument("recipe", type=Path, metavar="RECIPE.toml", help="what to build of which model and lots")
    build.add_argument(
        "--out",
        required=True,
        type=Path,
        metavar="DIR",
        help="for the bundle NAME-VERSION and its report",
    )
    build.set_defaults(action=_build)


def _build(arguments: argparse.Namespace) -> int:
    from convert.building import build
    from convert.conversion.gate import CHECK_HEADINGS

    done = build(arguments.recipe, arguments.out, tell)
    gate = Table("gate", "", CHECK_HEADINGS, tuple(check.cells for check in done.decided.checks))
    show([gate, Table("on held-out joints (95 % intervals)", "", _DECIDES, tuple(_rows(done.decided)))])
    for warning in done.warnings:
        plainly(f"warning: {warning}")
    plainly(f"report: {done.report / 'report.html'}")
    print(done.bundle)
    return 0


def _rows(decided: Decided) -> Iterator[tuple[str, ...]]:
    for point in decided.points:
        rates = _rate(point.recall), _rate(point.false_positive_rate)
        yield (point.name, f"{point.threshold:.4f}", *rates, "-")
    if (scale := decided.scale) is not None:
        between = ", ".join(f"{threshold:.4f}" for threshold in scale.thresholds)
        yield (scale.name, between, _rate(scale.recall), _rate(scale.false_positive_rate), _rate(scale.recognised))


def _rate(rate: Rate) -> str:
    return f"{rate.value:.3f} ({rate.low:.3f} to {rate.high:.3f}, n={rate.total})"
