"""A process that judges golden joints again and again, as the daemon's would, and counts: ``-m edge.qualify.work``.

Its input: a ``Load``, and a line with the seconds to work for. Its output: a line each second, as ``Second``.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice

import msgspec
from msgspec import Struct

from edge.core.job import Roi
from edge.core.preprocess import Slices
from edge.judging.decider import Decider
from edge.judging.loading import load_models
from edge.judging.messages import Load
from edge.judging.ports import Each

_TOGETHER = 8
"""Joints a thread between two looks at the clock."""


class Order(Struct, frozen=True):
    load: Load
    seconds: float


class Second(Struct, frozen=True):
    """What one process did in a second or so: ``times_ms`` of each joint."""

    spent_s: float
    times_ms: list[float]
    memory_mb: float


def _work(order: Order) -> Iterator[Second]:
    deciders = [(model.decider, model.bundle.golden) for model in load_models(order.load).models]
    joints = cycle([(decider, joint.slices, joint.roi) for decider, golden in deciders for joint in golden])
    with ThreadPoolExecutor(order.load.threads, "work") as pool:
        each: Each = map if order.load.threads == 1 else pool.map
        ends = time.monotonic() + order.seconds
        while (began := time.monotonic()) < ends:
            times = list[float]()
            while time.monotonic() < began + 1:
                times += each(_timed, islice(joints, _TOGETHER * order.load.threads))
            peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            yield Second(time.monotonic() - began, times, peak_kb / 1024)


def _timed(joint: tuple[Decider, Slices, Roi]) -> float:
    decider, slices, roi = joint
    started = time.perf_counter()
    decider.decision(slices, roi)
    return 1e3 * (time.perf_counter() - started)


def main() -> None:
    order = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Order)
    for second in _work(order):
        sys.stdout.buffer.write(msgspec.json.encode(second) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
