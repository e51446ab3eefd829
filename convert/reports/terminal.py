"""Progress bars and tables on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from convert.reports import pages

console = Console(stderr=True, markup=False, emoji=False)
"""Progress and reports; results meant for a pipe go to stdout. Names of users may hold brackets and colons: as text."""


_WIDEST = 100_000


def wide_results() -> Console:
    """Stdout for results: as wide as the terminal, and wide enough for the widest table into a pipe."""
    width = None if sys.stdout.isatty() else 200
    return Console(width=width, markup=False, emoji=False, highlight=False)


class Bar:
    """One running bar."""

    def __init__(self, progress: Progress, task: int) -> None:
        self._progress, self._task = progress, task

    def advance(self, steps: int = 1) -> None:
        self._progress.update(self._task, advance=steps)  # type: ignore[arg-type]

    def reach(self, done: int, total: int) -> None:
        """Where it stands, of how many, once that is known."""
        self._progress.update(self._task, completed=done, total=total)  # type: ignore[arg-type]

    def tell(self, text: str) -> None:
        self._progress.update(self._task, note=text)  # type: ignore[arg-type]


@contextmanager
def bar(title: str, total: int, to: Console = console) -> Iterator[Bar]:
    """A progress bar for the length of the block."""
    columns = (
        TextColumn("{task.description:<26}", markup=False),
        BarColumn(bar_width=32),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(*columns, console=to) as progress:
        yield Bar(progress, progress.add_task(title, total=total, note=""))


def tell(text: str) -> None:
    """What is being done, a line each."""
    console.print(f"- {text}", highlight=False)


def tell_each(sentences: Iterable[str]) -> None:
    """Of what several sources say, each sentence once."""
    for sentence in dict.fromkeys(sentences):
        tell(sentence)


def plainly(text: str) -> None:
    """A line that is to be read or copied as it is: a path, a warning."""
    console.print(text, highlight=False, soft_wrap=True)


def show(tables: Iterable[pages.Table], to: Console = console) -> None:
    """The same tables that pages have; a column a row where they fit no other way."""
    anywhere = to.options.update_width(_WIDEST)
    for table in tables:
        as_it_is, turned = _drawn(table), _drawn(_turned(table))
        widths = [Measurement.get(to, anywhere, shown).maximum for shown in (as_it_is, turned)]
        to.print(turned if widths[1] < widths[0] and widths[0] > to.width else as_it_is)


def _drawn(table: pages.Table) -> Table:
    shown = Table(*table.heading, title=table.title, caption=table.note or None, title_justify="left")
    for row in table.rows:
        shown.add_row(*row)
    return shown


def _turned(table: pages.Table) -> pages.Table:
    """Its columns as rows."""
    first, *others = zip(table.heading, *table.rows, strict=True)
    return table._replace(heading=first, rows=tuple(others))
