"""Which part of a report is about which task."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from convert.conversion.findings import Comparison
from convert.conversion.task import Task
from convert.reports import build_defects, build_grades
from convert.reports.pages import Picture, Table
from edge.core.rules import TaskName


class Part(Protocol):
    """What a build's report says of a task's own."""

    def meaning(self, found: Comparison) -> str:
        """What a passed build says, and what it does not."""

    def tables(self, found: Comparison) -> Iterator[Table]: ...

    def pictures(self, found: Comparison, folder: Path) -> Iterator[Picture]: ...

    def data(self, found: Comparison) -> dict[str, object]:
        """For report.json."""


_PARTS: dict[TaskName, Part] = {"joint_defect": build_defects, "joint_quality": build_grades}


def part_about(task: Task) -> Part:
    return _PARTS[task.name]
