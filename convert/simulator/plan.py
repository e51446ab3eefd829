"""What to simulate, and what is known of each simulated joint."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from convert.simulator.difficulty import DIFFICULTIES
from edge.core.errors import UsageError

TRUTH = "truth.csv"
DEFECT_SHARE = 0.18 / 1.18
"""Normal : defect = 1 : 0.18 among what the machine flags (Zhang et al., Table IV)."""

Form = Literal["jobs", "patches"]
"""Job folders as a machine leaves them, or shards of ready patches for training."""


class TruthRow(NamedTuple):
    """What is known of one joint. ``label`` is 1 for a defect, 0 for normal; ``roi_right``, ``disputed``: 1 or 0.

    ``truth`` is the specialist's label; ``disputed`` marks a fill so near the limit that specialists disagree.
    """

    job_id: str
    joint: str
    board_type: str
    truth: str
    label: int
    fill: float
    void_share: float
    slices: int
    roi_right: int
    disputed: int = 0


@dataclass(frozen=True)
class LotPlan:
    """What to simulate: ``joints`` in all, spread over ``boards`` boards of ``types`` types.

    Board types are numbered from ``first_type``; two lots share no board type when their ranges do not overlap.
    """

    boards: int
    joints: int
    seed: int
    types: int
    first_type: int = 0
    defect_share: float = DEFECT_SHARE
    prefix: str = "L1"
    difficulty: str = "hard"
    form: Form = "jobs"

    def __post_init__(self) -> None:
        if not 1 <= self.boards <= self.joints:
            raise UsageError(f"--boards {self.boards} --joints {self.joints}: give at least one joint a board")
        if not 0 <= self.defect_share <= 1:
            raise UsageError(f"--defect-share {self.defect_share}: give a share between 0 and 1")
        if self.types < 1 or self.first_type < 0 or self.seed < 0:
            raise UsageError("--types, --first-type and --seed count from 1, 0 and 0 upwards")
        if self.difficulty not in DIFFICULTIES:
            raise UsageError(f"--difficulty {self.difficulty}: use one of {', '.join(DIFFICULTIES)}")

    def joints_on(self, board: int) -> int:
        return self.joints // self.boards + (board < self.joints % self.boards)


def read_truth(lot: Path) -> dict[tuple[str, str], TruthRow]:
    """(job_id, joint) -> truth, in the file's order. Raises UsageError when the lot has none."""
    try:
        with (lot / TRUTH).open(newline="") as stream:
            rows = [_parsed(record) for record in csv.DictReader(stream)]
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise UsageError(
            f"{lot / TRUTH}: not a readable truth file ({error}); name a lot made by axi-convert simulate"
        ) from error
    wrong = next((row for row in rows if row.label not in {0, 1}), None)
    if wrong is not None:
        raise UsageError(
            f"{lot / TRUTH}: joint {wrong.joint} of {wrong.job_id}: label {wrong.label} is neither 0 (normal) nor 1"
        )
    return {(row.job_id, row.joint): row for row in rows}


@contextmanager
def truth_writer(lot: Path) -> Iterator[Callable[[Iterable[TruthRow]], None]]:
    """Write the truth file of a lot, rows as they come."""
    with (lot / TRUTH).open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(TruthRow._fields)
        yield writer.writerows


def _parsed(record: dict[str, str]) -> TruthRow:
    return TruthRow(
        job_id=record["job_id"],
        joint=record["joint"],
        board_type=record["board_type"],
        truth=record["truth"],
        label=int(record["label"]),
        fill=float(record["fill"]),
        void_share=float(record["void_share"]),
        slices=int(record["slices"]),
        roi_right=int(record["roi_right"]),
        disputed=int(record.get("disputed", 0)),
    )
