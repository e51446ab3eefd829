"""The judge in a process of its own: a hang or a crash of the runtime costs an attempt at a job, not the daemon."""

from __future__ import annotations

import logging
import os
import select
import subprocess
from collections.abc import Callable, Generator, Sequence
from multiprocessing.connection import Connection, Pipe

from edge.core.clocks import Monotonic
from edge.core.errors import AxiError, BundleRefused, ConfigError, JudgeLost
from edge.core.verdict import Reason, Verdict
from edge.judging.messages import (
    Busy,
    DiskTrouble,
    Judged,
    Load,
    Ready,
    Refused,
    Reply,
    Task,
    decode_reply,
    encode,
    packed,
)
from edge.judging.ports import Batch

log = logging.getLogger(__name__)

_KINDS: dict[str, type[AxiError]] = {"BundleRefused": BundleRefused, "ConfigError": ConfigError}
_MEGABYTE = 1024 * 1024
_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": str(32 * _MEGABYTE),
    "MALLOC_TRIM_THRESHOLD_": str(128 * _MEGABYTE),
}
"""Joints are what is done side by side there: threads inside a product of matrices would only be in their way. Images
come and go in every thread: with an arena each, freed memory would pile up, and given back to the system and asked for
again at every slice it cost a tenth of the cores' time."""
_TICK_S = 0.5
_GOODBYE_S = 2.0


class JudgeProcess:
    """Starts the process, hands it tasks, and replaces it when it hangs or dies. Use it from one thread.

    ``command``: the program, to which the number of the connection's descriptor is appended. ``joint_timeout_s``: the
    longest silence while it judges; it speaks when a slice is read and when joints are judged.
    """

    def __init__(
        self, command: Sequence[str], load: Load, clock: Monotonic, *, start_timeout_s: float, joint_timeout_s: float
    ) -> None:
        self._command, self._load, self._clock = tuple(command), load, clock
        self._start_timeout_s, self._joint_timeout_s = start_timeout_s, joint_timeout_s
        self._first: Ready | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self.score_ms = self.best_ms = 0.0

    @property
    def pid(self) -> int | None:
        """The process id, while there is one."""
        process = self._process  # asked for by other threads, too
        return process.pid if process is not None and process.poll() is None else None

    def start(self, progressed: Callable[[], None]) -> Ready:
        """Start afresh; the bundle is verified and replayed there.

        Raises BundleRefused or ConfigError as the process says, and when it is not the bundle of the first start;
        JudgeLost when it says nothing.
        """
        self.close()
        ours, theirs = Pipe()
        self._connection = ours
        with theirs:
            number = theirs.fileno()
            self._process = subprocess.Popen(
                [*self._command, str(number)],
                pass_fds=(number,),
                stdin=subprocess.DEVNULL,
                env={**os.environ, **_ENVIRONMENT},
            )
        self._send(self._load)
        reply = self._receive(self._start_timeout_s, progressed, "loading the bundle")
        if isinstance(reply, Refused):
            self.close()
            raise _KINDS.get(reply.kind, BundleRefused)(reply.text)
        assert isinstance(reply, Ready)  # noqa: S101 - both ends are ours
        self._require_the_same(reply)
        self.best_ms = reply.score_ms
        return reply

    def _require_the_same(self, ready: Ready) -> None:
        """Verdicts name the bundle that was served first: another that lies in its place now must not give them."""
        self._first = self._first or ready
        for before, now in zip(self._first.bundles, ready.bundles, strict=True):
            if before != now:
                self.close()
                raise BundleRefused(
                    f"the bundle {before.model.name}-{before.model.version} was changed where it lies: its digest was "
                    f"{before.model.digest} and is {now.model.digest}; put it back, or reload axi-edge to use this one"
                )

    def views(
        self, batch: Batch, progressed: Callable[[], None], ahead: Batch | None = None
    ) -> Generator[Verdict, None, None]:
        """One verdict for each joint, in order. Raises JudgeLost, and OSError when the disk fails there."""
        if self.pid is None:
            log.warning("judging process started anew")
            self.start(progressed)
        places = [(part.view.id, joint.id) for part in batch.left for joint in part.joints]
        given, in_step = 0, False
        try:
            self._send(Task(batch=packed(batch), ahead=None if ahead is None else packed(ahead)))
            while given < len(places):
                view, joint = places[given]
                reply = self._receive(self._joint_timeout_s, progressed, f"joint {joint} of view {view}")
                if isinstance(reply, Busy):
                    continue
                if isinstance(reply, DiskTrouble):
                    in_step = True
                    raise OSError(reply.errno, reply.text)
                self.score_ms = reply.score_ms if isinstance(reply, Judged) else 0.0
                verdicts = _verdicts(reply, [joint for _, joint in places[given:]])
                given += len(verdicts)
                progressed()
                for number, verdict in enumerate(verdicts, 1):
                    # Known before the last is given: nobody need ask for another.
                    in_step = given == len(places) and number == len(verdicts)
                    yield verdict
        finally:
            if not in_step:  # what it still has to say of this task must not be taken for the next one's
                self.close(grace_s=0)

    def _send(self, request: Load | Task) -> None:
        assert self._connection is not None  # noqa: S101
        try:
            self._connection.send_bytes(encode(request))
        except OSError as error:
            raise self._lost("taking a task") from error

    def _receive(self, limit_s: float, progressed: Callable[[], None], doing: str) -> Reply:
        assert self._connection is not None  # noqa: S101
        until = self._clock() + limit_s
        try:
            while not self._connection.poll(min(_TICK_S, limit_s)):
                if self._clock() >= until:
                    self.close(grace_s=0)
                    raise JudgeLost(Reason.TIMEOUT, f"the judging process did not answer within {limit_s} s at {doing}")
                progressed()  # waiting is bounded, and so no lack of progress
            return decode_reply(self._connection.recv_bytes())
        except (EOFError, ConnectionError) as error:
            raise self._lost(doing) from error

    def _lost(self, doing: str) -> JudgeLost:
        code = self._process.wait() if self._process is not None else 0
        self.close()
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return JudgeLost(Reason.RUNTIME_CRASHED, f"the judging process died ({how}) at {doing}")

    def close(self, *, grace_s: float = _GOODBYE_S) -> None:
        """End the process, if there is one: it leaves by itself when the connection closes, unless it hangs."""
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            if not _ended(self._process, grace_s):
                self._process.kill()
            self._process.wait()
        self._connection = self._process = None


def _ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait for its end, so long at most; was it seen?"""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], seconds)[0])
    finally:
        os.close(handle)


def _verdicts(reply: Reply, wanted: Sequence[str]) -> tuple[Verdict, ...]:
    if not isinstance(reply, Judged) or [verdict.joint.id for verdict in reply.verdicts] != list(
        wanted[: len(reply.verdicts)]
    ):
        raise JudgeLost(Reason.RUNTIME_CRASHED, f"the judging process answered out of turn at joint {wanted[0]}")
    return reply.verdicts
