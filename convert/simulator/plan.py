"""What to simulate, and what is known of each simulated joint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from convert.simulator.difficulty import DIFFICULTIES
from edge.core.errors import UsageError

DEFECT_SHARE = 0.18 / 1.18
"""Normal : defect = 1 : 0.18 among what the machine flags (Zhang et al., Table IV)."""

Form = Literal["jobs", "patches"]
"""Job folders as a machine leaves them, or shards of ready patches for training."""


@dataclass(frozen=True)
class LotPlan:
    """What to simulate: ``joints`` in all, spread over ``boards`` boards of ``types`` types.

    Board types are numbered from ``first_type``; two lots share no board type when their ranges do not overlap.
    ``alike``: boards of a type are made from one drawing, as on a line: their views have the same names, traces,
    components and number of slices. Otherwise only the connector is theirs, and all that is around it drawn anew.
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
    alike: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.boards <= self.joints:
            raise UsageError(f"--boards {self.boards} --joints {self.joints}: give at least one joint a board")
        if not 0 <= self.defect_share <= 1:
            raise UsageError(f"--defect-share {self.defect_share}: give a share between 0 and 1")
        if self.types < 1 or self.first_type < 0 or self.seed < 0:
            raise UsageError("--types, --first-type and --seed count from 1, 0 and 0 upwards")
        if self.difficulty not in DIFFICULTIES:
            raise UsageError(f"--difficulty {self.difficulty}: use one of {', '.join(DIFFICULTIES)}")

    def job_id(self, board: int) -> str:
        return f"{self.prefix}-{board:06d}"

    def type_number(self, board: int) -> int:
        """Boards take turns in the plan's types."""
        return self.first_type + board % self.types

    def joints_on(self, board: int) -> int:
        return self.joints // self.boards + (board < self.joints % self.boards)
