"""What is known of each joint of a lot of defects and normals."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from convert.lots.table import Record, by_joint, read_table, write_table
from edge.core.card import NORMAL, NORMAL_NAMES
from edge.core.job import MAX_SLICES

_REQUIRED = ("job_id", "joint", "label")


class TruthRow(NamedTuple):
    """What is known of one joint. ``label`` is 1 for a defect, 0 for normal.

    ``board_type``: empty where nobody says it. ``truth``: its class, by the specialist; ``defect`` or ``normal`` where
    nobody said more. ``slices``, ``serial``, ``day`` (of the inspection), ``joint_type``: which reading the lot tells.
    The rest only a simulator knows, None elsewhere: ``fill`` and ``void_share``; ``roi_right``, 1 where the box is;
    ``disputed``, 1 where the fill is so near the limit that specialists disagree.
    """

    job_id: str
    joint: str
    board_type: str
    truth: str
    label: int
    fill: float | None = None
    void_share: float | None = None
    slices: int = 0
    roi_right: int | None = None
    disputed: int | None = None
    serial: str = ""
    day: str = ""
    joint_type: str = ""


def read_truth(lot: Path) -> dict[tuple[str, str], TruthRow]:
    """(job_id, joint) -> truth, in the file's order. Raises UsageError naming file, line and column."""
    return by_joint(read_table(lot, _REQUIRED), _parsed)


def truth_writer(lot: Path) -> AbstractContextManager[Callable[[Iterable[TruthRow]], None]]:
    """Write the truth file of a lot, rows as they come."""
    return write_table(lot, TruthRow._fields)


def _parsed(record: Record) -> TruthRow:
    label = record.required("label")
    if label not in {"0", "1"}:
        raise record.wrong("label", f"{label!r} is neither 0 (normal) nor 1 (defect)")
    usual = "defect" if label == "1" else NORMAL
    written = record.text("truth", usual)
    truth = NORMAL if written.casefold() in NORMAL_NAMES else written
    if (truth == NORMAL) != (usual == NORMAL):
        remedy = "a joint of label 0 is normal, one of label 1 is not; correct one of the two"
        raise record.wrong("truth", f"{written!r}, but label is {label}: {remedy}")
    return TruthRow(
        job_id=record.required("job_id"),
        joint=record.required("joint"),
        board_type=record.text("board_type"),
        truth=truth,
        label=int(label),
        fill=record.share("fill"),
        void_share=record.share("void_share"),
        slices=record.whole_number("slices", MAX_SLICES),
        roi_right=record.flag("roi_right"),
        disputed=record.flag("disputed"),
        serial=record.text("serial"),
        day=record.text("day"),
        joint_type=record.text("joint_type"),
    )
