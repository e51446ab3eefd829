"""A lot as patches and labels. Patches stay on disk and are read as they are asked for: memory does not grow."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from convert.lots.graded_truth import GradedRow
from convert.lots.patches import Patches, PatchFiles, Positions
from convert.lots.truth import TruthRow
from edge.core.errors import UsageError

Labels = NDArray[np.int64]
Row = TruthRow | GradedRow
"""The truth of one joint: of an X-ray lot, or of an optical one."""
R = TypeVar("R", TruthRow, GradedRow)
S = TypeVar("S", TruthRow, GradedRow, Row)


def with_slices(row: S, slices: int) -> S:
    """The row, with the number of slices that its view turned out to have, where the truth did not say."""
    return row._replace(slices=slices) if isinstance(row, TruthRow) and not row.slices else row


@dataclass(frozen=True)
class LabelledLot:
    """Joints of a lot. ``labels``: 1 defect, 0 normal; ``rows``: the truth; ``index``: the places of their patches.

    ``left_out``: a sentence for what was passed over as the lot was read.
    """

    name: str
    digest: str
    files: PatchFiles
    index: Positions
    rows: tuple[Row, ...]
    left_out: tuple[str, ...] = ()

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
