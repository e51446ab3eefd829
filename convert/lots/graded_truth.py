"""What is known of each joint of an optical lot: ``truth.csv`` beside its job folders."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from convert.lots.truth import TRUTH
from edge.core.errors import UsageError
from edge.core.grades import GRADES, RELEASED

_BETWEEN_VOTES = "|"


class GradedRow(NamedTuple):
    """The truth of one joint.

    ``grade`` is the experts' majority, ``solder`` the amount in [0, 1] that the joint was made with, ``votes`` what
    each expert said (in the file joined by ``|``), ``disputed`` 1 where the amount lies near a class boundary, else 0.
    """

    job_id: str
    joint: str
    board_type: str
    grade: str
    solder: float
    votes: tuple[str, ...]
    disputed: int

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
        """The Quality Index to learn, in [0, 1]."""
        return target_of(self.votes)


def read_graded_truth(lot: Path) -> dict[tuple[str, str], GradedRow]:
    """(job_id, joint) -> truth, in the file's order. Raises UsageError when the lot has none of this kind."""
    try:
        with (lot / TRUTH).open(newline="") as stream:
            rows = [_parsed(record) for record in csv.DictReader(stream)]
    except (OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{lot / TRUTH}: not a readable truth file of graded joints ({error!r}); name a lot of optical images"
        ) from error
    return {(row.job_id, row.joint): row for row in rows}


def is_graded(lot: Path) -> bool:
    """Does the lot hold graded joints, rather than defects and normals? False where nothing can be read."""
    try:
        with (lot / TRUTH).open(newline="") as stream:
            return "grade" in next(csv.reader(stream), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return False


@contextmanager
def graded_truth_writer(lot: Path) -> Iterator[Callable[[Iterable[GradedRow]], None]]:
    """Write the truth file of a lot, rows as they come."""
    with (lot / TRUTH).open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(GradedRow._fields)

        def write(rows: Iterable[GradedRow]) -> None:
            writer.writerows(row._replace(votes=_BETWEEN_VOTES.join(row.votes)) for row in rows)  # type: ignore[arg-type]

        yield write


def _parsed(record: dict[str, str]) -> GradedRow:
    row = GradedRow(
        job_id=record["job_id"],
        joint=record["joint"],
        board_type=record["board_type"],
        grade=record["grade"],
        solder=float(record["solder"]),
        votes=tuple(record["votes"].split(_BETWEEN_VOTES)),
        disputed=int(record["disputed"]),
    )
    unknown = {row.grade, *row.votes} - set(GRADES)
    if unknown or row.disputed not in {0, 1}:
        raise ValueError(f"joint {row.joint} of {row.job_id}: unknown grade {sorted(unknown)} or disputed not 0 or 1")
    return row


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
