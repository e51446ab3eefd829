"""An evaluation as Markdown, HTML, JSON and figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from convert.evaluation.defects import Evaluation
from convert.reports.defect_drawings import draw_by_board_type, draw_calibration, draw_recall_by_class, draw_roc
from convert.reports.defect_tables import all_tables, caution, has_spread, lots
from convert.reports.pages import Page, Picture, write_page

_BY_TYPE = "by-board-type.png"
_DRAWN: tuple[tuple[Picture, Callable[[Path, Evaluation], None]], ...] = (
    (
        Picture("roc.png", "ROC on the test lot (as the paper's Fig. 7); dots: thresholds chosen on validation"),
        draw_roc,
    ),
    (Picture("recall-by-class.png", "Recall by defect class, with 95 % intervals"), draw_recall_by_class),
    (
        Picture(_BY_TYPE, "Recall and FPR of single board types, at the threshold for recall 0.95 on validation"),
        draw_by_board_type,
    ),
    (Picture("calibration.png", "Calibration on the test lot"), draw_calibration),
)


def write_report(evaluation: Evaluation, out: Path) -> list[Path]:
    """Write evaluation.md, .html, .json and the figures into ``out``; the paths written."""
    out.mkdir(parents=True, exist_ok=True)
    drawn = [(figure, draw) for figure, draw in _DRAWN if figure.file != _BY_TYPE or has_spread(evaluation)]
    for figure, draw in drawn:
        draw(out / figure.file, evaluation)
    figures = tuple(figure for figure, _ in drawn)
    title = f"Evaluation on {evaluation.test.name}"
    page = Page(title, caution(evaluation), tuple(lots(evaluation)), figures, tuple(all_tables(evaluation)))
    pages = write_page(page, out, "evaluation")
    data = out / "evaluation.json"
    data.write_bytes(as_json(evaluation) + b"\n")
    return [*pages, data, *(out / figure.file for figure in figures)]


def as_json(evaluation: Evaluation) -> bytes:
    """Every figure, indented."""
    return msgspec.json.format(msgspec.json.encode(evaluation), indent=1)
