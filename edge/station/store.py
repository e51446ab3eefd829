"""Joints that wait, and what was decided of them: on disk before the page hears of it."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from edge.core.review import Review, ReviewedBoard, ReviewPayload, Said
from edge.station import tallies
from edge.station.database import Database
from edge.station.entering import COLUMNS, SINCE, day_of, enter, hear_review, settle
from edge.station.joints import PICTURES_DOUBTED, Joint
from edge.station.tallies import Tally

_LAST = "SELECT number, event_id FROM reviews WHERE sent = 0 AND reviewer = ? AND due > ? ORDER BY number DESC LIMIT 1"
"""A reviewer's last decision, while it can be taken back."""
_OPEN = "NOT EXISTS (SELECT 1 FROM reviews WHERE reviews.event_id = joints.event_id AND reviewer = ?)"
"""The reviewer has said nothing of it."""
_ORDER = "COALESCE(turn, place)"


class Decided(NamedTuple):
    """What a reviewer said of a joint. ``seconds``: how long it was looked at, if anybody says; ``time``: RFC 3339."""

    event_id: str
    decision: Said
    defect_class: str | None
    reviewer: str
    time: str
    seconds: float | None


class State(NamedTuple):
    """``waits``: for a specialist; ``held``: its truth is known, and it is not to be shown until it is dealt."""

    waits: bool
    held: bool


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
    event_id: str = ""


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

    def hear(self, joints: Sequence[Joint], reviews: Sequence[Review], now: float) -> list[Joint]:
        """Joints that the device has judged, and what was said of joints elsewhere; each once, however often it comes.
        The joints that are new and not released. ``now``: seconds since the epoch.
        """
        with self._database.transaction() as db:
            counted = Counter[Tally]()
            fresh = [joint for joint in joints if enter(db, joint, counted, now)]
            tallies.add(db, counted)
            for review in reviews:
                hear_review(db, review, now)
            events = {*(joint.event_id for joint in joints), *(one.event_id for one in reviews)}
            settle(db, sorted(events))
        return [joint for joint in fresh if not joint.released]

    # What waits.

    def waiting(self, wanted: Wanted, reviewer: str, without: Sequence[str], most: int) -> list[Joint]:
        """Joints for a reviewer, boards in the order in which they wait, none that he was not sure of himself."""
        where, values = _conditions(wanted)
        marks = ", ".join("?" * len(without))
        found = self._database.rows(
            f"SELECT {COLUMNS} FROM joints WHERE {where} AND event_id NOT IN ({marks}) AND {_OPEN} "  # noqa: S608
            f"ORDER BY {_ORDER}, place LIMIT ?",
            (*values, *without, reviewer, most),
        )
        return [Joint(*row) for row in found]  # the columns are its fields

    def boards(self, wanted: Wanted, reviewer: str) -> list[WaitingBoard]:
        """The queue of a reviewer, a line a board."""
        where, values = _conditions(wanted)
        rows = self._database.rows(
            f"SELECT job_id, serial, board_type, COUNT(*), SUM(EXISTS (SELECT 1 FROM reviews WHERE {SINCE})), "  # noqa: S608
            "MIN(time), json_group_array(DISTINCT machine_call) FROM joints "
            f"WHERE {where} AND {_OPEN} GROUP BY job_id ORDER BY MIN({_ORDER})",
            (*values, reviewer),
        )
        return [WaitingBoard._make((*board, tuple(msgspec.json.decode(calls)))) for *board, calls in rows]

    def choices(self) -> tuple[list[str], list[str]]:
        """Board types and machine calls among what waits."""
        found = (
            self._database.rows(f"SELECT DISTINCT {column} FROM joints WHERE settled = 0 ORDER BY {column}")  # noqa: S608
            for column in ("board_type", "machine_call")
        )
        types, calls = ([name for (name,) in rows] for rows in found)
        return types, calls

    def counts(self, reviewer: str = "", board_type: str = "") -> tuple[int, str]:
        """How many joints wait, and since when the first of them does; of a reviewer those left to him."""
        mine, values = (f" AND {_OPEN}", [reviewer]) if reviewer else ("", [])
        ((count, since),) = self._database.rows(
            "SELECT COUNT(*), COALESCE(MIN(time), '') FROM joints WHERE settled = 0 "  # noqa: S608
            f"AND (? = '' OR board_type = ?){mine}",
            (board_type, board_type, *values),
        )
        return count, since

    def said_so_far(self) -> dict[str, int]:
        """How often each decision was taken, here and elsewhere; one that can still be undone was not."""
        rows = self._database.rows(
            "SELECT what, SUM(count) FROM tallies WHERE what IN (SELECT value FROM json_each(?)) GROUP BY what",
            (msgspec.json.encode([said.value for said in Said]).decode(),),
        )
        return {what: int(count) for what, count in rows if count}

    def joint(self, event_id: str) -> Joint | None:
        rows = self._database.rows(f"SELECT {COLUMNS} FROM joints WHERE event_id = ?", (event_id,))  # noqa: S608
        return Joint(*rows[0]) if rows else None

    def state_of(self, event_id: str) -> State:
        """Of a joint that there is."""
        ((settled, held),) = self._database.rows("SELECT settled, held FROM joints WHERE event_id = ?", (event_id,))
        return State(waits=not settled, held=bool(held))

    def good_ones(self, like: Joint, most: int) -> list[Joint]:
        """Joints of the same board type and name that a reviewer called good, the latest first."""
        rows = self._database.rows(
            f"SELECT {COLUMNS} FROM joints WHERE board_type = ? AND joint = ? AND released = 0 AND settled = 1 "  # noqa: S608
            "AND known = '' AND event_id != ? AND NOT EXISTS (SELECT 1 FROM reviews WHERE "
            "reviews.event_id = joints.event_id AND decision = 'defect') ORDER BY place DESC LIMIT ?",
            (like.board_type, like.joint, like.event_id, most),
        )
        return [Joint(*row) for row in rows]

    def said_of(self, event_id: str) -> list[tuple[str, str]]:
        """Reviewers and what each said since the joint waits, in the order it was said."""
        return self._database.rows(
            f"SELECT reviewer, decision FROM reviews JOIN joints ON {SINCE} WHERE joints.event_id = ? "  # noqa: S608
            "ORDER BY number",
            (event_id,),
        )

    # What is decided here.

    def decide(self, decided: Decided, now: float, undo_s: float = 0.0) -> Standing | None:
        """Write a review down, to be sent in ``undo_s`` or with the reviewer's next; which decisions stand by that.
        ``now``: seconds since the epoch. None where this reviewer has said something of that joint already, or it is
        not for reviewers: nothing is written.
        """
        joint = self.joint(decided.event_id)
        if joint is None:
            return None
        review_id = str(uuid.uuid4())
        payload = _payload(review_id, joint, decided, self._station)
        with self._database.transaction() as db:
            barred = (
                "SELECT 1 FROM reviews WHERE event_id = :event AND reviewer = :reviewer UNION ALL "
                "SELECT 1 FROM joints WHERE event_id = :event AND (released OR held)"
            )
            if db.execute(barred, {"event": decided.event_id, "reviewer": decided.reviewer}).fetchone():
                return None
            # Only the last decision of a reviewer can be undone: those before may be sent.
            before = db.execute(
                "UPDATE reviews SET due = 0 WHERE sent = 0 AND due > 0 AND reviewer = ? RETURNING event_id",
                (decided.reviewer,),
            ).fetchall()
            db.execute(
                "INSERT INTO reviews (review_id, event_id, decision, reviewer, payload, due, time, seconds, day) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(review_id, decided.event_id, decided.decision.value, decided.reviewer, payload),
                    *(now + undo_s, decided.time, decided.seconds, day_of(now)),
                ),
            )
            settle(db, [decided.event_id])
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
            settle(db, [event_id])
        return str(event_id)


def _payload(review_id: str, joint: Joint, decided: Decided, station: str) -> bytes:
    place = joint.place
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
            seconds=None if decided.seconds is None else round(decided.seconds, 2),
            blind=True,
            view=place.view,
            roi=place.roi,
            files=place.files,
        )
    )


def _conditions(wanted: Wanted) -> tuple[str, list[object]]:
    conditions, values = ["settled = 0"], list[object]()
    for column in ("board_type", "machine_call", "serial", "event_id"):
        value = getattr(wanted, column)
        if value:
            conditions.append(f"{column} = ?")
            values.append(value)
    if wanted.doubted is not None:
        among = "reason IN (SELECT value FROM json_each(?))"
        conditions.append(among if wanted.doubted else f"NOT ({among})")
        values.append(msgspec.json.encode(sorted(PICTURES_DOUBTED)).decode())
    return " AND ".join(conditions), values
