"""``truth.csv``, a row a joint, as a table: whatever is wrong with it is named by file, line and column.

The columns of each kind of lot: ``convert.lots.truth`` and ``convert.lots.graded_truth``; for people: docs/lots.md.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from edge.core.errors import UsageError
from edge.jobs import tables

TRUTH = "truth.csv"
_HEAD_BYTES = 65_536
"""Enough for the first row."""


class OfJoint(Protocol):
    """The truth of a joint, whatever is known of it."""

    @property
    def job_id(self) -> str: ...

    @property
    def joint(self) -> str: ...


Row = TypeVar("Row", bound=OfJoint)


class Record(NamedTuple):
    """One row. ``where``: file and line, for what is wrong with it."""

    where: str
    cells: dict[str, str]

    def text(self, column: str, default: str = "") -> str:
        return self.cells.get(column) or default

    def required(self, column: str) -> str:
        """Raises UsageError where the cell is empty."""
        found = self.text(column)
        if not found:
            raise self.wrong(column, "empty; every joint needs it")
        return found

    def share(self, column: str) -> float | None:
        """From 0 to 1, None where the lot does not know. Raises UsageError."""
        found = self.number(column)
        if found is not None and not 0 <= found <= 1:
            raise self.wrong(column, f"{self.text(column)!r} is not from 0 to 1")
        return found

    def number(self, column: str) -> float | None:
        """None where the lot does not know. Raises UsageError for what is not finite, too."""
        found = self.text(column)
        if not found:
            return None
        try:
            number = float(found)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise self.wrong(column, f"{found!r} is not a number; leave it empty where it is not known")
        return number

    def whole_number(self, column: str, most: int) -> int:
        """0 where the lot does not know. Raises UsageError."""
        found = self.number(column) or 0.0
        if not 0 <= found <= most or found != int(found):
            raise self.wrong(column, f"{self.text(column)!r} is not a whole number up to {most}")
        return int(found)

    def flag(self, column: str) -> int | None:
        """1 or 0, None where the lot does not know. Raises UsageError."""
        found = self.text(column)
        if found not in {"", "0", "1"}:
            raise self.wrong(column, f"{found!r} is neither 0 nor 1")
        return int(found) if found else None

    def wrong(self, column: str, problem: str) -> UsageError:
        return UsageError(f"{self.where}: {column}: {problem}")


def columns_in(lot: Path) -> list[str]:
    """The columns that the lot's truth has. Raises UsageError."""
    path = lot / TRUTH
    with _named(path), path.open("rb") as stream:
        return tables.read_table(stream.read(_HEAD_BYTES)).columns


def read_table(lot: Path, required: Sequence[str]) -> Iterator[Record]:
    """Every row. Raises UsageError naming all columns that are missing, and the line of a row that is not whole."""
    path = lot / TRUTH
    with _named(path):
        table = tables.read_table(path.read_bytes(), required)
    if table.problem:
        raise UsageError(f"{path}: {table.problem} (docs/lots.md says what it holds)")
    for row in table.rows:
        short = "fewer cells than columns; leave what is not known empty" if row.short else ""
        if row.problem or short:
            raise UsageError(f"{path}: line {row.line}: {row.problem or short} (docs/lots.md says what it holds)")
        yield Record(f"{path}: line {row.line}", row.cells)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Raises UsageError naming the file, where it cannot be read."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"{path}: not readable ({error.strerror}); a lot has its truth there") from error


@contextmanager
def write_table(lot: Path, columns: Sequence[str]) -> Iterator[Callable[[Iterable[Sequence[object]]], None]]:
    """Write the truth of a lot, rows as they come."""
    with (lot / TRUTH).open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        yield writer.writerows


def by_joint(records: Iterable[Record], parsed: Callable[[Record], Row]) -> dict[tuple[str, str], Row]:
    """(job_id, joint) -> row, in the file's order. Raises UsageError for a joint that stands there twice."""
    found: dict[tuple[str, str], Row] = {}
    for record in records:
        row = parsed(record)
        if (row.job_id, row.joint) in found:
            raise record.wrong("joint", f"{row.joint} of {row.job_id} stands there twice; keep one of the rows")
        found[row.job_id, row.joint] = row
    return found
