"""What is known of each joint of a lot: ``truth.csv`` beside its job folders or shards."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from edge.core.errors import UsageError

TRUTH = "truth.csv"


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
