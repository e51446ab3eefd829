"""The judge in processes of its own: a hang or a crash of the runtime costs an attempt at a job, not the daemon.

Each view is one process' task. While one's verdicts are waited for, written down and their job is filed, the others are
at the views whose turn comes next, of this job and of those that wait: several processes, because in one the
interpreter's lock would keep threads that crop and decode from the other cores.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Sequence
from itertools import count
from pathlib import Path
from typing import NamedTuple

from edge.core.clocks import Monotonic
from edge.core.errors import AxiError, BundleRefused, JudgeLost
from edge.core.job import Job
from edge.core.verdict import Reason, Verdict
from edge.judging.messages import Busy, DiskTrouble, Judged, Missed, Ready, task_of
from edge.judging.ports import Batch, ViewToJudge
from edge.judging.stamps import Stamps, stamps_of
from edge.judging.worker import Worker

log = logging.getLogger(__name__)

_REVIVE_EVERY_S = 60.0
"""How often it is tried to start a process anew beside others that live, where that failed."""


class _Turn(NamedTuple):
    """A view whose joints are to be judged, of the folder with this key."""

    key: str
    job: Job
    folder: Path
    part: ViewToJudge

    def is_as(self, other: _Turn) -> bool:
        """The very same joints of the same view of the same folder, wherever that lies by now?"""
        return (self.key, self.part) == (other.key, other.part)


class _Work:
    """A turn that a process was given. ``missed``: it could not be looked at ahead."""

    def __init__(self, number: int, turn: _Turn, worker: Worker, files: Stamps | None) -> None:
        self.number, self.turn, self.worker, self.files = number, turn, worker, files
        self.verdicts: list[Verdict] = []
        self.missed = False

    @property
    def whole(self) -> bool:
        return len(self.verdicts) == len(self.turn.part.joints)

    @property
    def doing(self) -> str:
        """What comes next, for people."""
        part = self.turn.part
        at = part.joints[len(self.verdicts) :]
        return f"joint {at[0].id} of view {part.view.id}" if at else f"view {part.view.id}"


class Judges:
    """Starts the processes, hands them views, and replaces those that hang or die. Use it from one thread."""

    def __init__(self, workers: Sequence[Worker], clock: Monotonic) -> None:
        self._workers, self._clock = tuple(workers), clock
        self._revive_from = 0.0
        self._numbers = count(1)
        self._works: dict[int, _Work] = {}
        self._first: Ready | None = None
        self.score_ms = self.best_ms = 0.0

    @property
    def looks_ahead(self) -> int:
        return len(self._workers)

    @property
    def pids(self) -> list[int]:
        """Of the processes that there are."""
        return [pid for worker in self._workers if (pid := worker.pid) is not None]

    def start(self, progressed: Callable[[], None]) -> Ready:
        """Start all afresh; the bundles are verified and replayed in each.

        Raises BundleRefused or ConfigError as a process says, and when it is not the bundle of the first start;
        JudgeLost when it says nothing.
        """
        self._start(self._workers, progressed)
        assert self._first is not None  # noqa: S101
        return self._first

    def _start(self, workers: Sequence[Worker], progressed: Callable[[], None]) -> None:
        try:
            for worker in workers:
                worker.launch()
            said = [worker.ready(progressed) for worker in workers]
            for ready in said:
                self._require_the_same(ready)
        except BaseException:
            for worker in workers:
                worker.close(grace_s=0)
            raise
        self.best_ms = max(ready.score_ms for ready in said)

    def _require_the_same(self, ready: Ready) -> None:
        """Verdicts name the bundle that was served first: another that lies in its place now must not give them."""
        self._first = self._first or ready
        for before, now in zip(self._first.bundles, ready.bundles, strict=True):
            if before != now:
                raise BundleRefused(
                    f"the bundle {before.model.name}-{before.model.version} was changed where it lies: its digest was "
                    f"{before.model.digest} and is {now.model.digest}; put it back, or reload axi-edge to use this one"
                )

    def views(
        self, batch: Batch, progressed: Callable[[], None], ahead: Sequence[Batch] = ()
    ) -> Generator[Verdict, None, None]:
        """One verdict for each joint, in order. Raises JudgeLost, and OSError when the disk fails there."""
        turns = [_Turn(batch.key, batch.job, batch.folder, part) for part in batch.left]
        later = [_Turn(other.key, other.job, other.folder, part) for other in ahead for part in other.left]
        for work in [*self._works.values()]:
            if not any(work.turn.is_as(turn) for turn in (*turns, *later)):
                self._leave(work)
        for number, turn in enumerate(turns, 1):
            following = [*turns[number:], *later]
            self._revive(progressed)
            work = self._at_its_turn(turn, progressed)
            self._hand_out(following)
            yield from self._verdicts(work, following, progressed)

    def _at_its_turn(self, turn: _Turn, progressed: Callable[[], None]) -> _Work:
        found = self._given(turn)
        if found is not None:
            if not found.missed and found.files == stamps_of(turn.part.view, turn.folder):
                found.turn = turn  # its folder lies elsewhere by now
                return found
            self._leave(found)
            self._revive(progressed)
        return self._give(self._free(progressed), turn, files=None)

    def _given(self, turn: _Turn) -> _Work | None:
        return next((work for work in self._works.values() if work.turn.is_as(turn)), None)

    def _leave(self, work: _Work) -> None:
        """Nobody waits for more of it. Whoever may still be at it is ended: nobody would notice it hang."""
        self._works.pop(work.number, None)
        if not work.whole and work.worker.owed:
            self._end(work.worker)

    def _revive(self, progressed: Callable[[], None]) -> None:
        """Start anew those that have died. Raises what keeps them from starting where none lives."""
        for worker in self._workers:
            if worker.pid is not None or (self.pids and self._clock() < self._revive_from):
                continue
            log.warning("judging process started anew")
            self._lose(worker)
            try:
                self._start([worker], progressed)
            except AxiError as error:
                if not self.pids:
                    raise
                self._revive_from = self._clock() + _REVIVE_EVERY_S
                details = {"problem": str(error), "left": len(self.pids)}
                log.error("judging process not started, the others go on", extra=details)  # noqa: TRY400

    def _free(self, progressed: Callable[[], None]) -> Worker:
        """A process without a task; where each is at what comes later, the first of these is waited for."""
        living = [worker for worker in self._workers if worker.pid is not None]
        while all(worker.owed for worker in living):
            first = next(iter(self._works.values()))
            self._hear(first.worker, progressed, first.doing)
        return next(worker for worker in living if not worker.owed)

    def _give(self, worker: Worker, turn: _Turn, files: Stamps | None) -> _Work:
        """``files``: as they were before, where its turn has not come yet."""
        work = _Work(next(self._numbers), turn, worker, files)
        worker.give(task_of(work.number, turn.job, turn.folder, turn.part, files))
        self._works[work.number] = work
        return work

    def _hand_out(self, following: Sequence[_Turn]) -> None:
        """Give processes without a task what comes next."""
        soon = following[: len(self._workers)]
        for turn in soon:
            idle = next((worker for worker in self._workers if not worker.owed and worker.pid is not None), None)
            if idle is None:
                return
            files = stamps_of(turn.part.view, turn.folder) if self._given(turn) is None else None
            if files is not None:
                try:
                    self._give(idle, turn, files)
                except JudgeLost:
                    self._lose(idle)

    def _verdicts(
        self, work: _Work, following: Sequence[_Turn], progressed: Callable[[], None]
    ) -> Generator[Verdict, None, None]:
        given = 0
        try:
            while given < len(work.turn.part.joints):
                while len(work.verdicts) == given:
                    self._hear(work.worker, progressed, work.doing)
                    if work.missed:
                        work = self._again(work)
                if work.whole:
                    self._hand_out(following)  # before these are written down
                fresh = work.verdicts[given:]
                given += len(fresh)
                yield from fresh
        finally:
            self._leave(work)

    def _again(self, missed: _Work) -> _Work:
        """What was looked at ahead in vain, now that its turn has come."""
        del self._works[missed.number]
        return self._give(missed.worker, missed.turn, files=None)

    def _hear(self, worker: Worker, progressed: Callable[[], None], doing: str) -> None:
        """The next word of a process, put to the work it is about. Raises JudgeLost and OSError."""
        try:
            reply = worker.word(progressed, doing)
        except JudgeLost:
            self._lose(worker)
            raise
        progressed()
        if isinstance(reply, Busy):
            return
        assert isinstance(reply, Judged | DiskTrouble | Missed)  # noqa: S101 - both ends are ours
        work = self._works.get(reply.number)
        if isinstance(reply, Judged):
            self.score_ms = reply.score_ms
            worker.owed = max(0, worker.owed - len(reply.verdicts))
            if work is not None:
                self._take(work, reply.verdicts)
            return
        worker.owed = 0
        if isinstance(reply, Missed) and work is not None:
            work.missed = True
        elif isinstance(reply, DiskTrouble) and work is not None:
            raise OSError(reply.errno, reply.text)

    def _take(self, work: _Work, verdicts: Sequence[Verdict]) -> None:
        expected = work.turn.part.joints[len(work.verdicts) :][: len(verdicts)]
        if [verdict.joint.id for verdict in verdicts] != [joint.id for joint in expected]:
            self._end(work.worker)
            raise JudgeLost(Reason.RUNTIME_CRASHED, f"the judging process answered out of turn at {work.doing}")
        work.verdicts += verdicts

    def _lose(self, worker: Worker) -> None:
        """Forget what this process was given."""
        self._works = {number: work for number, work in self._works.items() if work.worker is not worker}

    def _end(self, worker: Worker) -> None:
        self._lose(worker)
        worker.close(grace_s=0)

    def close(self) -> None:
        """End the processes: they leave by themselves when the connection closes, unless they hang."""
        for worker in self._workers:
            self._lose(worker)
            worker.hang_up()
        for worker in self._workers:
            worker.close()
