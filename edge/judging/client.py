"""The judge in processes of its own: a hang or a crash of the runtime costs an attempt at a job, not the daemon.

Each view is one process' task. While one's verdicts are waited for, written down and their job is filed, the others are
at the views whose turn comes next, of this job and of those that wait: several processes, because in one the
interpreter's lock would keep threads that crop and decode from the other cores.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress

from edge.core.clocks import Monotonic
from edge.core.errors import AxiError, BundleRefused, JudgeLost
from edge.core.verdict import Reason, Verdict
from edge.judging.messages import Busy, DiskTrouble, Judged, Missed, Ready
from edge.judging.ports import Batch
from edge.judging.stamps import Stamps, stamps_of
from edge.judging.worker import Worker
from edge.judging.works import Turn, Work, Works

log = logging.getLogger(__name__)

_AT_ONCE = 2
"""Views that a process has been given: the one it is at, and the next, so that it need not wait for the daemon, which
writes down verdicts and files jobs meanwhile."""
_REVIVE_EVERY_S = 60.0
"""How often it is tried to start a process anew beside others that live, where that failed."""


class Judges:
    """Starts the processes, hands them views, and replaces those that hang or die. Use it from one thread."""

    def __init__(self, workers: Sequence[Worker], clock: Monotonic) -> None:
        self._workers, self._clock = tuple(workers), clock
        self._revive_from = 0.0
        self._works = Works()
        self._first: Ready | None = None
        self.score_ms = self.best_ms = 0.0

    @property
    def looks_ahead(self) -> int:
        return _AT_ONCE * len(self._workers)

    @property
    def pids(self) -> list[int]:
        """Of the processes that there are."""
        return [pid for worker in self._workers if (pid := worker.pid) is not None]

    @property
    def _living(self) -> list[Worker]:
        return [worker for worker in self._workers if worker.pid is not None]

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
        turns = [Turn(batch.key, batch.job, batch.folder, part) for part in batch.left]
        later = [Turn(other.key, other.job, other.folder, part) for other in ahead for part in other.left]
        for work in self._works:
            if not any(work.turn.is_as(turn) for turn in (*turns, *later)):
                self._leave(work)
        for number, turn in enumerate(turns, 1):
            following = [*turns[number:], *later]
            self._revive(progressed)
            work = self._at_its_turn(turn, progressed)
            self._hand_out(following)
            yield from self._verdicts(work, following, progressed)

    def _at_its_turn(self, turn: Turn, progressed: Callable[[], None]) -> Work:
        """That turn's work, which its process is at by now: should that die, it is for this turn's sake."""
        while (found := self._works.of(turn)) is not None and self._works.waits(found):
            self._hear_of_others(found.worker, progressed)
        if found is not None:
            if not found.missed and found.files == stamps_of(turn.part.view, turn.folder):
                found.turn = turn  # its folder lies elsewhere by now
                return found
            self._leave(found)
        return self._give(turn, progressed)

    def _leave(self, work: Work) -> None:
        """Nobody waits for more of it. Whoever may still be at it is ended: nobody would notice it hang."""
        if self._works.remove(work) and not work.ended:
            self._end(work.worker)

    def _revive(self, progressed: Callable[[], None]) -> None:
        """Start anew those that have died. Raises what keeps them from starting where none lives."""
        problem: AxiError | OSError | None = None
        for worker in self._workers:
            if worker.pid is not None:
                continue
            self._works.forget(worker)
            if self.pids and self._clock() < self._revive_from:
                continue
            log.warning("judging process started anew")
            try:
                self._start([worker], progressed)
            except (AxiError, OSError) as error:  # the latter: the system has no room for another process
                problem = error
                self._revive_from = self._clock() + _REVIVE_EVERY_S
        if problem is None:
            return
        if not self.pids:
            raise problem
        log.error(
            "judging process not started, the others go on", extra={"problem": str(problem), "left": len(self.pids)}
        )

    def _free(self, progressed: Callable[[], None]) -> Worker:
        """A process without a task; where each is at what comes later, the first of these is waited for."""
        while True:
            self._revive(progressed)
            for worker in self._living:
                if not self._works.tasks(worker):
                    return worker
            self._hear_of_others(self._works.first().worker, progressed)

    def _give(self, turn: Turn, progressed: Callable[[], None]) -> Work:
        """A turn that has come. A process that cannot even be given it was lost before, and not over it."""
        left = len(self._workers)
        while True:
            work = self._works.new(turn, self._free(progressed))
            try:
                work.worker.give(work.task)
            except JudgeLost:
                self._works.forget(work.worker)
                left -= 1
                if left < 0:
                    raise
            else:
                self._works.enter(work)
                return work

    def _give_ahead(self, worker: Worker, turn: Turn, files: Stamps) -> bool:
        """A turn that is still to come; False where it is too large to wait behind what that process is at."""
        work = self._works.new(turn, worker, files)
        if not self._works.tasks(worker):
            worker.give(work.task)
        elif not worker.queue(work.task):
            return False
        self._works.enter(work)
        return True

    def _hand_out(self, following: Sequence[Turn]) -> None:
        """Give processes that have little to do what comes next."""
        for turn in following[: self.looks_ahead]:
            if self._works.of(turn) is not None:
                continue
            worker = min(self._living, key=lambda one: len(self._works.tasks(one)), default=None)
            if worker is None or len(self._works.tasks(worker)) >= _AT_ONCE:
                return
            files = stamps_of(turn.part.view, turn.folder)
            if files is None:
                continue
            try:
                if not self._give_ahead(worker, turn, files):
                    return
            except JudgeLost:
                self._works.forget(worker)

    def _verdicts(
        self, work: Work, following: Sequence[Turn], progressed: Callable[[], None]
    ) -> Generator[Verdict, None, None]:
        given = 0
        try:
            while given < len(work.turn.part.joints):
                while len(work.verdicts) == given:
                    self._hear(work.worker, progressed, work.doing)
                    if work.missed:  # now that its turn has come
                        self._leave(work)
                        work = self._give(work.turn, progressed)
                if work.whole:
                    self._hand_out(following)  # before these are written down
                fresh = work.verdicts[given:]
                given += len(fresh)
                yield from fresh
        finally:
            self._leave(work)

    def _hear_of_others(self, worker: Worker, progressed: Callable[[], None]) -> None:
        """The next word about what comes later. Where its process dies over that, it is tried again at its turn."""
        with suppress(JudgeLost):
            self._hear(worker, progressed, self._works.tasks(worker)[0].doing)

    def _hear(self, worker: Worker, progressed: Callable[[], None], doing: str) -> None:
        """The next word of a process, put to the work it is about. Raises JudgeLost and OSError."""
        try:
            reply = worker.word(progressed, doing)
        except JudgeLost:
            self._works.forget(worker)
            raise
        progressed()
        if isinstance(reply, Busy):
            return
        assert isinstance(reply, Judged | DiskTrouble | Missed)  # noqa: S101 - both ends are ours
        work = self._works.tasks(worker)[0]
        if reply.number != work.number:
            raise self._out_of_turn(work)
        if isinstance(reply, Judged):
            self.score_ms = reply.score_ms
            self._take(work, reply.verdicts)
        elif isinstance(reply, Missed):
            work.missed = True
        else:
            work.failed = True
            raise OSError(reply.errno, reply.text)

    def _take(self, work: Work, verdicts: Sequence[Verdict]) -> None:
        expected = work.turn.part.joints[len(work.verdicts) :][: len(verdicts)]
        if [verdict.joint.id for verdict in verdicts] != [joint.id for joint in expected]:
            raise self._out_of_turn(work)
        work.verdicts += verdicts

    def _out_of_turn(self, work: Work) -> JudgeLost:
        self._end(work.worker)
        return JudgeLost(Reason.RUNTIME_CRASHED, f"the judging process answered out of turn at {work.doing}")

    def _end(self, worker: Worker) -> None:
        self._works.forget(worker)
        worker.close(grace_s=0)

    def close(self) -> None:
        """End the processes: they leave by themselves when the connection closes, unless they hang."""
        for worker in self._workers:
            self._works.forget(worker)
            worker.hang_up()
        for worker in self._workers:
            worker.close()
