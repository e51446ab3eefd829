"""The whole of a qualification: trials, a choice, a minute of work."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from edge import __version__
from edge.adapters.host import LinuxHost, utc_now
from edge.bundle.format import open_bundle
from edge.bundle.signing import pinned_keys
from edge.config import Settings, bundles_to_load
from edge.core.qualification import Chosen, Proved, Qualification, Sustained
from edge.core.wire import timestamp
from edge.judging.messages import Load
from edge.judging.runtime import installed_runtimes
from edge.qualify.choice import Arrangement, Wanted, arrangements, best, kernels_to_use, thread_counts
from edge.qualify.machine import this_machine
from edge.qualify.sustained import Watch, sustained
from edge.qualify.trial import Candidate, Setting, candidate_of, settings_here, tried


class Pace(NamedTuple):
    """Seconds: for all trials together, for each arrangement of processes and threads, and for the work at the end. All
    of it, and what loading takes, ends within three minutes.
    """

    trials_s: float = 75.0
    arrangement_s: float = 3.0
    sustained_s: float = 60.0


class Tell(NamedTuple):
    """Whoever watches. ``proved``: a trial has ended; ``step``: something begins; ``rate``: joints a second, now."""

    step: Callable[[str], None]
    proved: Callable[[Proved], None]
    rate: Callable[[float], None]


def qualify(settings: Settings, wanted: Wanted, tell: Tell, pace: Pace, *, beside_daemon: bool) -> Qualification:
    """Measure and prove this device with the bundles that are configured. Without time for arrangements the configured
    one is kept. Raises BundleRefused for a bundle that cannot be used, ConfigError where nothing passed.
    """
    load, cores = bundles_to_load(settings), len(os.sched_getaffinity(0))
    candidates = list(_candidates(load))
    for one in candidates:
        card = one.bundle.card
        joints = len(one.bundle.golden) + len(one.patches)
        tell.step(
            f"{card.name} {card.version}: {joints} joints on every runtime, kind of kernels and number of threads"
        )
    threads = thread_counts(cores) if pace.arrangement_s else [1]
    proved = list(_trials(candidates, wanted, threads, pace.trials_s, tell))
    runtime, kernels = kernels_to_use(proved, wanted)
    load = replace(load, runtime=runtime, kernels=kernels)
    if pace.arrangement_s:
        at_work = chosen = _arranged(load, cores, pace.arrangement_s, tell)
    else:
        chosen = Arrangement(settings.inference.processes, settings.inference.threads)
        at_work = chosen._replace(processes=1)  # beside a daemon's own there is no room for more
    tell.step(f"{pace.sustained_s:g} s of work, {at_work.in_words}")
    found = _worked(load, at_work, pace.sustained_s, tell)
    return Qualification(
        time=timestamp(utc_now()),
        device=settings.device.name,
        machine=this_machine(__version__),
        bundles=[one.bundle.reference for one in candidates],
        chosen=Chosen(runtime=runtime, kernels=kernels, threads=chosen.threads, processes=chosen.processes),  # type: ignore[arg-type]
        proved=proved,
        sustained=found,
        beside_daemon=beside_daemon,
    )


def must_be_whole(setting: Setting, wanted: Wanted) -> bool:
    """Does the choice of a runtime hang on this trial?"""
    named = wanted.runtime in {"auto", setting.runtime.name}
    return named and setting.kernels == wanted.kernels and setting.threads == 1


def _candidates(load: Load) -> Iterator[Candidate]:
    keys = pinned_keys(load.public_key_file)
    for choice in load.choices:
        bundle = open_bundle(Path(os.fsdecode(choice.bundle)), keys)
        yield candidate_of(bundle)


def _trials(
    candidates: Sequence[Candidate], wanted: Wanted, threads: Sequence[int], limit_s: float, tell: Tell
) -> Iterator[Proved]:
    """Those that the choice hangs on come first, and take what time they need; what they and each after them leave goes
    to the rest.
    """
    settings = sorted(settings_here(installed_runtimes(), threads), key=lambda one: not must_be_whole(one, wanted))
    left = [(one, setting) for setting in settings for one in candidates]
    until = time.monotonic() + limit_s
    while left:
        remaining = max(until - time.monotonic(), 0.0)
        one, setting = left.pop(0)
        found = tried(one, setting, limit_s if must_be_whole(setting, wanted) else remaining / (len(left) + 1))
        tell.proved(found)
        yield found


def _arranged(load: Load, cores: int, seconds: float, tell: Tell) -> Arrangement:
    options = arrangements(cores)
    if len(options) == 1:
        return options[0]
    rates = dict[Arrangement, float]()
    for option in options:
        tell.step(option.in_words)
        rates[option] = _worked(load, option, seconds, tell).joints_per_s
    return best(rates)


def _worked(load: Load, arrangement: Arrangement, seconds: float, tell: Tell) -> Sustained:
    order = replace(load, threads=arrangement.threads)
    return sustained(order, arrangement.processes, seconds, tell.rate, Watch(LinuxHost()))
