"""An evaluation of grades as Markdown, HTML, JSON and figures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from convert.evaluation.grades import Evaluated
from convert.reports import grade_drawings as drawings
from convert.reports.grade_tables import confusion_table, recognition_table, rules_table
from convert.reports.pages import Page, Picture, Table, write_page

TITLE = "Grades of solder joints on board types unseen in training"
DISCLAIMER = (
    "The network, its features, its experts and these images are our reconstruction and our simulation: only the last "
    "page of the paper is to be had, and its own joints are not. What is the paper's: the five classes, thresholds "
    "midway between class means of training joints, and the Recognition Rate. Figures in the column 'their data' are "
    "as printed by Acciani et al. (2009), not comparable with ours."
)


def write_grade_report(found: Evaluated, out: Path) -> list[Path]:
    """Write evaluation.md, .html, .json and the figures into ``out``; the paths written."""
    out.mkdir(parents=True, exist_ok=True)
    pictures = list(_draw(found, out))
    page = Page(TITLE, DISCLAIMER, found.figures.lots, tuple(pictures), tuple(grade_tables(found)))
    pages = write_page(page, out, "evaluation")
    data = out / "evaluation.json"
    data.write_bytes(msgspec.json.format(msgspec.json.encode(found.figures), indent=1) + b"\n")
    return [*pages, data, *(out / picture.file for picture in pictures)]


def _draw(found: Evaluated, out: Path) -> Iterator[Picture]:
    first = found.models[0]
    if all(row.solder is not None for row in found.test.rows):
        title = f"{first.name}: {len(found.test.rows)} joints of unseen board types"
        drawings.draw_index(out / "index.png", found.test.rows, first.test, first.between, title)
        yield Picture("index.png", f"Quality index of {first.name} against the amount of solder, on the test lot")
    network = next((model.network for model in found.models if model.network is not None), None)
    if network is not None:
        drawings.draw_sets(out / "sets.png", network)
        yield Picture("sets.png", "What the network learnt: membership functions, and the index that rules make")
    graded = found.figures.models[0]
    parts = [
        (name, found) for name, found in (("training", graded.training), ("test", graded.test)) if found is not None
    ]
    drawings.draw_confusion(out / "confusion.png", parts)
    yield Picture("confusion.png", f"Confusion matrices of {first.name}; the title gives the Recognition Rate")


def grade_tables(found: Evaluated) -> Iterator[Table]:
    """Every table of the report."""
    rows = [(each.name, each.note, each.training, each.test, each.unfamiliar) for each in found.figures.models]
    yield recognition_table(rows, found.figures.theirs)
    for graded in found.figures.models:
        yield confusion_table(f"Confusion matrix of {graded.name} on the test lot", graded.test)
    for model in found.models:
        if model.network is not None:
            yield rules_table(model.network)
