"""Comma-separated tables of people and machines: what is wrong with one is said by line, with a remedy."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import NamedTuple


class TableError(ValueError):
    """What is wrong with a table, in plain words; the file is the caller's to name."""


class Row(NamedTuple):
    """One row. ``line``: its last; ``cells``: texts by column, stripped. ``short``: it has fewer cells than columns."""

    line: int
    cells: dict[str, str]
    short: bool


def columns_of(raw: bytes) -> list[str]:
    """The names in the first row, in lower case. Raises TableError for what is no text."""
    return _names(_lines(raw))


def read_rows(raw: bytes, needed: Sequence[str]) -> Iterator[Row]:
    """Every row that says anything; cells that a short row lacks are empty.

    Raises TableError naming every column that is missing, one that stands there twice, or the first row that cannot be
    read.
    """
    lines = _lines(raw)
    names = _names(lines)
    missing = [column for column in needed if column not in names]
    if missing:
        raise TableError(_lacking(missing, names))
    for number, cells in lines:
        if len(cells) > len(names):
            raise TableError(f"line {number}: more cells than columns; quote texts with commas")
        if any(cell.strip() for cell in cells):
            padded = [*cells, *[""] * (len(names) - len(cells))]
            named = {name: cell.strip() for name, cell in zip(names, padded, strict=True)}
            yield Row(number, named, len(cells) < len(names))


def _lines(raw: bytes) -> Iterator[tuple[int, list[str]]]:
    """Number of its last line and cells, of each row."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise TableError(f"line {line}: not UTF-8 text ({error.reason}); export it as UTF-8") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            if any("\0" in cell for cell in cells):
                raise TableError(f"line {reader.line_num}: a zero byte, as in UTF-16 text; export it as UTF-8")
            yield reader.line_num, cells
    except csv.Error as error:
        raise TableError(
            f"line {reader.line_num}: {error}; quote texts from comma to comma, or export it again"
        ) from error


def _names(lines: Iterator[tuple[int, list[str]]]) -> list[str]:
    """Takes the first row; none of an empty table. Of two columns of one name nobody can tell which is meant."""
    _, cells = next(lines, (0, []))
    names = [name.strip().lower() for name in cells]
    twice = [name for name in names if name and names.count(name) > 1]
    if twice:
        raise TableError(f"column {twice[0]!r} stands there twice; keep one of them")
    return names


def _lacking(missing: Sequence[str], names: Sequence[str]) -> str:
    """The remedy, too: a comma is not what separates everywhere."""
    what = f"column {missing[0]!r} is" if len(missing) == 1 else f"columns {', '.join(map(repr, missing))} are"
    separator = next((mark for mark in ";\t" if any(mark in name for name in names)), "")
    remedy = (
        f"its columns are separated by {separator!r}, export it with commas"
        if separator
        else ("the first row must name the columns")
    )
    return f"{what} missing; {remedy}"
