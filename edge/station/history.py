"""The line's history: what was judged, released and reviewed in a span of time, and how it was spread."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from edge.core.evidence import Count, upper_bound
from edge.station.database import Database
from edge.station.tallies import SLOT_S, What, length_at, share_at

CONFIDENCE = 0.95
LEAST_SCORES = 20
"""Of fewer joints a spread would tell what the network thinks of one that may still wait."""


class Span(StrEnum):
    """How far back, and in which steps: hours of today, or days."""

    TODAY = "today"
    WEEK = "week"
    WEEKS = "weeks"


_DAYS = {Span.TODAY: 1, Span.WEEK: 7, Span.WEEKS: 56}


class Spread(NamedTuple):
    """Below ``low`` lies a tenth, below ``middle`` a half, below ``high`` nine tenths (of a latency 99 of 100)."""

    low: float
    middle: float
    high: float


class Step(NamedTuple):
    """An hour or a day from ``start`` on. ``latency``: milliseconds."""

    start: datetime
    released: int
    sent: int
    scores: Spread | None
    quality: Spread | None
    latency: Spread | None


class Sums(NamedTuple):
    """Of a whole span.

    ``seconds``: how long a review took, in the median; None where nobody said. ``audited``: joints that would have been
    released, and were reviewed because the audit drew them; its hits are defects.
    """

    released: int
    sent: int
    false_calls: int
    defects: int
    unsure: int
    seconds: float | None
    audited: Count

    @property
    def flagged(self) -> int:
        return self.released + self.sent

    @property
    def minutes_saved(self) -> float | None:
        """Reviews that nobody had to make, each as long as those that were made."""
        return None if self.seconds is None else self.released * self.seconds / 60

    @property
    def escape_share(self) -> float:
        """What the share of defects among released joints lies below; 1 where nothing is known."""
        return upper_bound(self.audited, 1 - CONFIDENCE)


class History:
    """``now``: on the clock of the wall here, without a time zone; days begin by it."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database, self._now = database, now

    def board_types(self) -> list[str]:
        rows = self._database.rows("SELECT DISTINCT board_type FROM tallies WHERE what IN ('released', 'sent')")
        return sorted(name for (name,) in rows if name)

    def steps(self, span: Span, board_type: str = "") -> list[Step]:
        """The oldest first; the last one is not over."""
        edges = _edges(span, self._now())
        return [_step(start, self._between(start, end, board_type)) for start, end in pairwise(edges)]

    def sums(self, span: Span, board_type: str = "") -> Sums:
        edges = _edges(span, self._now())
        found = self._between(edges[0], edges[-1], board_type)
        # Of the audit only hours that are over: who sees its count grow could tell which joints are drawn for it.
        over = self._between(edges[0], _hour(self._now()), board_type)
        count = {what: sum(found[what].values()) for what in What}
        escapes = sum(over[What.AUDIT_DEFECT].values())
        seconds = found[What.SECONDS]
        return Sums(
            released=count[What.RELEASED],
            sent=count[What.SENT],
            false_calls=count[What.FALSE_CALL],
            defects=count[What.DEFECT],
            unsure=count[What.UNSURE],
            seconds=length_at(seconds, 0.5) / 1000 if seconds else None,
            audited=Count(escapes, escapes + sum(over[What.AUDIT_GOOD].values())),
        )

    def _between(self, start: datetime, end: datetime, board_type: str) -> Mapping[str, Counter[int]]:
        """How often each step of each thing was counted."""
        first, last = (int(moment.timestamp() // SLOT_S) for moment in (start, end))
        rows = self._database.rows(
            "SELECT what, step, SUM(count) FROM tallies WHERE what IN (SELECT value FROM json_each(?)) "
            "AND slot >= ? AND slot < ? AND (? = '' OR board_type = ?) GROUP BY what, step HAVING SUM(count) > 0",
            (_ALL, first, last, board_type, board_type),
        )
        found = defaultdict[str, Counter[int]](Counter)
        for what, step, count in rows:
            found[what][step] = count
        return found


_ALL = "[" + ", ".join(f'"{what}"' for what in What) + "]"


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _edges(span: Span, now: datetime) -> Sequence[datetime]:
    """Where steps begin, and where the last one ends; a day may have 23 hours, or 25."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if span is Span.TODAY:
        return [midnight + timedelta(hours=hour) for hour in range(now.hour + 2)]
    return [midnight + timedelta(days=day) for day in range(1 - _DAYS[span], 2)]


def _step(start: datetime, found: Mapping[str, Counter[int]]) -> Step:
    scores = found[What.SCORE]
    enough = sum(scores.values()) >= LEAST_SCORES
    return Step(
        start=start,
        released=sum(found[What.RELEASED].values()),
        sent=sum(found[What.SENT].values()),
        scores=_spread(scores, share_at, 0.9) if enough else None,
        quality=_spread(found[What.QUALITY], share_at, 0.9),
        latency=_spread(found[What.LATENCY], length_at, 0.99),
    )


def _spread(steps: Mapping[int, int], at: Callable[[Mapping[int, int], float], float], high: float) -> Spread | None:
    return Spread(at(steps, 0.1), at(steps, 0.5), at(steps, high)) if steps else None
