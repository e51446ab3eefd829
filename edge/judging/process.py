"""The process that judges: ``python -m edge.judging.process LOG_LEVEL FD``.

It reads images and runs models, so that neither can take the daemon along when it hangs or crashes.

It lives as long as the daemon: the daemon's end of the connection closes with it, and Linux kills it should it hang.
"""

from __future__ import annotations

import ctypes
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import starmap
from multiprocessing.connection import Connection
from pathlib import Path

from edge.core.errors import BundleRefused, ConfigError
from edge.core.verdict import Verdict
from edge.judging.loading import LoadedModel, load_models
from edge.judging.messages import (
    Busy,
    DiskTrouble,
    Judged,
    Load,
    Ready,
    Refused,
    Reply,
    Served,
    Task,
    decode_request,
    encode,
    unpacked,
)
from edge.judging.ports import Judging
from edge.logs import set_up_logging

_PR_SET_PDEATHSIG = 1
_KILL_ME_FIRST = "500"
_TIMED = 5
_ALIVE_EVERY_S = 0.25
_HAND_OVER_EVERY_S = 0.1
"""Verdicts are handed over a view at a time, or this often: each hand-over costs both sides some time."""


def main(log_level: str, descriptor: int) -> None:
    """Serve the daemon at the other end of ``descriptor`` until it closes."""
    for stop in (
        signal.SIGTERM,
        signal.SIGINT,
        signal.SIGHUP,
    ):  # sent to the whole group; the daemon says when it is over
        signal.signal(stop, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    Path("/proc/self/oom_score_adj").write_text(_KILL_ME_FIRST)
    set_up_logging(log_level)
    serve_with(Connection(descriptor), load)


def serve_with(connection: Connection, loaded: Callable[[Load], tuple[Ready, Judging]]) -> None:
    """Load what is asked for, then judge task after task."""

    one_at_a_time = threading.Lock()

    def send(reply: Reply) -> None:
        with one_at_a_time:
            connection.send_bytes(encode(reply))

    try:
        first = decode_request(connection.recv_bytes())
        assert isinstance(first, Load)  # noqa: S101 - both ends are ours
        try:
            ready, judge = loaded(first)
        except (BundleRefused, ConfigError) as error:
            send(Refused(kind=type(error).__name__, text=str(error)))
            return
        send(ready)
        while True:
            task = decode_request(connection.recv_bytes())
            assert isinstance(task, Task)  # noqa: S101
            _judge(task, judge, send)
    except (EOFError, ConnectionError):
        return  # the daemon has gone, or wants no more


def load(asked: Load) -> tuple[Ready, Judging]:
    """The bundles that the daemon asks for, verified and replayed. Raises BundleRefused or ConfigError."""
    loaded = load_models(asked)
    runtime = loaded.models[0].runtime
    ready = Ready(
        bundles=tuple(starmap(_served, zip(loaded.models, loaded.joint_types, strict=True))),
        runtime=f"{runtime.name} {runtime.version}",
        score_ms=max(_best_ms(model) for model in loaded.models),
    )
    return ready, loaded.judge


def _served(model: LoadedModel, joint_types: tuple[str, ...]) -> Served:
    rule = model.decider.rule
    return Served(
        model=model.bundle.reference,
        joint_types=joint_types,
        signed=model.bundle.signed,
        golden_joints=model.replayed,
        operating_point=rule.name,
        thresholds=rule.thresholds,
    )


def _best_ms(model: LoadedModel) -> float:
    """What the model takes for a golden joint, at best of a few."""
    spent = []
    for _ in range(_TIMED):
        started = time.monotonic()
        model.scorer.run(model.bundle.golden[0].patch)
        spent.append(time.monotonic() - started)
    return 1e3 * min(spent)


class _SignsOfLife:
    """Says that slices are being read, now and then. Verdicts speak for themselves."""

    def __init__(self, send: Callable[[Reply], None]) -> None:
        self._send, self._due = send, time.monotonic() + _ALIVE_EVERY_S

    def __call__(self) -> None:
        now = time.monotonic()
        if now >= self._due:
            self._due = now + _ALIVE_EVERY_S
            with suppress(ConnectionError):  # whoever waits for verdicts will see it, too
                self._send(Busy())


def _judge(task: Task, judge: Judging, send: Callable[[Reply], None]) -> None:
    ahead = None if task.ahead is None else unpacked(task.ahead)
    batch = unpacked(task.batch)
    verdicts = judge.views(batch, _SignsOfLife(send), ahead)
    try:
        for part in batch.left:
            held: list[Verdict] = []
            until = time.monotonic() + _HAND_OVER_EVERY_S
            for number in range(1, len(part.joints) + 1):
                held.append(next(verdicts))
                if number == len(part.joints) or time.monotonic() >= until:
                    send(Judged(verdicts=tuple(held), score_ms=judge.score_ms))
                    held, until = [], time.monotonic() + _HAND_OVER_EVERY_S
    except ConnectionError:
        raise
    except OSError as error:
        send(DiskTrouble(errno=error.errno or 0, text=str(error)))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
