"""Tables of people and machines: what is wrong with one is said by line, with a remedy.

A row that cannot be read rightly hides none of the others: each is given, with what is wrong with it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from edge.files import encoding_of

_NO_CHARACTER = "\\x"
"""How a byte begins that is no character."""
_MOST_COLUMNS = 200


_NOT_ENDED = "its last line has no end, as that of a table that was cut; export it whole, a line break at its end"


class Row(NamedTuple):
    """One row. ``line``: its last; ``cells``: texts by column, stripped. ``short``: it has fewer cells than columns;
    those that it lacks are empty. ``problem``: why the cells may not be what is meant.
    """

    line: int
    cells: dict[str, str]
    short: bool = False
    problem: str = ""


class Table(NamedTuple):
    """``columns``: the names in the first row, in lower case. ``problem``: what is wrong with them.

    ``rows``: every row that says anything, once. ``ended``: its last line does; else it may have been cut.
    """

    columns: list[str]
    rows: Iterator[Row]
    problem: str = ""
    ended: bool = True

    @property
    def doubt(self) -> str:
        """Why it may not be all that was meant; empty where nothing speaks against it."""
        return self.problem or ("" if self.ended else _NOT_ENDED)


def read_table(raw: bytes, needed: Sequence[str] = (), separator: str = ",") -> Table:
    """A table in UTF-8, with or without a byte order mark, or in UTF-16 with one.

    ``problem`` names every column of ``needed`` that is missing, or one that stands there twice.
    """
    text, damaged = _text(raw)
    records = _records(text, separator, damaged=damaged)
    first = next(records, _Record(0, [], ""))
    names = [name.strip().lower() for name in first.cells[:_MOST_COLUMNS]]
    ended = not text or text[-1] in "\r\n"
    return Table(names, _rows(records, names), _wrong_columns(first, names, needed), ended)


class _Record(NamedTuple):
    line: int
    cells: list[str]
    problem: str


def _text(raw: bytes) -> tuple[str, bool]:
    """The text, and whether some of it could not be read."""
    encoding = encoding_of(raw)
    try:
        return raw.decode(encoding), False
    except UnicodeDecodeError:
        return raw.decode(encoding, "backslashreplace"), True


def _records(text: str, separator: str, *, damaged: bool) -> Iterator[_Record]:
    """Rows as they stand, empty ones, too: a line each, for a line break within a cell is refused anyway."""
    for number, line in enumerate(io.StringIO(text, newline=""), 1):
        try:
            cells = next(csv.reader([line], strict=True, delimiter=separator), [])
        except csv.Error as error:
            remedy = "quote texts from comma to comma, or export it again"
            yield _Record(number, _loosely(line, separator), f"{error}; {remedy}")
        else:
            if cells:
                yield _Record(number, cells, _wrong_text(cells, damaged=damaged))


def _loosely(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:  # a cell that is longer than a cell may be
        return line.split(separator)


def _wrong_text(cells: Iterable[str], *, damaged: bool) -> str:
    if any("\0" in cell for cell in cells):
        return "a zero byte, as in UTF-16 text; export it as UTF-8"
    if damaged and any(_NO_CHARACTER in cell for cell in cells):
        return "not UTF-8 text; export it as UTF-8 (in Excel: save as CSV UTF-8)"
    return ""


def _rows(records: Iterable[_Record], names: Sequence[str]) -> Iterator[Row]:
    for line, cells, problem in records:
        if any(cell.strip() for cell in cells):
            padded = [*cells, *[""] * (len(names) - len(cells))]
            named = {name: cell.strip() for name, cell in zip(names, padded, strict=False)}
            extra = "more cells than columns; quote texts with commas" if len(cells) > len(names) else ""
            yield Row(line, named, len(cells) < len(names), problem or extra)


def _wrong_columns(first: _Record, names: Sequence[str], needed: Sequence[str]) -> str:
    """Of two columns of one name nobody can tell which is meant."""
    if first.problem:
        return f"line {first.line}: {first.problem}"
    if len(first.cells) > _MOST_COLUMNS:
        return f"more than {_MOST_COLUMNS} columns; export those that are needed"
    twice = [name for name in names if name and names.count(name) > 1]
    if twice:
        return f"column {twice[0]!r} stands there twice; keep one of them"
    missing = [column for column in needed if column not in names]
    return _lacking(missing, names) if missing else ""


def _lacking(missing: Sequence[str], names: Sequence[str]) -> str:
    """The remedy, too: a comma is not what separates everywhere."""
    what = f"column {missing[0]!r} is" if len(missing) == 1 else f"columns {', '.join(map(repr, missing))} are"
    separator = next((mark for mark in ";\t" if any(mark in name for name in names)), "")
    remedy = (
        f"its columns are separated by {separator!r}, export it with commas"
        if separator
        else "the first row must name the columns"
    )
    return f"{what} missing; {remedy}"
