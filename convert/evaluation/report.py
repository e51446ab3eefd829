"""An evaluation as Markdown, HTML, JSON and figures."""

from __future__ import annotations

import html
from collections.abc import Iterator
from pathlib import Path

import msgspec

from convert.evaluation.figures import Evaluation
from convert.evaluation.tables import Table, all_tables, lots
from convert.plots import draw_calibration, draw_recall_by_class, draw_roc

TITLE = "Evaluation on boards of types unseen in training"
DISCLAIMER = (
    "Lots made by axi-convert simulate are simulated: their scores say how models compare with each other, not how any "
    "of them would do on a real line, and they are not comparable to the paper's."
)
_FIGURES = (
    ("roc.png", "ROC on the test lot (as the paper's Fig. 7); dots: thresholds chosen on validation"),
    ("recall-by-class.png", "Recall by defect class, with 95 % intervals"),
    ("calibration.png", "Calibration on the test lot"),
)
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 74rem; margin: 2rem auto; padding: 0 1rem; color: #1d2429 }
table { border-collapse: collapse; margin: 0 0 2rem; display: block; overflow-x: auto }
th, td { border-bottom: 1px solid #d5dade; padding: .3rem .7rem; text-align: left; font-variant-numeric: tabular-nums }
th { border-bottom: 2px solid #1d2429 } p.note { color: #5c6b73; margin: 0 0 .5rem } img { max-width: 100% }
p.warning { border-left: 4px solid #d1495b; padding-left: .8rem }
"""


def write_report(evaluation: Evaluation, out: Path) -> list[Path]:
    """Write evaluation.md, .html, .json and the figures into ``out``; the paths written."""
    out.mkdir(parents=True, exist_ok=True)
    for (name, _), draw in zip(_FIGURES, (draw_roc, draw_recall_by_class, draw_calibration), strict=True):
        draw(out / name, evaluation)
    written = {
        "evaluation.md": "\n".join(_markdown(evaluation)) + "\n",
        "evaluation.html": "\n".join(_html(evaluation)) + "\n",
        "evaluation.json": as_json(evaluation).decode() + "\n",
    }
    for name, text in written.items():
        (out / name).write_text(text, "utf-8")
    return [out / name for name in written] + [out / name for name, _ in _FIGURES]


def as_json(evaluation: Evaluation) -> bytes:
    """Every figure, indented."""
    return msgspec.json.format(msgspec.json.encode(evaluation), indent=1)


def _markdown_table(table: Table) -> Iterator[str]:
    yield "| " + " | ".join(table.heading) + " |"
    yield "|" + "---|" * len(table.heading)
    for row in table.rows:
        yield "| " + " | ".join(row) + " |"


def _markdown(evaluation: Evaluation) -> Iterator[str]:
    yield f"# {TITLE}\n\n**{DISCLAIMER}**\n"
    yield from (f"* {line}" for line in lots(evaluation))
    for name, caption in _FIGURES:
        yield f"\n![{caption}]({name})"
    for table in all_tables(evaluation):
        yield f"\n## {table.title}\n\n{table.note}\n"
        yield from _markdown_table(table)


def _html(evaluation: Evaluation) -> Iterator[str]:
    yield f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{TITLE}</title><style>{_STYLE}</style>'
    yield f'</head><body><h1>{TITLE}</h1><p class="warning">{html.escape(DISCLAIMER)}</p><ul>'
    yield from (f"<li>{html.escape(line)}</li>" for line in lots(evaluation))
    yield "</ul>"
    for name, caption in _FIGURES:
        said = html.escape(caption)
        yield f'<figure><img src="{name}" alt="{said}"><figcaption>{said}</figcaption></figure>'
    for table in all_tables(evaluation):
        yield f'<h2>{html.escape(table.title)}</h2><p class="note">{html.escape(table.note)}</p><table><tr>'
        yield from (f"<th>{html.escape(one)}</th>" for one in table.heading)
        yield "</tr>"
        for row in table.rows:
            yield "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
        yield "</table>"
    yield "</body></html>"
