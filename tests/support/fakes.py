"""Stand-ins for the outside world. The contract tests hold them to the same behaviour as the real parts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import count
from pathlib import Path

import numpy as np

from edge.core.decide import Answer, Output
from edge.core.errors import BrokerUnavailable, JudgeLost, SliceError
from edge.core.job import ImageFormat, SliceFile
from edge.core.preprocess import Patch, Picture
from edge.core.verdict import Reason
from edge.core.wire import Message
from edge.jobs.folder import ClaimedJob
from edge.judging.judge import Judge
from edge.judging.messages import Ready, Reply, Task
from edge.judging.process import answer
from edge.reporting.ports import Outcome
from edge.upkeep.ports import Free


class FakeSpool:
    """Jobs in memory; ``finished`` and ``rejected`` hold folder names."""

    def __init__(self, jobs: Sequence[ClaimedJob]) -> None:
        self.waiting = list(jobs)
        self.work: list[ClaimedJob] = []
        self.finished: list[str] = []
        self.rejected: dict[str, str] = {}

    def claim(self) -> ClaimedJob | None:
        if not self.work and self.waiting:
            self.work.append(self.waiting.pop(0))
        return self.work[0] if self.work else None

    def peek(self, most: int) -> list[ClaimedJob]:
        return self.waiting[:most]

    def finish(self, job: ClaimedJob) -> None:
        self.work.remove(job)
        self.finished.append(job.folder.name)

    def reject(self, job: ClaimedJob, reason: str) -> None:
        self.work.remove(job)
        self.rejected[job.folder.name] = reason


class FakeBroker:
    """Keeps what it acknowledged; can be down, refuse messages, or drop the connection after some."""

    def __init__(self) -> None:
        self.up = True
        self.delivered: list[Message] = []
        self.refuse = ""
        self.hang_up_on = ""
        self.break_after: int | None = None
        self.retained: dict[str, bytes] = {}
        self.last_words = "connection lost"
        self.sessions: list[FakeSession] = []

    def connect(self, will: Message) -> FakeSession:
        if not self.up:
            raise BrokerUnavailable("broker is down")
        self.sessions.append(FakeSession(self, will))
        return self.sessions[-1]


class FakeSession:
    def __init__(self, broker: FakeBroker, will: Message) -> None:
        self._broker, self._will = broker, will
        self._open = True

    @property
    def alive(self) -> bool:
        return self._open and self._broker.up

    @property
    def ended(self) -> str:
        return "" if self.alive else self._broker.last_words

    def publish(self, messages: Sequence[Message]) -> list[Outcome]:
        outcome = []
        for message in messages:
            if self._broker.break_after is not None:
                if self._broker.break_after == 0:
                    self._broker.break_after, self._open = None, False
                    self._keep(self._will)
                else:
                    self._broker.break_after -= 1
            if self._broker.hang_up_on and self._broker.hang_up_on in message.topic:
                self._open = False
            if not self.alive:
                outcome.append(Outcome.UNKNOWN)
            elif self._broker.refuse and self._broker.refuse in message.topic:
                outcome.append(Outcome.REFUSED)
            else:
                self._keep(message)
                outcome.append(Outcome.ACKNOWLEDGED)
        return outcome

    def _keep(self, message: Message) -> None:
        self._broker.delivered.append(message)
        if message.retain:
            self._broker.retained[message.topic] = message.payload

    def close(self) -> None:
        self._open = False


class FakeReader:
    """Slices that brighten to the right, or the trouble that ``trouble`` names for a file."""

    def __init__(
        self, trouble: dict[str, Reason] | None = None, shapes: dict[str, tuple[int, int]] | None = None
    ) -> None:
        self.trouble, self.shapes = trouble or {}, shapes or {}
        self.read: list[str] = []
        self.blank: set[str] = set()
        self.coloured: set[str] = set()

    def __call__(self, folder: Path, part: SliceFile, image: ImageFormat) -> Picture:
        self.read.append(part.file)
        if part.file in self.trouble:
            raise SliceError(self.trouble[part.file], f"{part.file}: as told")
        height, width = self.shapes.get(part.file, (96, 96))
        if part.file in self.blank:
            return Picture(np.full((height, width), 100, np.uint8))
        grey = np.broadcast_to(2 * np.arange(width, dtype=np.uint8) + np.uint8(part.index), (height, width))
        return Picture(grey, part.file in self.coloured)


class FakeScorer:
    """Says the same of every joint; ``outputs`` are used up first."""

    exact = True

    def __init__(self, output: Output, outputs: Sequence[Output] = ()) -> None:
        self._output, self._outputs = output, list(outputs)

    def run(self, patch: Patch) -> Answer:
        return Answer(self._outputs.pop(0) if self._outputs else self._output)


class FakeWorker:
    """Whoever judges, as a process that lives here. ``late``: a task is begun when its first word is asked for;
    ``dies_at``: the words, counted over its lives, that it dies at; ``died_over``: the jobs that it was at then.
    """

    def __init__(self, judge: Judge, *, late: bool = False, dies_at: Collection[int] = ()) -> None:
        self._judge, self._late, self._dies_at = judge, late, dies_at
        self._words = count()
        self.tasks: list[tuple[Task, list[Reply]]] = []
        self.pid: int | None = None
        self.unstartable = self.takes_one = self.deaf = False
        self.died_over: list[str] = []

    def launch(self) -> None:
        self.close()
        self.deaf = False
        if self.unstartable:
            raise JudgeLost(Reason.RUNTIME_CRASHED, "cannot be started")
        self.pid = 1

    def ready(self, progressed: Callable[[], None]) -> Ready:
        progressed()
        return Ready(bundles=(), runtime="none", score_ms=1.0)

    def give(self, task: Task) -> None:
        assert not self.tasks, "it is still at another"
        self.queue(task)

    def queue(self, task: Task) -> bool:
        if self.deaf:
            self.died_over += [other.job.job_id for other, _ in self.tasks[:1]]
            self.close()
            raise JudgeLost(Reason.RUNTIME_CRASHED, "it takes nothing more")
        assert self.pid is not None
        if self.tasks and self.takes_one:
            return False
        self.tasks.append((task, []))
        if not self._late:
            self._do(*self.tasks[-1])
        return True

    def _do(self, task: Task, replies: list[Reply]) -> None:
        answer(task, self._judge, replies.append)

    def word(self, progressed: Callable[[], None], doing: str) -> Reply:
        progressed()
        if self.pid is None:
            raise JudgeLost(Reason.RUNTIME_CRASHED, f"gone at {doing}")
        task, replies = self.tasks[0]
        if next(self._words) in self._dies_at:
            self.died_over.append(task.job.job_id)
            self.close()
            raise JudgeLost(Reason.RUNTIME_CRASHED, f"died at {doing}")
        if not replies:
            self._do(task, replies)
        reply = replies.pop(0)
        if not replies:
            del self.tasks[0]
        return reply

    def hang_up(self) -> None:
        """It would end by itself."""

    def close(self, *, grace_s: float = 0) -> None:
        assert grace_s >= 0
        self.pid, self.tasks = None, []


class FakeHost:
    """A machine whose disks are as empty as a test says."""

    def __init__(self) -> None:
        self.room = Free(10**12, 10**9)

    def free(self, path: Path) -> Free:
        return self.room

    def memory(self, pids: Sequence[int]) -> int:
        return 100_000_000 * len(pids)

    def temperature_c(self) -> float | None:
        return 51.5
