"""``axi-convert evaluate``."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.table import Table

from convert.lots.graded_truth import is_graded
from convert.reports import pages
from convert.reports.terminal import console
from edge.core.errors import UsageError
from edge.core.preprocess import PreprocessSpec

if TYPE_CHECKING:
    from convert.commands import Commands


def add_evaluate(commands: Commands) -> None:
    evaluate = commands.add_parser("evaluate", help="the paper's tables, and what it lacks, on a lot with truth")
    evaluate.add_argument(
        "models",
        nargs="*",
        metavar="BUNDLE",
        help="bundles, .keras files or shipped models (default: all shipped ones)",
    )
    evaluate.add_argument("--data", required=True, type=Path, metavar="DIR", help="the test lot")
    evaluate.add_argument(
        "--validation", type=Path, metavar="DIR", help="the lot thresholds are chosen on; default: half the board types"
    )
    evaluate.add_argument(
        "--training",
        type=Path,
        metavar="DIR",
        help="of graded joints: the lot that thresholds and baselines learn from",
    )
    evaluate.add_argument("--out", type=Path, metavar="DIR", help="also write Markdown, HTML, JSON and figures there")
    evaluate.add_argument("--json", action="store_true", help="every figure as JSON on stdout instead of tables")
    evaluate.set_defaults(action=_evaluate)


def _evaluate(arguments: argparse.Namespace) -> int:
    if is_graded(arguments.data):
        return _evaluate_grades(arguments)
    if arguments.training:
        raise UsageError("--training: is for a lot of graded joints; leave it out")
    from convert.evaluation.defects import evaluate
    from convert.evaluation.sources import scored, shipped_for
    from convert.lots.reading import load_lot
    from convert.lots.splits import split_by_board_type
    from convert.reports.defect_tables import all_tables, lots
    from convert.reports.evaluation import as_json, write_report

    test = load_lot(arguments.data, PreprocessSpec())
    if arguments.validation:
        validation = load_lot(arguments.validation, PreprocessSpec())
    else:
        held_back, validation = split_by_board_type(test, 0.5, 0)
        test = replace(held_back, name=f"{test.name}/test")
    words = arguments.models
    if not words:
        words, unknown = shipped_for(validation, test)
        for name in unknown:
            console.print(f"- {name} left out: its recorded scores are of the reference lots only", highlight=False)
    models = []
    for word in words:
        console.print(f"- scoring {len(validation.rows) + len(test.rows)} joints with {word}", highlight=False)
        models.append(scored(word, validation, test))
    evaluation = evaluate(validation, test, models)
    if arguments.out:
        written = write_report(evaluation, arguments.out)
        console.print(f"wrote {', '.join(str(path) for path in written)}", soft_wrap=True, highlight=False)
    if arguments.json:
        print(as_json(evaluation).decode())
        return 0
    _show(lots(evaluation), all_tables(evaluation))
    return 0


def _evaluate_grades(arguments: argparse.Namespace) -> int:
    if arguments.training is None:
        raise UsageError(f"{arguments.data} holds graded joints: name the lot to learn from with --training")
    from convert.evaluation.grades import evaluate_grades
    from convert.reports.grade_evaluation import grade_tables, write_grade_report

    def tell(text: str) -> None:
        console.print(f"- {text}", markup=False, highlight=False)

    found = evaluate_grades(arguments.models, arguments.training, arguments.validation, arguments.data, tell)
    if arguments.out:
        written = write_grade_report(found, arguments.out)
        console.print(f"wrote {', '.join(str(path) for path in written)}", soft_wrap=True, highlight=False)
    if arguments.json:
        print(msgspec.json.encode(found.figures).decode())
        return 0
    _show(found.figures.lots, grade_tables(found))
    return 0


def _show(lines: Iterable[str], tables: Iterable[pages.Table]) -> None:
    wide = Console(width=max(console.width, 200), highlight=False)
    for line in lines:
        wide.print(line)
    for table in tables:
        shown = Table(*table.heading, title=table.title, caption=table.note, title_justify="left")
        for row in table.rows:
            shown.add_row(*row)
        wide.print(shown)
