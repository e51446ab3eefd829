"""How far reviewers can be relied on: measured by joints whose truth was settled before they looked at them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from edge.core.evidence import Count, upper_bound
from edge.core.review import Said

MOST_MISSES, MOST_ALARMS = 0.2, 0.2
"""Whoever may miss a larger share of the defects, or call a larger share of the good joints defects, proves nothing."""


class Known(NamedTuple):
    """A joint whose truth was settled, and what a reviewer, who could not know that, said of it."""

    reviewer: str
    truth: Said
    said: Said


class Record(NamedTuple):
    """``misses``: of known defects, those said to be false calls; ``alarms``: of good joints, those called defects."""

    misses: Count = Count(0, 0)
    alarms: Count = Count(0, 0)

    def after(self, known: Known) -> Record:
        """Whoever is unsure has missed nothing, and called nothing."""
        if Said.UNSURE in {known.truth, known.said}:
            return self
        wrong = known.said is not known.truth
        if known.truth is Said.DEFECT:
            return self._replace(misses=self.misses.after(hit=wrong))
        return self._replace(alarms=self.alarms.after(hit=wrong))


class Reliance(NamedTuple):
    """What a reviewer's shares of misses and false alarms lie below, at all times."""

    misses: float = 1.0
    alarms: float = 1.0

    @property
    def enough(self) -> bool:
        return self.misses <= MOST_MISSES and self.alarms <= MOST_ALARMS

    def or_worse(self, other: Reliance) -> Reliance:
        if other.misses <= self.misses and other.alarms <= self.alarms:
            return self
        return Reliance(max(self.misses, other.misses), max(self.alarms, other.alarms))

    def expected_alarms(self, good: int) -> int:
        """How many good joints were called defects at most on average, where ``good`` ones were called good."""
        return math.ceil(good * self.alarms / (1 - self.alarms)) if self.alarms < 1 else good


NOTHING_FEARED = Reliance(0.0, 0.0)


def records_of(known: Iterable[Known]) -> dict[str, Record]:
    """By reviewer, in the order in which they were first measured."""
    found: dict[str, Record] = {}
    for one in known:
        found[one.reviewer] = found.get(one.reviewer, Record()).after(one)
    return found


def reliances(records: Mapping[str, Record], alpha: float) -> dict[str, Reliance]:
    """Bounds that all hold at once, at all times, with a probability of 1 - ``alpha``.

    The k-th reviewer gets 1 / k (k + 1) of it, so that one may come at any time without making the others less sure.
    """
    found = {}
    for number, (name, record) in enumerate(records.items(), 1):
        share = alpha / (number * (number + 1)) / 2
        found[name] = Reliance(upper_bound(record.misses, share), upper_bound(record.alarms, share))
    return found
