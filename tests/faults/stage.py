"""A fault, and what it is done to."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.faults.rig import BaseJob, Bundles, Result, Rig

EAGER = {"[mqtt]": "[health]\ninterval_s = 0.2\nmin_free_mb = 4\n[mqtt]"}
"""Looks at its disks and its clock often, so that a round does not take long."""


class Stage(NamedTuple):
    """What a fault is given: where to work, and what with."""

    work: Path
    bundles: Bundles
    jobs: list[BaseJob]
    rounds: int
    chance: random.Random
    report: Callable[[int], None]
    rigs: list[Rig]

    def rig(
        self, changes: Mapping[str, str] | None = None, *, place: Path | None = None, spool: Path | None = None
    ) -> Rig:
        self.rigs.append(Rig(self.work, self.bundles, self.jobs, changes=changes, place=place, spool=spool))
        return self.rigs[-1]

    def each_round(self) -> Iterator[int]:
        for number in range(self.rounds):
            self.report(number)
            yield number


class Fault(NamedTuple):
    """``full`` and ``short``: rounds in ``make faults`` and in ``make test``. ``needs`` says why it cannot run here."""

    name: str
    what: str
    full: int
    short: int
    run: Callable[[Stage], Result]
    needs: Callable[[], str] = lambda: ""


def pause(chance: random.Random, longest_s: float) -> None:
    """A random instant is what is wanted here, not an event."""
    time.sleep(chance.uniform(0, longest_s))
