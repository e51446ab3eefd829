"""A lot on disk: job folders as a machine would leave them, or shards of ready patches; the truth beside them.

``jobs``: ``DIR/<job_id>/`` holds manifest.json and the slices. ``patches``: ``DIR/shards/NNNNN.npy`` hold uint8
(n, size, size, channels), in the order of the truth, and ``DIR/lot.json`` says what they are. Both have
``DIR/truth.csv``, one row a joint. The same plan gives the same bytes. Memory holds one board (jobs) or one shard
(patches) a worker, however large the lot.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import cv2
import msgspec
import numpy as np

from convert.lots.shards import LOT, SHARDS, LotFile, Shard
from convert.lots.truth import TruthRow, truth_writer
from convert.simulator.boards import require_new, write_job
from convert.simulator.plan import LotPlan
from convert.simulator.xray.board import as_read, board_views, kind_of, machine_of
from edge.core.preprocess import Patch, PreprocessSpec, prepare
from edge.files import digest_file

_SHARD_JOINTS = 512
_BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")


class _Part(NamedTuple):
    """What one worker's task leaves: the truth of its joints, and its shard where it wrote one."""

    rows: list[TruthRow]
    shard: Shard | None


def simulate_lot(out: Path, plan: LotPlan, workers: int | None = None) -> Iterator[int]:
    """Write a lot into the new or empty folder ``out``; yields the number of joints of each part that is done.

    Raises UsageError when the folder holds something already.
    """
    require_new(out)
    (out if plan.form == "jobs" else out / SHARDS).mkdir(parents=True, exist_ok=True)
    shards: list[Shard] = []
    with truth_writer(out) as write:
        for part in _parts(out, plan, workers):
            write(part.rows)
            shards += [part.shard] if part.shard else []
            yield len(part.rows)
    if plan.form == "patches":
        about = LotFile(preprocess=PreprocessSpec(), origin=asdict(plan), shards=tuple(shards))
        (out / LOT).write_bytes(msgspec.json.format(msgspec.json.encode(about)) + b"\n")


def _parts(out: Path, plan: LotPlan, workers: int | None) -> Iterator[_Part]:
    """Every part in order, a few in flight."""
    tasks = _tasks(plan)
    workers = workers or min(os.cpu_count() or 1, len(tasks))
    write = _write_job if plan.form == "jobs" else _write_shard
    # Forking this process is safe only before TensorFlow starts its threads, and who knows: so a small server forks.
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with _one_thread_each(), ProcessPoolExecutor(workers, mp_context=context, initializer=_one_thread) as pool:
        running: deque[Future[_Part]] = deque()
        for number, boards in enumerate(tasks):
            running.append(pool.submit(write, out, plan, number, boards))
            if len(running) > 2 * workers:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()


def _tasks(plan: LotPlan) -> list[range]:
    """Boards, a part each: one for a job, as many as make a handy file for a shard."""
    each = 1 if plan.form == "jobs" else max(1, _SHARD_JOINTS * plan.boards // plan.joints)
    return [range(start, min(plan.boards, start + each)) for start in range(0, plan.boards, each)]


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes started meanwhile multiply matrices in one thread: they share the cores already."""
    before = {name: os.environ.get(name) for name in _BLAS_THREADS}
    os.environ.update(dict.fromkeys(_BLAS_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _one_thread() -> None:
    cv2.setNumThreads(1)


def _write_job(out: Path, plan: LotPlan, _number: int, boards: range) -> _Part:
    """One board's job folder."""
    (board,) = boards
    kind = kind_of(plan, board)
    rows = write_job(out, plan, board, kind.name, machine_of(kind), list(board_views(plan, board)))
    return _Part(rows, None)


def _write_shard(out: Path, plan: LotPlan, number: int, boards: range) -> _Part:
    """The patches of some boards, cut out as the device cuts them."""
    spec = PreprocessSpec()
    rows: list[TruthRow] = []
    patches: list[Patch] = []
    for board in boards:
        kind = kind_of(plan, board)
        for board_view in board_views(plan, board):
            slices = as_read(board_view.images, kind, spec)
            patches += [prepare(spec, slices, joint.roi) for joint in board_view.joints]
            rows += board_view.rows
    path = out / SHARDS / f"{number:05d}.npy"
    np.save(path, np.stack(patches))
    return _Part(rows, Shard(path.name, len(rows), digest_file(path)))
