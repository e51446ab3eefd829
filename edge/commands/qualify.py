"""``axi-edge qualify``: measures, proves and certifies this device, with the bundles that it judges with."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from edge.commands import Commands, add_config
from edge.commands.running import daemon_runs
from edge.commands.traps import service_cpus
from edge.config import load_settings
from edge.core.errors import ConfigError
from edge.core.qualification import Proved, Qualification, Sustained
from edge.qualify.certificate import seal, unseal
from edge.qualify.choice import Arrangement, threads_in_words
from edge.qualify.course import Pace, Tell, qualify
from edge.qualify.settings import own_settings, require_writable, wanted_by, write_choice
from edge.qualify.standing import served_by, shelf_of, standing

_LASTS = 0.85
"""Of the speed at first: what falls below that at the end slows down as it gets warm."""


def add_qualify(commands: Commands) -> None:
    command = commands.add_parser(
        "qualify",
        help="measures, proves and certifies this device",
        epilog="It takes up to three minutes of every core: best with the daemon stopped, and as root.",
    )
    command.add_argument("--show", action="store_true", help="what was measured last; measure nothing")
    add_config(command)
    command.set_defaults(action=_qualify)


def _qualify(arguments: argparse.Namespace) -> int:
    if arguments.show:
        return _show(arguments)
    config = arguments.config
    settings = own_settings(config)
    require_writable(config)
    beside = daemon_runs(Path(settings.journal.path))
    if beside:
        print("axi-edge runs meanwhile: speeds are what it leaves; stop it first to measure the device", flush=True)
    os.umask(0o022)  # whoever judges reads what is written here
    os.sched_setaffinity(0, service_cpus())  # where joints will be judged, whatever this shell may use
    progress = _Progress(sys.stderr.isatty())
    found = qualify(settings, wanted_by(settings), progress.tell, Pace(), beside_daemon=beside)
    path = write_choice(config, found.chosen, found.time)
    seal(found, shelf_of(settings))
    for line in _at_the_end(found):
        print(line)
    print(f"{path}: written")
    now = standing(load_settings(config), served_by(settings))
    print(f"{settings.device.name} is {now.text}")
    if now.certified:
        print("restart axi-edge, or reload it (SIGHUP), to judge as measured")
    return 0 if now.certified else 1


def _show(arguments: argparse.Namespace) -> int:
    settings = load_settings(arguments.config)
    unsealed = unseal(shelf_of(settings))
    if unsealed is None:
        raise ConfigError(f"{shelf_of(settings).certificate}: missing; run axi-edge qualify")
    found, machine = unsealed.qualification, unsealed.qualification.machine
    print(f"{found.device}: {machine.processor}, {machine.cores} cores, {machine.os}, axi-edge {machine.version}")
    print(", ".join(f"{name} {version}" for name, version in machine.packages.items()))
    for proved in found.proved:
        print(_row(proved))
    for line in _at_the_end(found):
        print(line)
    now = standing(settings, served_by(settings))
    print(f"{found.device} is {now.text}, {unsealed.digest}")
    return 0 if now.certified else 1


class _Progress(NamedTuple):
    """``live``: is there somebody who sees a line change?"""

    live: bool

    @property
    def tell(self) -> Tell:
        rate: Callable[[float], None] = self._rate if self.live else _silent
        return Tell(step=lambda text: print(text, flush=True), proved=self._proved, rate=rate)

    def _proved(self, proved: Proved) -> None:
        print(_row(proved), flush=True)

    def _rate(self, joints_per_s: float) -> None:
        print(f"\r  {joints_per_s:8.0f} joints/s\r", end="", file=sys.stderr, flush=True)


def _silent(_rate: float) -> None:
    pass


def _row(proved: Proved) -> str:
    setting = f"  {proved.runtime:<14} {proved.kernels:<9} {threads_in_words(proved.threads):<9}"
    if not proved.joints:
        return f"{setting}  not used: {proved.problem}"
    same = {True: "the same bits", False: "OTHER BITS", None: "rounds otherwise"}[proved.identical]
    part = "" if proved.whole else f" of {proved.of}: no time for more"
    words = f"{proved.joints} joints{part}, {same}, {proved.flipped} decisions changed"
    return f"{setting}  {proved.joints_per_s:8.0f} joints/s  {words}{'; ' * bool(proved.problem)}{proved.problem}"


def _at_the_end(found: Qualification) -> Iterator[str]:
    chosen, work = found.chosen, found.sustained
    arrangement = Arrangement(chosen.processes, chosen.threads)
    yield f"chosen: {chosen.runtime}, {chosen.kernels} kernels, {arrangement.in_words}"
    yield (
        f"{work.seconds:g} s of work: {work.joints_per_s:.0f} joints/s, preprocessing included; a joint "
        f"{work.median_ms:g} ms, 99 % within {work.p99_ms:g} ms; {work.memory_mb:.0f} MB"
    )
    yield "; ".join(_warmth(work))


def _warmth(work: Sustained) -> Iterator[str]:
    yield "temperature not readable" if work.temperature_c is None else f"at most {work.temperature_c:.0f} °C"
    yield {
        True: "the processor was THROTTLED",
        False: "not throttled",
        None: "the processor does not say whether it throttled",
    }[work.throttled]
    slower = work.last_per_s < _LASTS * work.first_per_s
    yield f"{work.first_per_s:.0f} joints/s at first, {work.last_per_s:.0f} at last{': cool it better' * slower}"
