"""A process that judges: started, given a task, listened to, and ended."""

from __future__ import annotations

import os
import select
import socket
import struct
import subprocess
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, Pipe
from pathlib import Path

from edge.core.blas import blas_environment
from edge.core.clocks import Monotonic
from edge.core.errors import AxiError, BundleRefused, ConfigError, JudgeLost
from edge.core.verdict import Reason
from edge.judging.messages import Load, Ready, Refused, Reply, Task, decode_reply, encode

_KINDS: dict[str, type[AxiError]] = {"BundleRefused": BundleRefused, "ConfigError": ConfigError}
_MEGABYTE = 1024 * 1024
_ENVIRONMENT = {
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": str(32 * _MEGABYTE),
    "MALLOC_TRIM_THRESHOLD_": str(128 * _MEGABYTE),
}
"""Images come and go in every thread: with an arena each, freed memory would pile up, and given back to the system and
asked for again at every slice it cost a tenth of the cores' time."""
_WAITING_BYTES = 32 * 1024
"""Linux holds at least 64 KiB for each direction of a connection, whatever small messages cost it."""
_TICK_S = 0.5
_GOODBYE_S = 2.0


def judging_environment() -> dict[str, str]:
    """Of a process that judges beside others."""
    return {**os.environ, **blas_environment(_cpuinfo(), os.environ), **_ENVIRONMENT}


class Worker:
    """One process. Use it from one thread.

    ``command``: the program, to which the number of the connection's descriptor is appended. ``joint_timeout_s``: the
    longest silence while it judges; it speaks when a slice is read and when joints are judged.
    """

    def __init__(
        self, command: Sequence[str], load: Load, clock: Monotonic, *, start_timeout_s: float, joint_timeout_s: float
    ) -> None:
        self._command, self._load, self._clock = tuple(command), load, clock
        self._start_timeout_s, self._joint_timeout_s = start_timeout_s, joint_timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._launched = 0.0

    @property
    def pid(self) -> int | None:
        """The process id, while there is one."""
        process = self._process  # asked for by other threads, too
        return process.pid if process is not None and process.poll() is None else None

    def launch(self) -> None:
        """Start afresh; ``ready`` says how that went."""
        self.close()
        ours, theirs = Pipe()
        _limit_sending(ours, self._joint_timeout_s)
        self._connection, self._launched = ours, self._clock()
        with theirs:
            number = theirs.fileno()
            self._process = subprocess.Popen(
                [*self._command, str(number)],
                pass_fds=(number,),
                stdin=subprocess.DEVNULL,
                env=judging_environment(),
            )
        self._send(encode(self._load))

    def ready(self, progressed: Callable[[], None]) -> Ready:
        """What it serves, once the bundles are verified and replayed there.

        Raises BundleRefused or ConfigError as the process says, JudgeLost when it says nothing.
        """
        left_s = self._launched + self._start_timeout_s - self._clock()  # others may have been waited for
        reply = self._receive(max(0.0, left_s), progressed, "loading the bundle")
        if isinstance(reply, Refused):
            self.close()
            raise _KINDS.get(reply.kind, BundleRefused)(reply.text)
        assert isinstance(reply, Ready)  # noqa: S101 - both ends are ours
        return reply

    def give(self, task: Task) -> None:
        """What it is to do now. Raises JudgeLost."""
        self._send(encode(task))

    def queue(self, task: Task) -> bool:
        """What it is to do after what it is at. Raises JudgeLost.

        False where it is too large to wait in the connection: sending would last until it is taken, and whoever sends
        would not listen meanwhile.
        """
        raw = encode(task)
        if len(raw) > _WAITING_BYTES:
            return False
        self._send(raw)
        return True

    def word(self, progressed: Callable[[], None], doing: str) -> Reply:
        """The next thing it says. Raises JudgeLost when it hangs or died; ``doing``: at what."""
        return self._receive(self._joint_timeout_s, progressed, doing)

    def _send(self, request: bytes) -> None:
        if self._connection is None:
            raise self._lost("taking a task")
        try:
            self._connection.send_bytes(request)
        except OSError as error:
            raise self._lost("taking a task") from error

    def _receive(self, limit_s: float, progressed: Callable[[], None], doing: str) -> Reply:
        if self._connection is None:  # it was lost as it was given something else
            raise self._lost(doing)
        until = self._clock() + limit_s
        try:
            while not self._connection.poll(min(_TICK_S, limit_s)):
                if self._clock() >= until:
                    self.close(grace_s=0)
                    raise JudgeLost(Reason.TIMEOUT, f"the judging process did not answer within {limit_s} s at {doing}")
                progressed()  # waiting is bounded, and so no lack of progress
            return decode_reply(self._connection.recv_bytes())
        except (EOFError, OSError) as error:  # also in the middle of a word
            raise self._lost(doing) from error

    def _lost(self, doing: str) -> JudgeLost:
        process = self._process
        self.close()  # it may have stopped listening, and live
        code = process.returncode if process is not None else 0
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return JudgeLost(Reason.RUNTIME_CRASHED, f"the judging process died ({how}) at {doing}")

    def hang_up(self) -> None:
        """It is to end; ``close`` waits for that."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self, *, grace_s: float = _GOODBYE_S) -> None:
        """End the process, if there is one: it leaves by itself when the connection closes, unless it hangs."""
        self.hang_up()
        if self._process is not None:
            if not _ended(self._process, grace_s):
                self._process.kill()
            self._process.wait()
        self._process = None


def _cpuinfo() -> str:
    try:
        return Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""


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


def _limit_sending(connection: Connection, seconds: float) -> None:
    """A process that takes nothing any more, and a task larger than the kernel holds, are an error then, not a wait."""
    whole = int(seconds)
    limit = struct.pack("@ll", whole, int(1e6 * (seconds - whole)))
    with socket.socket(fileno=os.dup(connection.fileno())) as end:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
