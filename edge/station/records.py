"""What reviewers' words are worth: measured by known joints, by their haste, and by where they do not agree."""

from __future__ import annotations

from collections import defaultdict
from statistics import median
from typing import NamedTuple

from edge.core.evidence import Count, upper_bound
from edge.core.review import Said
from edge.core.reviewers import Known, Record, records_of
from edge.station.database import Database

CONFIDENCE = 0.95
LOOKED_AT = 20_000
"""Reviews that are reckoned with, the last ones; what was said of known joints counts however old it is."""
_LAST_ONES = f"number > (SELECT MAX(number) FROM reviews) - {LOOKED_AT}"  # noqa: S608 - a number of our own


class Measured(NamedTuple):
    """A reviewer. ``seconds``: how long a joint is looked at, in the median; None where nobody said. ``hasty``: keys
    that came before anybody can have looked.
    """

    name: str
    reviews: int
    unsure: int
    seconds: float | None
    hasty: int
    record: Record

    @property
    def misses_below(self) -> float:
        return below(self.record.misses)

    @property
    def alarms_below(self) -> float:
        return below(self.record.alarms)


class Dispute(NamedTuple):
    """A joint that one is sure is a defect, and another is sure is none. ``said``: who said what."""

    event_id: str
    serial: str
    joint: str
    time: str
    said: tuple[tuple[str, str], ...]


def below(count: Count) -> float:
    """What a share lies below, with a probability of ``CONFIDENCE``; 1 where nothing is known."""
    return upper_bound(count, 1 - CONFIDENCE)


class Records:
    """Of the station's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def was_hasty(self, reviewer: str, times: int = 1) -> None:
        with self._database.transaction() as db:
            db.execute(
                "INSERT INTO hasty VALUES (?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count",
                (reviewer, times),
            )

    def everybody(self) -> list[Measured]:
        """Whoever said something lately, here or elsewhere, by name."""
        hasty = dict(self._database.rows("SELECT reviewer, count FROM hasty"))
        rows = self._database.rows(
            "SELECT reviewer, COUNT(*), SUM(decision = 'unsure') FROM reviews "  # noqa: S608
            f"WHERE {_LAST_ONES} GROUP BY reviewer"
        )
        records, looks = records_of(self._known()), self._looks()
        found = {name: (reviews, unsure) for name, reviews, unsure in rows}
        return [
            Measured(name, *found.get(name, (0, 0)), looks.get(name), hasty.get(name, 0), records.get(name, Record()))
            for name in sorted({*found, *hasty})
        ]

    def _looks(self) -> dict[str, float]:
        """Medians: a page that was open over lunch would make a mean mean nothing."""
        found = defaultdict[str, list[float]](list)
        rows = self._database.rows(
            f"SELECT reviewer, seconds FROM reviews WHERE {_LAST_ONES} AND seconds IS NOT NULL"  # noqa: S608
        )
        for name, seconds in rows:
            found[name].append(seconds)
        return {name: median(some) for name, some in found.items()}

    def _known(self) -> list[Known]:
        """What each said of known joints, in the order in which it was said."""
        rows = self._database.rows(
            "SELECT reviewer, known, decision FROM joints INDEXED BY known_ones CROSS JOIN reviews USING (event_id) "
            "WHERE known != '' ORDER BY number"
        )
        return [Known(reviewer, Said(known), Said(decision)) for reviewer, known, decision in rows]

    def disputes(self, most: int) -> list[Dispute]:
        """The last ones first. Where the truth is known there is nothing to dispute."""
        events = self._database.rows(
            "SELECT event_id, serial, joint, joints.time FROM joints JOIN reviews USING (event_id) WHERE known = '' "  # noqa: S608
            f"AND event_id IN (SELECT event_id FROM reviews WHERE {_LAST_ONES} AND decision = 'defect') "
            "GROUP BY event_id HAVING SUM(decision = 'defect') > 0 AND SUM(decision = 'false_call') > 0 "
            "ORDER BY MAX(number) DESC LIMIT ?",
            (most,),
        )
        said = "SELECT reviewer, decision FROM reviews WHERE event_id = ? ORDER BY number"
        return [
            Dispute(event, serial, joint, time, tuple(self._database.rows(said, (event,))))
            for event, serial, joint, time in events
        ]
