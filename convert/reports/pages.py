"""Reports that people read: one page as Markdown and as HTML, from the same tables."""

from __future__ import annotations

import html
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from convert.metrics.defects import Interval
from edge.core.rules import Rate


class Table(NamedTuple):
    """``note`` stands below the title; the first column is text, the others are figures."""

    title: str
    note: str
    heading: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


NOTHING = frozenset({"", "-"})
"""Cells that say nothing."""


def trimmed(table: Table) -> Table:
    """Without the columns that say nothing in any row."""
    kept = [
        at
        for at in range(len(table.heading))
        if at == 0 or not table.rows or any(row[at] not in NOTHING for row in table.rows)
    ]
    rows = tuple(tuple(row[at] for at in kept) for row in table.rows)
    return table._replace(heading=tuple(table.heading[at] for at in kept), rows=rows)


class Picture(NamedTuple):
    """A PNG beside the page."""

    file: str
    caption: str


class Page(NamedTuple):
    """``warning`` stands first, in bold; ``facts`` are its opening list."""

    title: str
    warning: str
    facts: tuple[str, ...]
    pictures: tuple[Picture, ...]
    tables: tuple[Table, ...]


_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 74rem; margin: 2rem auto; padding: 0 1rem; color: #1d2429 }
table { border-collapse: collapse; margin: 0 0 2rem; display: block; overflow-x: auto }
th, td { border-bottom: 1px solid #d5dade; padding: .3rem .7rem; text-align: left; font-variant-numeric: tabular-nums }
th { border-bottom: 2px solid #1d2429 } p.note { color: #5c6b73; margin: 0 0 .5rem } img { max-width: 100% }
p.warning { border-left: 4px solid #d1495b; padding-left: .8rem }
"""


def write_page(page: Page, out: Path, stem: str) -> list[Path]:
    """Write ``stem.md`` and ``stem.html`` into ``out``; the paths written."""
    written = {f"{stem}.md": _markdown(page), f"{stem}.html": _html(page)}
    for name, lines in written.items():
        (out / name).write_text("\n".join(lines) + "\n", "utf-8")
    return [out / name for name in written]


def _markdown(page: Page) -> Iterator[str]:
    yield f"# {page.title}\n\n**{page.warning}**\n"
    yield from (f"* {line}" for line in page.facts)
    for picture in page.pictures:
        yield f"\n![{picture.caption}]({picture.file})"
    for table in page.tables:
        yield f"\n## {table.title}\n\n{table.note}\n"
        yield "| " + " | ".join(table.heading) + " |"
        yield "|" + "---|" * len(table.heading)
        for row in table.rows:
            yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"


def _html(page: Page) -> Iterator[str]:
    title = html.escape(page.title)
    yield f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
    yield f'</head><body><h1>{title}</h1><p class="warning">{html.escape(page.warning)}</p><ul>'
    yield from (f"<li>{html.escape(line)}</li>" for line in page.facts)
    yield "</ul>"
    for picture in page.pictures:
        said = html.escape(picture.caption)
        yield f'<figure><img src="{picture.file}" alt="{said}"><figcaption>{said}</figcaption></figure>'
    for table in page.tables:
        yield f'<h2>{html.escape(table.title)}</h2><p class="note">{html.escape(table.note)}</p><table><tr>'
        yield from (f"<th>{html.escape(cell)}</th>" for cell in table.heading)
        yield "</tr>"
        for row in table.rows:
            yield "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
        yield "</table>"
    yield "</body></html>"


def share(rate: Rate) -> str:
    """A rate with its interval and count."""
    return f"{rate.value:.4f} ({rate.low:.4f} to {rate.high:.4f}; {rate.hits}/{rate.total})"


def interval(value: Interval) -> str:
    return f"{value.value:.4f} ({value.low:.4f} to {value.high:.4f})"
