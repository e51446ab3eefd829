"""Reviews that are still to be sent: whatever was decided goes out until the broker has acknowledged it."""

from __future__ import annotations

from collections.abc import Sequence

from edge.station.database import Database
from edge.station.entering import count

_LATEST_S = 3600.0
"""No decision is held back for longer: one that is due later was made before the clock was set back."""


class Outbox:
    """Of the station's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def to_send(self, now: float, most: int) -> list[tuple[int, bytes]]:
        """Reviews that are due, the oldest first, each with its number."""
        with self._database.transaction() as db:  # from here on none of them can be undone, whatever the clock does
            rows = db.execute(
                "SELECT number, payload FROM reviews WHERE sent = 0 AND (due BETWEEN 0 AND ? OR due > ? OR due "
                "BETWEEN ? AND -1) ORDER BY number LIMIT ?",
                (now, now + _LATEST_S, -now, most),
            ).fetchall()
            db.executemany("UPDATE reviews SET due = 0 WHERE number = ?", [(number,) for number, _ in rows])
            count(db, [number for number, _ in rows], now)
        return rows

    def put_off(self, numbers: Sequence[int], until: float) -> None:
        """They went out, and whether the broker took them is to be heard; else they are sent again after ``until``."""
        with self._database.transaction() as db:
            db.executemany("UPDATE reviews SET due = ? WHERE number = ?", [(-until, number) for number in numbers])

    def sent(self, numbers: Sequence[int]) -> None:
        """The broker has them."""
        with self._database.transaction() as db:
            db.executemany("UPDATE reviews SET sent = 1 WHERE number = ?", [(number,) for number in numbers])

    def unsent(self) -> int:
        ((count,),) = self._database.rows("SELECT COUNT(*) FROM reviews WHERE sent = 0")
        return int(count)
