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
from collections.abc import Callable, Generator, Iterable
from contextlib import closing, suppress
from itertools import starmap
from multiprocessing.connection import Connection
from pathlib import Path

from edge.core.errors import BundleRefused, ConfigError
from edge.core.rules import OperatingPoint
from edge.core.verdict import Verdict
from edge.files import HeldFolder
from edge.judging.judge import Judge
from edge.judging.loading import LoadedModel, load_models
from edge.judging.messages import (
    Busy,
    DiskTrouble,
    Judged,
    Load,
    Missed,
    Ready,
    Refused,
    Reply,
    Served,
    Task,
    batch_of,
    decode_request,
    encode,
)
from edge.judging.ports import Batch
from edge.judging.stamps import Stamps, stamps_of
from edge.logs import set_up_logging

_PR_SET_PDEATHSIG = 1
_KILL_ME_FIRST = "500"
_TIMED = 5
_ALIVE_EVERY_S = 0.25
_HAND_ON_AFTER_S = 0.0001
"""One thread keeps the interpreter from the others so long at most. They give it back for a fraction of a millisecond
at a time, as they run the model or add up pixels: with Python's own 5 ms each of them then waited for longer than that
took, and a second core brought next to nothing."""
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
    sys.setswitchinterval(_HAND_ON_AFTER_S)
    set_up_logging(log_level)
    serve_with(Connection(descriptor), load)


def serve_with(connection: Connection, loaded: Callable[[Load], tuple[Ready, Judge]]) -> None:
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
            answer(task, judge, send)
    except (EOFError, ConnectionError):
        return  # the daemon has gone, or wants no more


def load(asked: Load) -> tuple[Ready, Judge]:
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
        created=model.bundle.card.lineage.created,
        joint_types=joint_types,
        signed=model.bundle.signed,
        golden_joints=model.replayed,
        operating_point=rule.name,
        thresholds=rule.thresholds,
        points=tuple(one for one in model.rules if isinstance(one, OperatingPoint)),
        grades=model.bundle.card.grades,
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


def answer(task: Task, judge: Judge, send: Callable[[Reply], None]) -> None:
    """Judge one view. Raises ConnectionError when nobody listens."""
    batch, alive = batch_of(task), _SignsOfLife(send)
    if task.files is None:
        try:
            _hand_over(task.number, judge.views(batch, alive), judge, send)
        except ConnectionError:
            raise
        except OSError as error:
            send(DiskTrouble(number=task.number, errno=error.errno or 0, text=str(error)))
        return
    verdicts = _foreseen(batch, task.files, judge, alive)
    if verdicts is None:
        send(Missed(number=task.number))
    else:
        _hand_over(task.number, verdicts, judge, send)


def _foreseen(
    batch: Batch, files: Stamps, judge: Judge, progressed: Callable[[], None]
) -> Generator[Verdict, None, None] | None:
    """The verdicts on a view whose turn has not come; None where it cannot be read, or has other files by now."""
    try:
        with closing(HeldFolder(batch.folder)) as folder:  # it is moved as soon as its turn comes
            # Asked through the handle: by now another job's folder may lie where this one was.
            if stamps_of(batch.left[0].view, folder.path) != files:
                return None
            return judge.foreseen(batch._replace(folder=folder.path), progressed)
    except OSError:
        return None


def _hand_over(number: int, verdicts: Iterable[Verdict], judge: Judge, send: Callable[[Reply], None]) -> None:
    held: list[Verdict] = []
    until = time.monotonic() + _HAND_OVER_EVERY_S
    for verdict in verdicts:
        held.append(verdict)
        if time.monotonic() >= until:
            send(Judged(number=number, verdicts=tuple(held), score_ms=judge.score_ms))
            held, until = [], time.monotonic() + _HAND_OVER_EVERY_S
    if held:
        send(Judged(number=number, verdicts=tuple(held), score_ms=judge.score_ms))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
