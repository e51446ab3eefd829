"""Work for a while on every process: how fast, how hot, how large, and does it last?"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from edge.adapters.host import LinuxHost
from edge.core.errors import ConfigError
from edge.core.qualification import Sustained
from edge.judging.messages import Load
from edge.judging.worker import judging_environment
from edge.qualify.work import Order, Second

_COMMAND = (sys.executable, "-m", "edge.qualify.work")
_PATIENCE_S = 60.0
_PART = 6
"""The first and the last of so many parts of the time are compared."""
_COUNTS = "sys/devices/system/cpu/cpu*/thermal_throttle/*_throttle_count"
_FLAGS = "sys/devices/platform/soc/*firmware/get_throttled"
_NOW = 0xF
"""Of a Raspberry Pi's flags those that tell what is so now: too little voltage, a capped clock, throttled, too hot."""


class Watch(NamedTuple):
    """What the processor says of having been slowed down. ``root``: where /sys is looked for."""

    host: LinuxHost
    root: Path = Path("/")

    def counts(self) -> list[int]:
        """How often each core of an Intel processor was, since the start."""
        return [int(path.read_text()) for path in self.root.glob(_COUNTS)]

    def flags(self) -> list[int]:
        """Is a Raspberry Pi slowed down at this moment? 0: it is not."""
        return [int(path.read_text(), 16) & _NOW for path in self.root.glob(_FLAGS)]


def sustained(load: Load, processes: int, seconds: float, progress: Callable[[float], None], watch: Watch) -> Sustained:
    """Run so many processes with these bundles. ``progress``: is told after each second how many joints a second.

    Raises ConfigError where one of them fails.
    """
    order = msgspec.msgpack.encode(Order(load, seconds))
    before, hottest, flags = watch.counts(), list[float](), watch.flags()

    def looked(second: Second) -> None:
        progress(len(second.times_ms) / second.spent_s * processes)
        if (degrees := watch.host.temperature_c()) is not None:
            hottest.append(degrees)
        flags.extend(watch.flags())

    with ThreadPoolExecutor(processes, "sustained") as pool:
        looks = [looked, *[_nothing] * (processes - 1)]
        runs = list(pool.map(lambda look: _run(order, seconds, look), looks))
    times = np.array([ms for run in runs for second in run for ms in second.times_ms])
    return Sustained(
        seconds=seconds,
        joints=len(times),
        joints_per_s=round(sum(_rate(run) for run in runs), 1),
        first_per_s=round(sum(_rate(run[: _part(run)]) for run in runs), 1),
        last_per_s=round(sum(_rate(run[-_part(run) :]) for run in runs), 1),
        median_ms=round(float(np.median(times)), 3),
        p99_ms=round(float(np.percentile(times, 99)), 3),
        memory_mb=round(sum(max(second.memory_mb for second in run) for run in runs), 1),
        temperature_c=max(hottest, default=None),
        throttled=any(flags) or watch.counts() != before if flags or before else None,
    )


def _nothing(_second: Second) -> None:
    pass


def _part(run: Sequence[Second]) -> int:
    return max(len(run) // _PART, 1)


def _rate(run: Sequence[Second]) -> float:
    return sum(len(second.times_ms) for second in run) / sum(second.spent_s for second in run)


def _run(order: bytes, seconds: float, look: Callable[[Second], None]) -> list[Second]:
    found = list[Second]()
    with tempfile.TemporaryFile("w+", errors="replace") as errors:
        with subprocess.Popen(
            _COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=judging_environment()
        ) as process:
            late = threading.Timer(2 * seconds + _PATIENCE_S, process.kill)
            late.start()
            try:
                for second in _seconds(process, order):
                    found.append(second)
                    look(second)
            finally:
                late.cancel()
        errors.seek(0)
        said = errors.read().strip().splitlines()[-1:] or ["nothing said"]
    if process.returncode or not found:
        raise ConfigError(f"a process that judges ended with {process.returncode}: {said[0]}")
    return found


def _seconds(process: subprocess.Popen[bytes], order: bytes) -> Iterator[Second]:
    assert process.stdin and process.stdout  # noqa: S101, PT018
    with suppress(BrokenPipeError):  # it has ended; how, its code says
        process.stdin.write(order)
        process.stdin.close()
    for line in process.stdout:
        yield msgspec.json.decode(line, type=Second)
