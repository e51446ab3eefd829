"""A lot of optical joints as unscaled features and grades."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convert.lots.graded_truth import GradedRow, Grades, expected, read_graded_truth
from convert.lots.lot import Apart
from convert.lots.patches import scaled
from convert.lots.reading import JobReading, Tick
from edge.core.features import FeatureSpec, cut_out, levels_of, measure
from edge.core.fillet import Floats


@dataclass(frozen=True)
class GradedLot:
    """Joints of an optical lot: their features, unscaled (n, features), and their truth.

    ``left_out``: a sentence for what was passed over as the lot was read.
    """

    name: str
    digest: str
    features: Floats
    rows: tuple[GradedRow, ...]
    left_out: tuple[str, ...] = ()

    @cached_property
    def targets(self) -> NDArray[np.float32]:
        """Quality Index to learn; shape (n,)."""
        return np.array([row.target for row in self.rows], np.float32)

    @cached_property
    def grades(self) -> Grades:
        """The experts' majority; shape (n,)."""
        return expected(self.rows)

    @cached_property
    def disputed(self) -> NDArray[np.bool_]:
        """Where experts disagree; shape (n,)."""
        return np.array([row.disputed == 1 for row in self.rows])

    @property
    def apart(self) -> Apart:
        """What keeps it apart from others."""
        return "board type"

    @property
    def groups(self) -> NDArray[np.str_]:
        """Of each joint, what keeps it apart from others."""
        return self.board_types

    @property
    def board_types(self) -> NDArray[np.str_]:
        return np.array([row.board_type for row in self.rows])

    def subset(self, chosen: NDArray[np.int64], name: str) -> GradedLot:
        return replace(self, name=name, features=self.features[chosen], rows=tuple(self.rows[i] for i in chosen))


def load_graded_lot(lot: Path, spec: FeatureSpec, tick: Tick = lambda _: None) -> GradedLot:
    """Measure every joint of a lot that has truth; ``tick`` is told of each view's number of joints.

    Raises UsageError for a lot without truth or joints, JobRefused for a broken manifest.
    """
    truth, rows, features = read_graded_truth(lot), list[GradedRow](), list[Floats]()
    reading = JobReading(lot)
    for slices, joint, row in reading.joints(spec, truth, tick):
        features.append(measure(spec, cut_out(spec, slices[0], joint.roi)))
        rows.append(row)
    return GradedLot(lot.name, reading.digest, np.stack(features), tuple(rows), reading.left_out)


def inputs_of(spec: FeatureSpec, features: Floats) -> NDArray[np.float32]:
    """Features (n, features) through the same 8 bits as on the device, as the network takes them."""
    return scaled(levels_of(spec, features))
