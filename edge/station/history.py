"""The line's history: what was judged, released and reviewed in a span of time, and how it was spread."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from edge.core.evidence import Count
from edge.core.wire import timestamp
from edge.station.database import Database
from edge.station.records import below
from edge.station.tallies import SLOT_S, What, length_at, share_at

Counted = Mapping[str, Counter[int]]
"""Of each thing, how often each step."""
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
        return below(self.audited)


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
        found = self._between(edges, board_type)
        return [_step(start, counted) for start, counted in zip(edges, found, strict=False)]

    def sums(self, span: Span, board_type: str = "") -> Sums:
        edges = _edges(span, self._now())
        (found,) = self._between([edges[0], edges[-1]], board_type)
        count = {what: found[what].total() for what in What}
        seconds = found[What.SECONDS]
        return Sums(
            released=count[What.RELEASED],
            sent=count[What.SENT],
            false_calls=count[What.FALSE_CALL],
            defects=count[What.DEFECT],
            unsure=count[What.UNSURE],
            seconds=length_at(seconds, 0.5) / 1000 if seconds else None,
            audited=self._audited(edges[0], board_type),
        )

    def _audited(self, start: datetime, board_type: str) -> Count:
        """Joints that the audit drew since then, by the gravest that a reviewer was sure of; taken back is not said."""
        ((defects, total),) = self._database.rows(
            "SELECT COALESCE(SUM(defect), 0), COUNT(*) FROM (SELECT MAX(decision = 'defect') AS defect FROM joints "
            "INDEXED BY audits CROSS JOIN reviews USING (event_id) WHERE reason = 'audit' AND joints.time >= ? "
            "AND known = '' AND (? = '' OR board_type = ?) AND counted = 1 AND decision != 'unsure' GROUP BY event_id)",
            (timestamp(start.astimezone()), board_type, board_type),
        )
        return Count(defects, total)

    def _between(self, edges: Sequence[datetime], board_type: str) -> Sequence[Counted]:
        """How often each step of each thing was counted, from each edge to the next."""
        slots = [int(edge.timestamp() // SLOT_S) for edge in edges]
        found = [defaultdict[str, Counter[int]](Counter) for _ in slots[1:]]
        rows = self._database.rows(
            "SELECT what, slot, step, SUM(count) FROM tallies WHERE what IN (SELECT value FROM json_each(?)) "
            "AND slot >= ? AND slot < ? AND (? = '' OR board_type = ?) GROUP BY what, slot, step HAVING SUM(count) > 0",
            (_ALL, slots[0], slots[-1], board_type, board_type),
        )
        for what, slot, step, count in rows:
            found[bisect_right(slots, slot) - 1][what][step] += count
        return found


_ALL = "[" + ", ".join(f'"{what}"' for what in What) + "]"


def _edges(span: Span, now: datetime) -> Sequence[datetime]:
    """Where steps begin, and where the last one ends; a day may have 23 hours, or 25."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if span is Span.TODAY:
        return [midnight + timedelta(hours=hour) for hour in range(now.hour + 2)]
    return [midnight + timedelta(days=day) for day in range(1 - _DAYS[span], 2)]


def _step(start: datetime, found: Counted) -> Step:
    return Step(
        start=start,
        released=found[What.RELEASED].total(),
        sent=found[What.SENT].total(),
        scores=_shares(found[What.SCORE]),
        quality=_shares(found[What.QUALITY]),
        latency=_spread(found[What.LATENCY], length_at, 0.99),
    )


def _shares(steps: Counter[int]) -> Spread | None:
    return _spread(steps, share_at, 0.9) if steps.total() >= LEAST_SCORES else None


def _spread(steps: Mapping[int, int], at: Callable[[Mapping[int, int], float], float], high: float) -> Spread | None:
    return Spread(at(steps, 0.1), at(steps, 0.5), at(steps, high)) if steps else None
