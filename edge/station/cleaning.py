"""What the station no longer needs: joints that were reviewed or released long ago. Counts of them stay."""

from __future__ import annotations

from datetime import UTC, datetime

from edge.core.wire import timestamp
from edge.station.database import Database

_EVERY_S = 600.0
_MOST = 5_000
"""At once: nobody waits long for the database."""


class Cleaning:
    """``keep_s``: for how long a joint stays that waits for nobody."""

    def __init__(self, database: Database, keep_s: float) -> None:
        self._database, self._keep_s = database, keep_s
        self._next = 0.0

    def clean(self, now: float) -> int:
        """From time to time; how many joints went. None whose review was not sent, or whose truth is known."""
        if self._next - _EVERY_S <= now < self._next:
            return 0
        before = timestamp(datetime.fromtimestamp(now - self._keep_s, UTC))
        with self._database.transaction() as db:
            rows = db.execute(
                "SELECT event_id FROM joints WHERE time < ? AND settled = 1 AND known = '' AND NOT EXISTS "
                "(SELECT 1 FROM reviews WHERE reviews.event_id = joints.event_id AND sent = 0) LIMIT ?",
                (before, _MOST),
            ).fetchall()
            db.executemany("DELETE FROM reviews WHERE event_id = ?", rows)
            db.executemany("DELETE FROM joints WHERE event_id = ?", rows)
        if len(rows) < _MOST:
            self._next = now + _EVERY_S
        return len(rows)
