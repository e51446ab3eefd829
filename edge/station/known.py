"""Joints whose truth is known by a better source than a look: dealt among the others, they measure who reviews.

They come as boards do, known joints of one board together, right before a new board, and nothing tells them from
others: they wait since then. How often follows from the share that the engineer sets. A reviewer sees each of them
once. Those that nobody took within days go back, and come again another time.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple

import msgspec

from edge.core.review import Review, Said
from edge.core.wire import timestamp
from edge.station.database import Database
from edge.station.entering import SINCE
from edge.station.joints import Joint

_ACTIVE_S = 3 * 24 * 3600.0
"""Whoever decided something so lately is reckoned with; for so long a joint that was dealt waits."""
_LEAST_OWED, _MOST_OWED, _MOST_AT_ONCE = 0.5, 30.0, 20
_REST_S = 60.0
"""Where there was nothing to deal, nobody looks for it again before."""
_LINES = 200
"""Of truth in one transaction: reviewers wait no longer than for that."""
_COLUMNS = ", ".join(f"joints.{name}" for name in Joint._fields)
_SPOKEN = "(SELECT json_group_array(reviewer) FROM reviews WHERE reviews.event_id = joints.event_id)"
_LATE = (
    "UPDATE joints SET held = 1, settled = 1 WHERE known != '' AND settled = 0 AND time < ? "  # noqa: S608
    f"AND NOT EXISTS (SELECT 1 FROM reviews WHERE {SINCE})"
)


class Marked(NamedTuple):
    """What became of one line of truth: the joint that it is of; ``problem``: why that measures nobody."""

    review: Review
    joint: Joint | None
    problem: str = ""

    @property
    def measures(self) -> bool:
        return self.joint is not None and not self.joint.released


class KnownJoints:
    """``share``: of all joints that wait, those that are dealt. ``there``: those of some joints whose pictures are
    still there. ``told``: has the device entered every truth that it was handed? A look that it hears of before would
    measure nobody.
    """

    def __init__(
        self,
        database: Database,
        share: float,
        there: Callable[[Sequence[Joint]], Sequence[Joint]],
        told: Callable[[], bool],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._database, self._share, self._there, self._told = database, share, there, told
        self._chance = chance
        self._owed, self._rests_until, self._rests_with = 0.0, 0.0, (0, 0)

    def check(self, truths: Sequence[Review]) -> list[Marked]:
        """As ``mark``, and nothing is changed."""
        return self._each(truths, _meant)

    def mark(self, truths: Sequence[Review]) -> list[Marked]:
        """What joints really are. One that somebody looked at already measures nobody any more."""
        return self._each(truths, _mark)

    def _each(self, truths: Sequence[Review], do: Callable[[sqlite3.Connection, Review], Marked]) -> list[Marked]:
        found, left = list[Marked](), iter(truths)
        while some := list(islice(left, _LINES)):
            with self._database.transaction() as db:
                found += [do(db, truth) for truth in some]
        return found

    def deal(self, fresh: Sequence[Joint], now: float) -> int:
        """These have come to wait: have as many known ones among them as the share asks for."""
        if not 0 < self._share < 1 or not fresh:
            return 0
        self._owed = min(_MOST_OWED, self._owed + len(fresh) * self._share / (1 - self._share))
        if self._owed < _LEAST_OWED or self._rests(now):
            return 0
        place = self._new_board(fresh)
        if place is None or not self._told():
            return 0
        board = self._next(now)
        if not board:
            self._owed, self._rests_until, self._rests_with = 0.0, now + _REST_S, self.counts()
            return 0
        # A little sooner or later, so that nobody can count on when they come; what is owed keeps the share.
        if self._owed < len(board) * (0.5 + self._chance()):
            return 0
        self._owed -= len(board)
        with self._database.transaction() as db:
            for joint in board:
                _deal(db, joint.event_id, place - 0.5, now)
        return len(board)

    def _rests(self, now: float) -> bool:
        """Unless there are more of them by now."""
        return self._rests_until - _REST_S <= now < self._rests_until and self._rests_with == self.counts()

    def _new_board(self, fresh: Sequence[Joint]) -> int | None:
        """Where a board begins that nothing was heard of before; None where none does: no other is to be split."""
        events = msgspec.json.encode([joint.event_id for joint in fresh]).decode()
        rows = self._database.rows(
            "SELECT MAX(place) FROM joints WHERE event_id IN (SELECT value FROM json_each(?)) AND NOT EXISTS "
            "(SELECT 1 FROM joints AS other WHERE other.job_id = joints.job_id AND other.place < joints.place)",
            (events,),
        )
        return None if rows[0][0] is None else int(rows[0][0])

    def _next(self, now: float) -> Sequence[Joint]:
        """Of the board that was not dealt for the longest time what somebody has still something to say of."""
        since = _before(now)
        with self._database.transaction() as db:
            db.execute(_LATE, (since,))
        for board in self._boards(since):
            there = self._there(board)
            if there:
                return there[:_MOST_AT_ONCE]
        return []

    def _boards(self, since: str) -> Iterable[Sequence[Joint]]:
        here = "SELECT DISTINCT reviewer FROM reviews WHERE time > ? AND payload IS NOT NULL"
        active = {reviewer for (reviewer,) in self._database.rows(here, (since,))}
        rows = self._database.rows(
            f"SELECT {_COLUMNS}, {_SPOKEN} FROM joints INDEXED BY known_ones WHERE known != '' AND settled = 1 "  # noqa: S608
            "ORDER BY COALESCE(turn, place), place"
        )
        boards: dict[str, list[Joint]] = {}
        for *columns, spoken in rows:
            if active - set(msgspec.json.decode(spoken)):
                joint = Joint(*columns)
                boards.setdefault(joint.job_id, []).append(joint)
        return boards.values()

    def counts(self) -> tuple[int, int]:
        """How many defects and good joints are known."""
        rows = dict(self._database.rows("SELECT known, COUNT(*) FROM joints WHERE known != '' GROUP BY known"))
        return rows.get(Said.DEFECT.value, 0), rows.get(Said.FALSE_CALL.value, 0)


def _mark(db: sqlite3.Connection, truth: Review) -> Marked:
    found = _meant(db, truth)
    if found.joint is not None and found.measures:
        db.execute(
            "UPDATE joints SET known = ?, held = held OR known = '', settled = settled OR known = '' "
            "WHERE event_id = ?",
            (truth.decision.value, found.joint.event_id),
        )
    return found


def _meant(db: sqlite3.Connection, truth: Review) -> Marked:
    if truth.decision is Said.UNSURE:
        return Marked(truth, None, "unsure is no truth")
    found = _found(db, truth)
    if found is None:
        return Marked(truth, None, "no such joint was judged yet; have the board inspected first")
    joint, known = found
    if known and known != truth.decision:
        return Marked(truth, None, f"is known as {known} already, and so it stays")
    if not known and db.execute("SELECT 1 FROM reviews WHERE event_id = ?", (joint.event_id,)).fetchone():
        return Marked(truth, None, "somebody has looked at it already, so it measures nobody any more")
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


def _deal(db: sqlite3.Connection, event_id: str, turn: float, now: float) -> None:
    """It waits, as if it had come just now; what was said of it before is of another time."""
    db.execute(
        "UPDATE joints SET held = 0, settled = 0, time = ?, turn = ?, "
        "heard = (SELECT COALESCE(MAX(number), 0) FROM reviews) WHERE event_id = ?",
        (timestamp(datetime.fromtimestamp(now, UTC)), turn, event_id),
    )


def _before(now: float) -> str:
    return timestamp(datetime.fromtimestamp(now - _ACTIVE_S, UTC))
