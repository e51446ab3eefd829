"""``axi-convert evaluate``."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from convert.commands import Commands
from convert.commands.apart import add_apart, add_colours, apart
from convert.lots.graded_truth import is_graded
from convert.reports import pages
from convert.reports.terminal import plainly, show, tell, tell_each, wide_results
from edge.core.errors import UsageError

if TYPE_CHECKING:
    from convert.evaluation.defects import Evaluation

_GREY, _CHANCE = "grey values", 0.5


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
    evaluate.add_argument(
        "--pixels",
        choices=["0..1", "0..255"],
        default="0..1",
        help="the grey values that .keras files of your own were trained on (default 0..1)",
    )
    add_apart(evaluate)
    add_colours(evaluate)
    evaluate.add_argument("--out", type=Path, metavar="DIR", help="also write Markdown, HTML, JSON and figures there")
    evaluate.add_argument("--json", action="store_true", help="every figure as JSON on stdout instead of tables")
    evaluate.set_defaults(action=_evaluate)


def _evaluate(arguments: argparse.Namespace) -> int:
    if arguments.out and arguments.out.exists() and not arguments.out.is_dir():
        raise UsageError(f"--out {arguments.out}: is a file; name a folder")
    return _evaluate_grades(arguments) if is_graded(arguments.data) else _evaluate_defects(arguments)


def _evaluate_defects(arguments: argparse.Namespace) -> int:
    if arguments.training:
        raise UsageError("--training: is for a lot of graded joints; leave it out")
    from convert.evaluation.defects import evaluate
    from convert.lots.reading import load_lot
    from convert.lots.splits import has_both_classes, says_less, split_apart
    from convert.reports.defect_tables import all_tables, caution, lots
    from convert.reports.evaluation import as_json, write_report
    from convert.scorers.defects import common_spec, shipped_for, source

    if arguments.pixels != "0..1" and not any(word.endswith(".keras") for word in arguments.models):
        raise UsageError("--pixels: is for .keras files of your own; bundles and shipped models know theirs")
    # Before the lots, which take longer to read.
    sources = [source(word, arguments.pixels) for word in arguments.models]
    spec = common_spec(sources)
    spec = msgspec.structs.replace(spec, colours=True) if arguments.colours else spec
    test = apart(load_lot(arguments.data, spec), arguments.by)
    if arguments.validation:
        validation = apart(load_lot(arguments.validation, spec), arguments.by)
    else:
        held_back, validation = split_apart(test, 0.5, 0)
        test = replace(held_back, name=f"{test.name}/test")
        if not (has_both_classes(test) and has_both_classes(validation)):
            raise UsageError(
                f"{arguments.data}: halved by {test.apart}, one half holds no defect or no normal joint; "
                "name a lot to choose thresholds on with --validation"
            )
    tell_each((*validation.left_out, *test.left_out, *says_less(test)))
    if not sources:
        words, unknown = shipped_for(validation, test)
        for name in unknown:
            tell(f"{name} left out: its recorded scores are of the reference lots only")
        sources = [source(word) for word in words]
    models = []
    for each in sources:
        tell(f"scoring {len(validation.rows) + len(test.rows)} joints with {each.name}")
        models.append(each.scored(validation, test))
    evaluation = evaluate(validation, test, models)
    tell_each(_doubted_pixels(evaluation, arguments.pixels))
    written = write_report(evaluation, arguments.out) if arguments.out else []
    lines = (*lots(evaluation), caution(evaluation))
    _finish(arguments, written, as_json(evaluation), lines, all_tables(evaluation))
    return 0


def _doubted_pixels(evaluation: Evaluation, pixels: str) -> Iterator[str]:
    other = "0..255" if pixels == "0..1" else "0..1"
    for found in evaluation.models:
        if _GREY in found.note and found.auroc_validation.low < _CHANCE:
            yield f"{found.name} tells joints apart no better than chance: was it trained on {other}? --pixels says so"


def _evaluate_grades(arguments: argparse.Namespace) -> int:
    if arguments.training is None:
        raise UsageError(f"{arguments.data} holds graded joints: name the lot to learn from with --training")
    if arguments.by or arguments.colours or arguments.pixels != "0..1":
        raise UsageError("--by, --colours and --pixels: mean nothing to graded joints; leave them out")
    from convert.reports.grade_evaluation import grade_tables, write_grade_report
    from convert.scorers.grades import grade

    found = grade(arguments.models, arguments.training, arguments.validation, arguments.data, tell)
    written = write_grade_report(found, arguments.out) if arguments.out else []
    _finish(arguments, written, msgspec.json.encode(found.figures), found.figures.lots, grade_tables(found))
    return 0


def _finish(
    arguments: argparse.Namespace,
    written: Iterable[Path],
    as_json: bytes,
    lines: Iterable[str],
    tables: Iterable[pages.Table],
) -> None:
    """Name the files written, and print every figure, for programs or for people."""
    if arguments.out:
        plainly(f"wrote {', '.join(str(path) for path in written)}")
    if arguments.json:
        print(as_json.decode())
        return
    results = wide_results()
    for line in lines:
        results.print(line)
    show(tables, results)
