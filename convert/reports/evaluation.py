"""An evaluation as Markdown, HTML, JSON and figures."""

from __future__ import annotations

from pathlib import Path

import msgspec

from convert.evaluation.defects import Evaluation
from convert.reports.defect_drawings import draw_by_board_type, draw_calibration, draw_recall_by_class, draw_roc
from convert.reports.defect_tables import all_tables, lots
from convert.reports.pages import Page, Picture, write_page

TITLE = "Evaluation on boards of types unseen in training"
DISCLAIMER = (
    "Lots made by axi-convert simulate are simulated: their scores say how models compare with each other, not how any "
    "of them would do on a real line, and they are not comparable to the paper's."
)
_FIGURES = (
    Picture("roc.png", "ROC on the test lot (as the paper's Fig. 7); dots: thresholds chosen on validation"),
    Picture("recall-by-class.png", "Recall by defect class, with 95 % intervals"),
    Picture(
        "by-board-type.png", "Recall and FPR of single board types, at the threshold for recall 0.95 on validation"
    ),
    Picture("calibration.png", "Calibration on the test lot"),
)


def write_report(evaluation: Evaluation, out: Path) -> list[Path]:
    """Write evaluation.md, .html, .json and the figures into ``out``; the paths written."""
    out.mkdir(parents=True, exist_ok=True)
    for figure, draw in zip(
        _FIGURES, (draw_roc, draw_recall_by_class, draw_by_board_type, draw_calibration), strict=True
    ):
        draw(out / figure.file, evaluation)
    apart = evaluation.test.apart
    title = TITLE if apart == "board type" else f"Evaluation on a lot that was kept apart by {apart}"
    page = Page(title, DISCLAIMER, tuple(lots(evaluation)), _FIGURES, tuple(all_tables(evaluation)))
    pages = write_page(page, out, "evaluation")
    figures = out / "evaluation.json"
    figures.write_bytes(as_json(evaluation) + b"\n")
    return [*pages, figures, *(out / figure.file for figure in _FIGURES)]


def as_json(evaluation: Evaluation) -> bytes:
    """Every figure, indented."""
    return msgspec.json.format(msgspec.json.encode(evaluation), indent=1)
