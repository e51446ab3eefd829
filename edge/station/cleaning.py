"""What the station no longer needs: joints that were reviewed or released long ago. Counts of them stay."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from edge.station import tallies
from edge.station.database import Database

_EVERY_S = 600.0
_FOLDED_DAYS = 14
_MOST = 5_000
"""At once: nobody waits long for the database."""
_GONE = (
    "SELECT event_id FROM joints WHERE day < ? AND settled = 1 AND known = '' AND NOT EXISTS "
    "(SELECT 1 FROM reviews WHERE reviews.event_id = joints.event_id AND sent = 0) LIMIT ?"
)
_STRAY = (
    "DELETE FROM reviews WHERE number IN (SELECT number FROM reviews WHERE day > 0 AND day < ? AND sent = 1 "
    "AND NOT EXISTS (SELECT 1 FROM joints WHERE joints.event_id = reviews.event_id) LIMIT ?)"
)


class Cleaning:
    """``keep_days``: for how many days on which joints came one stays that waits for nobody. A clock that is wrong for
    a while makes one day of them, and takes nothing away. ``wall``: the clock on the wall, by which days begin.
    """

    def __init__(self, database: Database, keep_days: int, wall: Callable[[], datetime]) -> None:
        self._database, self._keep_days, self._wall = database, keep_days, wall
        self._next = 0.0
        self._folded: datetime | None = None

    def clean(self, now: float) -> int:
        """From time to time; how many joints went. None whose review was not sent, or whose truth is known."""
        if self._next - _EVERY_S <= now < self._next:
            return 0
        self._fold()
        days = self._database.rows("SELECT DISTINCT day FROM joints ORDER BY day DESC LIMIT ?", (self._keep_days,))
        rows = list[tuple[str]]()
        if len(days) == self._keep_days:
            first = days[-1][0]
            with self._database.transaction() as db:
                rows = db.execute(_GONE, (first, _MOST)).fetchall()
                db.executemany("DELETE FROM reviews WHERE event_id = ?", rows)
                db.executemany("DELETE FROM joints WHERE event_id = ?", rows)
                db.execute(_STRAY, (first, _MOST))
        if len(rows) < _MOST:
            self._next = now + _EVERY_S
        return len(rows)

    def _fold(self) -> None:
        """Of days that are over, and the one after them, no hours are asked for: once a day."""
        today = self._wall().replace(hour=0, minute=0, second=0, microsecond=0)
        if self._folded == today:
            return
        for back in range(2, 2 + _FOLDED_DAYS):
            begin = today - timedelta(days=back)
            with self._database.transaction() as db:
                tallies.fold(db, begin.timestamp(), (begin + timedelta(days=1)).timestamp())
        self._folded = today
