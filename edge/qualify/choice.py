"""Of what was tried and passed: by what the device shall judge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from edge.config import MOST_PROCESSES, MOST_THREADS
from edge.core.errors import ConfigError
from edge.core.qualification import Kernels, Proved

_AS_FAST = 0.95
"""Of the fastest: of those as fast the one with most processes is taken, as these read pictures side by side, too."""


class Wanted(NamedTuple):
    """What the configuration leaves open: a runtime or "auto"; "fast", or kernels that are slower on purpose."""

    runtime: str = "auto"
    kernels: Kernels = "fast"


class Arrangement(NamedTuple):
    processes: int
    threads: int

    @property
    def in_words(self) -> str:
        processes = "1 process" if self.processes == 1 else f"{self.processes} processes"
        return f"{processes} of {threads_in_words(self.threads)}"


def threads_in_words(number: int) -> str:
    return "1 thread" if number == 1 else f"{number} threads"


def kernels_to_use(proved: Sequence[Proved], wanted: Wanted) -> tuple[str, Kernels]:
    """Runtime and kernels: the fastest of those that passed with every bundle and number of threads, on one thread with
    every joint, within what is wanted. Raises ConfigError saying why there are none.
    """
    options = list(_options(proved, wanted))
    if not options:
        raise ConfigError(f"nothing that may be chosen passed: {_why(proved, wanted)}")
    _, runtime, kernels = max(options)
    return runtime, kernels


def arrangements(cores: int) -> list[Arrangement]:
    """What keeps every core busy, most processes first."""
    return [Arrangement(min(MOST_PROCESSES, cores // threads), threads) for threads in thread_counts(cores)]


def thread_counts(cores: int) -> list[int]:
    """Doubling up to the number of cores, and as many as the configuration takes."""
    most = min(cores, MOST_THREADS)
    return sorted({*(1 << step for step in range(most.bit_length()) if 1 << step <= most), most})


def best(rates: Mapping[Arrangement, float]) -> Arrangement:
    """By joints a second."""
    enough = _AS_FAST * max(rates.values())
    return max(arrangement for arrangement, rate in rates.items() if rate >= enough)


def _options(proved: Sequence[Proved], wanted: Wanted) -> Iterator[tuple[float, str, Kernels]]:
    """Joints a second of the slowest bundle, one thread, and whose. A runtime that computes wrong bits with any kernels
    is trusted with none.
    """

    def kind(one: Proved) -> tuple[str, Kernels]:
        return one.runtime, one.kernels

    wrong = {one.runtime for one in proved if one.identical is False}
    for (runtime, kernels), group in groupby(sorted(proved, key=kind), kind):
        tried = list(group)
        allowed = wanted.runtime in {"auto", runtime} and wanted.kernels == kernels
        alone = [one for one in tried if one.threads == 1]
        whole = bool(alone) and all(one.whole for one in alone)
        if allowed and runtime not in wrong and whole and all(one.passed for one in tried):
            yield min(one.joints_per_s for one in alone), runtime, kernels


def _why(proved: Sequence[Proved], wanted: Wanted) -> str:
    for one in sorted(proved, key=lambda one: one.identical is not False):
        if wanted.runtime in {"auto", one.runtime} and (one.kernels == wanted.kernels or one.identical is False):
            setting = f"{one.runtime}, {one.kernels} kernels"
            if one.problem:
                return f"{setting}: {one.problem}"
            if not one.whole:
                return f"{setting}: only {one.joints} of {one.of} joints in the time there was"
    return f"[inference] runtime {wanted.runtime!r} is not installed"
