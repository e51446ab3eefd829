"""What is known of each joint of a lot that was graded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from convert.lots.table import TRUTH, Record, by_joint, columns_in, read_table, write_table
from edge.core.errors import UsageError
from edge.core.grades import GRADES, RELEASED

_REQUIRED = ("job_id", "joint", "board_type", "grade")
_BETWEEN_VOTES = "|"


class GradedRow(NamedTuple):
    """The truth of one joint.

    ``grade`` is the experts' majority, ``votes`` what each expert said (in the file joined by ``|``), none where only
    the majority is known. Only a simulator knows, None elsewhere: ``solder``, the amount in [0, 1] that the joint was
    made with, and ``disputed``, 1 where that lies near a class boundary.
    """

    job_id: str
    joint: str
    board_type: str
    grade: str
    solder: float | None = None
    votes: tuple[str, ...] = ()
    disputed: int | None = None

    @property
    def truth(self) -> str:
        """The class, as other lots call it."""
        return self.grade

    @property
    def label(self) -> int:
        """1 where the experts' majority would not let the joint pass, else 0."""
        return int(self.grade not in RELEASED)

    @property
    def slices(self) -> int:
        """An optical view is one picture."""
        return 1

    @property
    def target(self) -> float:
        """The quality index to learn, in [0, 1]: the mean of what the experts mean, or what the majority means."""
        return target_of(self.votes or (self.grade,))


def read_graded_truth(lot: Path) -> dict[tuple[str, str], GradedRow]:
    """(job_id, joint) -> truth, in the file's order. Raises UsageError naming file, line and column."""
    return by_joint(read_table(lot, _REQUIRED), _parsed)


def is_graded(lot: Path) -> bool:
    """Does the lot hold graded joints, rather than defects and normals? Raises UsageError."""
    columns = columns_in(lot)
    if {"grade", "label"} <= set(columns):
        raise UsageError(f"{lot / TRUTH}: has both 'label' and 'grade'; keep the one that is meant")
    return "grade" in columns


@contextmanager
def graded_truth_writer(lot: Path) -> Iterator[Callable[[Iterable[GradedRow]], None]]:
    """Write the truth file of a lot, rows as they come."""
    with write_table(lot, GradedRow._fields) as write:
        yield lambda rows: write([*row[:5], _BETWEEN_VOTES.join(row.votes), *row[6:]] for row in rows)


def _parsed(record: Record) -> GradedRow:
    grade, votes = _grade(record, "grade", record.required("grade")), _votes(record)
    if votes and grade not in votes:
        raise record.wrong("grade", f"{grade!r} is none of the votes; correct one of the two")
    return GradedRow(
        job_id=record.required("job_id"),
        joint=record.required("joint"),
        board_type=record.required("board_type"),
        grade=grade,
        solder=record.share("solder"),
        votes=votes,
        disputed=record.flag("disputed"),
    )


def _votes(record: Record) -> tuple[str, ...]:
    written = record.text("votes")
    return tuple(_grade(record, "votes", vote.strip()) for vote in written.split(_BETWEEN_VOTES)) if written else ()


def _grade(record: Record, column: str, grade: str) -> str:
    if grade not in GRADES:
        raise record.wrong(column, f"{grade!r} is no grade; use {', '.join(GRADES)}")
    return grade


Grades = NDArray[np.int64]
"""Positions in GRADES."""


def expected(rows: Sequence[GradedRow]) -> Grades:
    """The experts' grades; shape (n,)."""
    return np.array([GRADES.index(row.grade) for row in rows], np.int64)


CENTRES = tuple(i / (len(GRADES) - 1) for i in range(len(GRADES)))
"""Quality Index that an expert means by each class: 0, 0.25, 0.5, 0.75, 1."""


def target_of(votes: Sequence[str]) -> float:
    """The Quality Index to learn: the mean of what the experts mean."""
    return fmean(CENTRES[GRADES.index(vote)] for vote in votes)
