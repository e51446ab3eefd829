"""Joints that wait, and what was decided of them and is still to be sent.

Whatever a reviewer decided is on disk before the page hears of it, and is sent until the broker has acknowledged it.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from edge.core.review import Review, ReviewedBoard, ReviewPayload, Said
from edge.station.database import Database
from edge.station.joints import PICTURES_DOUBTED, Joint

_LATEST_S = 3600.0
"""No decision is held back for longer: one that is due later was made before the clock was set back."""
_LAST = "SELECT number, event_id FROM reviews WHERE sent = 0 AND reviewer = ? AND due > ? ORDER BY number DESC LIMIT 1"
"""A reviewer's last decision, while it can be taken back."""
_COLUMNS = ", ".join(Joint._fields)


class Decided(NamedTuple):
    """What a reviewer said of a joint. ``seconds``: how long it was looked at; ``time``: RFC 3339."""

    event_id: str
    decision: Said
    defect_class: str | None
    reviewer: str
    time: str
    seconds: float


class Standing(NamedTuple):
    """``joints``: those of which the reviewer's decision can no longer be taken back."""

    review_id: str
    joints: list[Joint]


class Wanted(NamedTuple):
    """Which waiting joints: empty means any. ``doubted``: only those whose pictures are in doubt, or only others."""

    board_type: str = ""
    machine_call: str = ""
    doubted: bool | None = None
    serial: str = ""


class WaitingBoard(NamedTuple):
    """A board in the queue. ``second``: of its joints so many were looked at by somebody who was not sure."""

    job_id: str
    serial: str
    board_type: str
    joints: int
    second: int
    since: str
    calls: tuple[str, ...]


