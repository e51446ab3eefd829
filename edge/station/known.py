"""Joints whose truth is known by a better source than a look: dealt among the others, they measure who reviews.

They come as boards do, all known joints of one board together, and nothing tells them from others: they go to the end
of the queue when other boards do, and wait since then. How often follows from the share that the engineer sets. A
reviewer sees each of them once. One that nobody took within days goes back, and comes again another time.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from edge.core.review import Review, Said
from edge.core.wire import timestamp
from edge.station.database import Database
from edge.station.joints import Joint

_ACTIVE_S = 3 * 24 * 3600.0
"""Whoever decided something so lately is reckoned with; for so long a joint that was dealt waits."""
_MOST_OWED, _MOST_AT_ONCE = 60.0, 20
_COLUMNS = ", ".join(f"joints.{name}" for name in Joint._fields)
_UNSEEN = (
    "EXISTS (SELECT 1 FROM (SELECT DISTINCT reviewer FROM reviews WHERE payload IS NOT NULL AND time > :active) AS r "
    "WHERE NOT EXISTS (SELECT 1 FROM reviews WHERE reviews.event_id = joints.event_id "
    "AND reviews.reviewer = r.reviewer))"
)
"""Is there somebody at this station who has not said anything of the joint?"""


class Marked(NamedTuple):
    """What became of one line of truth: the joint that it is of, or why there is none."""

    review: Review
    joint: Joint | None
    problem: str = ""


class KnownJoints:
    """``share``: of all joints that wait, those that are dealt; ``pictures``: are a joint's still there?"""

    def __init__(
        self,
        database: Database,
        share: float,
        pictures: Callable[[Joint], bool],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._database, self._share, self._pictures, self._chance = database, share, pictures, chance
        self._owed = 0.0

    def mark(self, truths: Iterable[Review]) -> list[Marked]:
        """What joints really are. One that somebody looked at already measures nobody any more."""
        with self._database.transaction() as db:
            return [_mark(db, truth) for truth in truths]

    def deal(self, fresh: int, now: float) -> int:
        """So many other joints have come in: have as many known ones follow as the share asks for."""
        if not 0 < self._share < 1 or not fresh:
            return 0
        self._owed = min(_MOST_OWED, self._owed + fresh * self._share / (1 - self._share))
        board = self._next(now)
        # A little sooner or later, so that nobody can count on when they come; what is owed keeps the share.
        if not board or self._owed < len(board) * (0.5 + self._chance()):
            return 0
        self._owed -= len(board)
        with self._database.transaction() as db:
            for joint in board:
                _deal(db, joint.event_id, now)
        return len(board)

    def _next(self, now: float) -> Sequence[Joint]:
        """The board that was not dealt for the longest time, of which somebody has something to say."""
        active = _before(now)
        with self._database.transaction() as db:
            late = "UPDATE joints SET held = 1, settled = 1 WHERE known != '' AND settled = 0 AND time < ?"
            db.execute(late, (active,))
        rows = self._database.rows(
            f"SELECT {_COLUMNS} FROM joints WHERE known != '' AND settled = 1 AND {_UNSEEN} ORDER BY place",  # noqa: S608
            {"active": active},
        )
        boards: dict[str, list[Joint]] = {}
        for row in rows:
            joint = Joint(*row)
            boards.setdefault(joint.job_id, []).append(joint)
        for board in boards.values():
            there = [joint for joint in board if self._pictures(joint)]
            if there:
                return there[:_MOST_AT_ONCE]
        return []

    def counts(self) -> tuple[int, int]:
        """How many defects and good joints are known."""
        rows = dict(self._database.rows("SELECT known, COUNT(*) FROM joints WHERE known != '' GROUP BY known"))
        return rows.get(Said.DEFECT.value, 0), rows.get(Said.FALSE_CALL.value, 0)


def _mark(db: sqlite3.Connection, truth: Review) -> Marked:
    if truth.decision is Said.UNSURE:
        return Marked(truth, None, "unsure is no truth")
    found = _found(db, truth)
    if found is None:
        return Marked(truth, None, "no such joint was judged yet; have the board inspected first")
    joint, known = found
    if joint.released:
        return Marked(truth, None, "was released: it goes to no reviewer")
    if not known and db.execute("SELECT 1 FROM reviews WHERE event_id = ?", (joint.event_id,)).fetchone():
        return Marked(truth, None, "somebody has looked at it already, so it measures nobody any more")
    db.execute(
        "UPDATE joints SET known = ?, held = held OR known = '', settled = settled OR known = '' WHERE event_id = ?",
        (truth.decision.value, joint.event_id),
    )
    return Marked(truth, joint)


def _found(db: sqlite3.Connection, truth: Review) -> tuple[Joint, str] | None:
    """The joint that a line means, and what is known of it; of several judgements the last."""
    for column, value in (("event_id", truth.event_id), ("job_id", truth.job_id), ("serial", truth.serial)):
        if value:
            named = "" if column == "event_id" else "AND joint = :joint"
            where = f"{column} = :value {named} ORDER BY place DESC LIMIT 1"
            asked = {"value": value, "joint": truth.joint}
            row = db.execute(f"SELECT {_COLUMNS}, known FROM joints WHERE {where}", asked).fetchone()  # noqa: S608
            return (Joint(*row[:-1]), row[-1]) if row else None
    return None


def _deal(db: sqlite3.Connection, event_id: str, now: float) -> None:
    """It waits, as if it had come just now; what was said of it before is of another time."""
    db.execute(
        "UPDATE joints SET held = 0, settled = 0, time = ?, place = (SELECT MAX(place) + 1 FROM joints), "
        "heard = (SELECT COALESCE(MAX(number), 0) FROM reviews) WHERE event_id = ?",
        (timestamp(datetime.fromtimestamp(now, UTC)), event_id),
    )


def _before(now: float) -> str:
    return timestamp(datetime.fromtimestamp(now - _ACTIVE_S, UTC))
