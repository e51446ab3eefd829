"""Views that processes were given to judge, and what they said of them so far."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple

from edge.core.job import Job
from edge.core.verdict import Verdict
from edge.judging.messages import Task, task_of
from edge.judging.ports import ViewToJudge
from edge.judging.stamps import Stamps
from edge.judging.worker import Worker


class Turn(NamedTuple):
    """A view whose joints are to be judged, of the folder with this key."""

    key: str
    job: Job
    folder: Path
    part: ViewToJudge

    def is_as(self, other: Turn) -> bool:
        """The very same joints of the same view of the same folder, wherever that lies by now?"""
        return (self.key, self.part) == (other.key, other.part)


class Work:
    """A turn that a process was given. ``missed``: it could not be looked at ahead; ``ended``: nothing more will be
    said of it.
    """

    def __init__(self, number: int, turn: Turn, worker: Worker, files: Stamps | None) -> None:
        self.number, self.turn, self.worker, self.files = number, turn, worker, files
        self.verdicts: list[Verdict] = []
        self.missed = self.failed = False

    @property
    def ended(self) -> bool:
        return self.whole or self.missed or self.failed

    @property
    def whole(self) -> bool:
        return len(self.verdicts) == len(self.turn.part.joints)

    @property
    def task(self) -> Task:
        return task_of(self.number, self.turn.job, self.turn.folder, self.turn.part, self.files)

    @property
    def doing(self) -> str:
        """What comes next, for people."""
        part = self.turn.part
        at = part.joints[len(self.verdicts) :]
        return f"joint {at[0].id} of view {part.view.id}" if at else f"view {part.view.id}"


class Works:
    """In the order in which they were given."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._works: dict[int, Work] = {}

    def __iter__(self) -> Iterator[Work]:
        return iter([*self._works.values()])

    def new(self, turn: Turn, worker: Worker, files: Stamps | None = None) -> Work:
        """Not entered yet: it may not be taken. ``files``: as they were before, where its turn has not come yet."""
        return Work(next(self._numbers), turn, worker, files)

    def enter(self, work: Work) -> None:
        self._works[work.number] = work

    def remove(self, work: Work) -> bool:
        """Was it there?"""
        return self._works.pop(work.number, None) is not None

    def forget(self, worker: Worker) -> None:
        """Whatever this process was given."""
        self._works = {number: work for number, work in self._works.items() if work.worker is not worker}

    def of(self, turn: Turn) -> Work | None:
        return next((work for work in self if work.turn.is_as(turn)), None)

    def tasks(self, worker: Worker) -> list[Work]:
        """What this process has still to end, in order."""
        return [work for work in self if work.worker is worker and not work.ended]

    def first(self) -> Work:
        """The oldest that has not ended; there must be one."""
        return next(work for work in self if not work.ended)

    def waits(self, work: Work) -> bool:
        """Is its process still at what it was given before?"""
        return work in self.tasks(work.worker)[1:]