class JointStore:
    """``station``: as reviews have it."""

    def __init__(self, database: Database, station: str) -> None:
        self._database, self._station = database, station

    # Joints and reviews as they are heard of.

    def hear(self, joints: Sequence[Joint], reviews: Sequence[Review]) -> None:
        """Joints that wait from now on, and what was said of joints elsewhere; each once, however often it comes."""
        marks = ", ".join("?" * len(Joint._fields))
        with self._database.transaction() as db:
            db.executemany(f"INSERT OR IGNORE INTO joints ({_COLUMNS}) VALUES ({marks})", joints)  # noqa: S608
            db.executemany(
                "INSERT OR IGNORE INTO reviews (review_id, event_id, decision, reviewer, sent) VALUES (?, ?, ?, ?, 1)",
                [(one.review_id, one.event_id, one.decision.value, one.reviewer) for one in reviews],
            )
            db.executemany("UPDATE reviews SET sent = 1 WHERE review_id = ?", [(one.review_id,) for one in reviews])
            events = {*(joint.event_id for joint in joints), *(one.event_id for one in reviews)}
            _settle(db, sorted(events))

    # What waits.

    def waiting(self, wanted: Wanted, reviewer: str, without: Sequence[str], most: int) -> list[Joint]:
        """Joints for a reviewer, boards in the order in which they wait, none that he was not sure of himself."""
        where, values = _conditions(wanted)
        marks = ", ".join("?" * len(without))
        found = self._database.rows(
            f"SELECT {_COLUMNS} FROM joints WHERE {where} AND event_id NOT IN ({marks}) AND NOT EXISTS "  # noqa: S608
            "(SELECT 1 FROM reviews WHERE reviews.event_id = joints.event_id AND reviewer = ?) ORDER BY place LIMIT ?",
            (*values, *without, reviewer, most),
        )
        return [Joint(*row) for row in found]  # the columns are its fields

    def boards(self, wanted: Wanted) -> list[WaitingBoard]:
        """The queue, a line a board."""
        where, values = _conditions(wanted)
        rows = self._database.rows(
            "SELECT job_id, serial, board_type, COUNT(*), SUM(EXISTS (SELECT 1 FROM reviews WHERE "  # noqa: S608
            "reviews.event_id = joints.event_id)), MIN(time), GROUP_CONCAT(DISTINCT machine_call) FROM joints "
            f"WHERE {where} GROUP BY job_id ORDER BY MIN(place)",
            values,
        )
        return [WaitingBoard._make((*board, tuple((calls or "").split(",")))) for *board, calls in rows]

    def choices(self) -> tuple[list[str], list[str]]:
        """Board types and machine calls among what waits."""
        found = (
            self._database.rows(f"SELECT DISTINCT {column} FROM joints WHERE settled = 0 ORDER BY {column}")  # noqa: S608
            for column in ("board_type", "machine_call")
        )
        types, calls = ([name for (name,) in rows] for rows in found)
        return types, calls

    def counts(self) -> tuple[int, str]:
        """How many joints wait, and since when the first of them does."""
        ((count, since),) = self._database.rows(
            "SELECT COUNT(*), COALESCE(MIN(time), '') FROM joints WHERE settled = 0"
        )
        return count, since

    def said_so_far(self) -> dict[str, int]:
        """How often each decision was taken, here and elsewhere."""
        return dict(self._database.rows("SELECT decision, COUNT(*) FROM reviews GROUP BY decision"))

    def joint(self, event_id: str) -> Joint | None:
        rows = self._database.rows(f"SELECT {_COLUMNS} FROM joints WHERE event_id = ?", (event_id,))  # noqa: S608
        return Joint(*rows[0]) if rows else None

    def good_ones(self, like: Joint, most: int) -> list[Joint]:
        """Joints of the same board type and name that a reviewer called good, the latest first."""
        rows = self._database.rows(
            f"SELECT {_COLUMNS} FROM joints WHERE board_type = ? AND joint = ? AND settled = 1 "  # noqa: S608
            "AND event_id != ? AND NOT EXISTS (SELECT 1 FROM reviews WHERE reviews.event_id = joints.event_id "
            "AND decision = 'defect') ORDER BY place DESC LIMIT ?",
            (like.board_type, like.joint, like.event_id, most),
        )
        return [Joint(*row) for row in rows]

    def said_of(self, event_id: str) -> list[tuple[str, str]]:
        """Reviewers and what each said, in the order it was said."""
        return self._database.rows(
            "SELECT reviewer, decision FROM reviews WHERE event_id = ? ORDER BY number", (event_id,)
        )

    # What is decided here.

    def decide(self, decided: Decided, now: float, undo_s: float = 0.0) -> Standing | None:
        """Write a review down, to be sent in ``undo_s`` or with the reviewer's next; which decisions stand by that.
        ``now``: seconds since the epoch. None where this reviewer has said something of that joint already, or nobody
        knows it: nothing is written.
        """
        joint = self.joint(decided.event_id)
        if joint is None:
            return None
        review_id = str(uuid.uuid4())
        payload = _payload(review_id, joint, decided, self._station)
        with self._database.transaction() as db:
            if any(reviewer == decided.reviewer for reviewer, _ in self.said_of(decided.event_id)):
                return None
            # Only the last decision of a reviewer can be undone: those before may be sent.
            before = db.execute(
                "UPDATE reviews SET due = 0 WHERE sent = 0 AND due > 0 AND reviewer = ? RETURNING event_id",
                (decided.reviewer,),
            ).fetchall()
            db.execute(
                "INSERT INTO reviews (review_id, event_id, decision, reviewer, payload, due) VALUES (?, ?, ?, ?, ?, ?)",
                (review_id, decided.event_id, decided.decision.value, decided.reviewer, payload, now + undo_s),
            )
            _settle(db, [decided.event_id])
        events = [event for (event,) in before] + ([decided.event_id] if not undo_s else [])
        return Standing(review_id, [one for one in map(self.joint, events) if one is not None])

    def undoable(self, reviewer: str, now: float) -> str | None:
        """The joint of the reviewer's last decision, while that can be taken back."""
        rows = self._database.rows(_LAST, (reviewer, now))
        return rows[0][1] if rows else None

    def undo(self, reviewer: str, now: float) -> str | None:
        """Take the reviewer's last decision back, unless it may have been sent already; the joint that waits again."""
        with self._database.transaction() as db:
            row = db.execute(_LAST, (reviewer, now)).fetchone()
            if row is None:
                return None
            number, event_id = row
            db.execute("DELETE FROM reviews WHERE number = ?", (number,))
            _settle(db, [event_id])
        return str(event_id)

    def to_send(self, now: float, most: int) -> list[tuple[int, bytes]]:
        """Reviews that are due, the oldest first, each with its number."""
        with self._database.transaction() as db:  # from here on none of them can be undone, whatever the clock does
            rows = db.execute(
                "SELECT number, payload FROM reviews WHERE sent = 0 AND (due BETWEEN 0 AND ? OR due > ? OR due "
                "BETWEEN ? AND -1) ORDER BY number LIMIT ?",
                (now, now + _LATEST_S, -now, most),
            ).fetchall()
            db.executemany("UPDATE reviews SET due = 0 WHERE number = ?", [(number,) for number, _ in rows])
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


def _settle(db: sqlite3.Connection, events: Sequence[str]) -> None:
    """A joint waits no longer once somebody was sure of it."""
    db.executemany(
        "UPDATE joints SET settled = EXISTS (SELECT 1 FROM reviews WHERE reviews.event_id = joints.event_id "
        "AND decision != 'unsure') WHERE event_id = ?",
        [(event,) for event in events],
    )


def _payload(review_id: str, joint: Joint, decided: Decided, station: str) -> bytes:
    return msgspec.json.encode(
        ReviewPayload(
            review_id=review_id,
            time=decided.time,
            event_id=joint.event_id,
            job_id=joint.job_id,
            board=ReviewedBoard(serial=joint.serial, type=joint.board_type),
            joint=joint.joint,
            decision=decided.decision,
            defect_class=decided.defect_class,
            reviewer=decided.reviewer,
            station=station,
            seconds=round(decided.seconds, 2),
            blind=True,
        )
    )


def _conditions(wanted: Wanted) -> tuple[str, list[object]]:
    conditions, values = ["settled = 0"], list[object]()
    for column in ("board_type", "machine_call", "serial"):
        value = getattr(wanted, column)
        if value:
            conditions.append(f"{column} = ?")
            values.append(value)
    if wanted.doubted is not None:
        among = "reason IN (SELECT value FROM json_each(?))"
        conditions.append(among if wanted.doubted else f"NOT ({among})")
        values.append(msgspec.json.encode(sorted(PICTURES_DOUBTED)).decode())
    return " AND ".join(conditions), values
