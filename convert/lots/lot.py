"""A lot as patches and labels. Patches stay on disk and are read as they are asked for: memory does not grow."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from convert.lots.graded_truth import GradedRow
from convert.lots.patches import Patches, PatchFiles, Positions
from convert.lots.truth import TruthRow
from edge.core.errors import UsageError
from edge.jobs.vendors import UNSAID

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
Labels = NDArray[np.int64]
Row = TruthRow | GradedRow
"""The truth of one joint: of an X-ray lot, or of an optical one."""
R = TypeVar("R", TruthRow, GradedRow)
S = TypeVar("S", TruthRow, GradedRow, Row)


Apart = Literal["board type", "serial", "day"]
"""What two lots must not share, so that one says something of the other: it says most where no board type is shared."""


def completed(row: S, slices: int, serial: str = "", day: str = "", joint_type: str = "") -> S:
    """The row, with what its view, board and joint turned out to be, where the truth did not say."""
    if not isinstance(row, TruthRow):
        return row
    return row._replace(
        slices=row.slices or slices,
        serial=row.serial or serial or row.job_id,
        day=row.day or (day if _DAY.fullmatch(day) else ""),
        joint_type=row.joint_type or joint_type,
    )


@dataclass(frozen=True)
class LabelledLot:
    """Joints of a lot. ``labels``: 1 defect, 0 normal; ``rows``: the truth; ``index``: the places of their patches.

    ``left_out``: a sentence for what was passed over as the lot was read. ``apart``: what keeps it apart from others.
    """

    name: str
    digest: str
    files: PatchFiles
    index: Positions
    rows: tuple[Row, ...]
    left_out: tuple[str, ...] = ()
    apart: Apart = "board type"

    @cached_property
    def labels(self) -> Labels:
        return np.array([row.label for row in self.rows], np.int64)

    @property
    def truth_digest(self) -> str:
        """Of which joints these are and how they are labelled.

        Unlike ``digest`` it does not depend on pixels, which another kind of processor may round otherwise.
        """
        named = [(row.job_id, row.joint, row.board_type, row.truth, row.label, row.slices) for row in self.rows]
        return "sha256:" + hashlib.sha256(repr(named).encode()).hexdigest()

    @property
    def board_types(self) -> NDArray[np.str_]:
        return np.array([row.board_type for row in self.rows])

    @property
    def groups(self) -> NDArray[np.str_]:
        """Of each joint, the board type, serial or day that keeps it apart from others."""
        if self.apart == "board type":
            return self.board_types
        return np.array([row.serial if self.apart == "serial" else row.day for row in self.defect_rows])

    @property
    def names_types(self) -> bool:
        """Does it say of every joint what board type it is on?"""
        return all(row.board_type for row in self.rows)

    @property
    def joint_types(self) -> list[str]:
        """Those that it names, of joints that are defects or normal."""
        return sorted({row.joint_type for row in self.rows if isinstance(row, TruthRow)} - {"", UNSAID})

    @property
    def simulated(self) -> bool:
        """Does its truth know of every joint what only a simulator does?"""
        known = (row.solder if isinstance(row, GradedRow) else row.fill for row in self.rows)
        return all(amount is not None for amount in known)

    def kept_apart(self, by: Apart) -> Self:
        """The same joints. Raises UsageError where a joint does not say what it would be kept apart by."""
        if by == "board type" and not self.names_types:
            raise UsageError(f"{self.name}: not every joint names its board type; keep apart by serial or day")
        found = replace(self, apart=by)
        if not all(found.groups):
            raise UsageError(f"{self.name}: not every joint has a {by}; keep apart by another")
        return found

    @property
    def defect_rows(self) -> tuple[TruthRow, ...]:
        """The truth of joints that are defects or normal. Raises UsageError for a lot that was graded."""
        return self._rows_of(TruthRow, "its joints were graded; name a lot of defects and normals")

    @property
    def graded_rows(self) -> tuple[GradedRow, ...]:
        """The truth of graded joints. Raises UsageError for a lot that no expert graded."""
        return self._rows_of(GradedRow, "holds joints that no expert graded; name a lot of optical images")

    def _rows_of(self, kind: type[R], problem: str) -> tuple[R, ...]:
        rows = tuple(row for row in self.rows if isinstance(row, kind))
        if len(rows) != len(self.rows):
            raise UsageError(f"{self.name}: {problem}")
        return rows

    @property
    def patches(self) -> Patches:
        """All patches, in memory."""
        return self.files.take(self.index)

    def take(self, chosen: Positions) -> Patches:
        """The patches of some of the lot's joints."""
        return self.files.take(self.index[chosen])

    def batches(self, size: int) -> Iterator[Patches]:
        """All patches in order, ``size`` at a time."""
        for start in range(0, len(self.index), size):
            yield self.files.take(self.index[start : start + size])

    def subset(self, chosen: Positions, name: str) -> LabelledLot:
        """Some of the joints; of the lot they come from, all that is known stays known."""
        return replace(self, name=name, index=self.index[chosen], rows=tuple(self.rows[i] for i in chosen))
