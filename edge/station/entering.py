"""How what was heard gets into the store: each joint and each review once, counted as soon as nobody can undo it."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence

from edge.core.review import Review, Said
from edge.station import tallies
from edge.station.joints import Joint
from edge.station.tallies import Tally

COLUMNS = ", ".join(Joint._fields)
SINCE = "reviews.event_id = joints.event_id AND reviews.number > joints.heard"
"""Reviews of a joint since it waits, or was dealt again."""
_DAY_S = 86_400
_MARKS = ", ".join("?" * (len(Joint._fields) + 2))
_ENTER = f"INSERT OR IGNORE INTO joints ({COLUMNS}, settled, day) VALUES ({_MARKS})"  # noqa: S608
_RELEASED = f"DELETE FROM joints WHERE event_id = ? AND released RETURNING {COLUMNS}"  # noqa: S608


def enter(db: sqlite3.Connection, joint: Joint, counted: Counter[Tally], now: float) -> bool:
    """Is it new? One that was released, and goes to a specialist after all, waits from now on."""
    values = (*joint, joint.released, day_of(now))
    if not db.execute(_ENTER, values).rowcount:
        if joint.released:
            return False
        row = db.execute(_RELEASED, (joint.event_id,)).fetchone()
        if row is None:
            return False
        counted.subtract(tallies.of_joint(Joint(*row), now))
        db.execute(_ENTER, values)
    counted.update(tallies.of_joint(joint, now))
    return True


def day_of(now: float) -> int:
    return int(now // _DAY_S)


def hear_review(db: sqlite3.Connection, review: Review, now: float) -> None:
    """Whoever said it, it was sent."""
    found = db.execute(
        "UPDATE reviews SET sent = 1 WHERE review_id = ? RETURNING number, counted", (review.review_id,)
    ).fetchone()
    if found is None:
        found = db.execute(
            "INSERT INTO reviews (review_id, event_id, decision, reviewer, sent, time, seconds, day) "
            "VALUES (?, ?, ?, ?, 1, ?, ?, ?) RETURNING number, counted",
            (
                *(review.review_id, review.event_id, review.decision.value, review.reviewer),
                *(review.time, review.seconds, day_of(now)),
            ),
        ).fetchone()
    number, counted = found
    if not counted:
        count(db, [number], now)


def count(db: sqlite3.Connection, numbers: Iterable[int], now: float) -> None:
    """These reviews stand: they are in the line's history from now on, once."""
    for number in numbers:
        row = db.execute(
            "UPDATE reviews SET counted = 1 WHERE number = ? AND counted = 0 "
            "RETURNING event_id, decision, time, seconds",
            (number,),
        ).fetchone()
        if row is None:
            continue
        event_id, decision, time, seconds = row
        board_type = db.execute("SELECT board_type FROM joints WHERE event_id = ?", (event_id,)).fetchone()
        of = board_type[0] if board_type else ""
        tallies.add(db, Counter(tallies.of_review(of, Said(decision), time, seconds, now)))


def settle(db: sqlite3.Connection, events: Sequence[str]) -> None:
    """A joint waits no longer once somebody was sure of it."""
    db.executemany(
        f"UPDATE joints SET settled = released OR held OR EXISTS (SELECT 1 FROM reviews WHERE {SINCE} "  # noqa: S608
        "AND decision != 'unsure') WHERE event_id = ?",
        [(event,) for event in events],
    )
