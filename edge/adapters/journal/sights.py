"""The journal's sights of views, and the references that were learnt of them."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime
from pathlib import Path

import msgspec

from edge.adapters.journal.connection import Connection
from edge.core.looks import Sight
from edge.core.reference import Known, Reference, known_of
from edge.core.review import Said
from edge.core.wire import timestamp
from edge.feedback.sight_book import Place, SightHeld, Word
from edge.feedback.sights import MOST_OF_A_VIEW

_LEARNT = "SELECT view, number FROM reference WHERE board_type = ? ORDER BY number DESC"
_REFERENCE = "SELECT held FROM reference WHERE number = ?"
_ROOM = "SELECT count(*) < ? FROM sight WHERE board_type = ? AND view = ?"
_WAITING = "SELECT board_type, view, count(*) FROM sight GROUP BY 1, 2 HAVING count(*) >= ?"
_SIGHTS = "SELECT number, joints, seen FROM sight WHERE board_type = ? AND view = ? ORDER BY number"
_OF = "SELECT number, joints FROM sight WHERE board_type = ? AND view = ?"
_WORDS = (
    "SELECT sight.number, review.joint, review.decision, review.settled, review.digest, "
    "coalesce(review.p_defect, review.quality_index) "
    "FROM sight JOIN job ON job.row = sight.job JOIN review ON review.job_id = job.job_id "
    "WHERE sight.board_type = ? AND sight.view = ? AND review.event_id IS NOT NULL"
)
_STAMP = "SELECT coalesce(max(number), 0), count(*), (SELECT coalesce(max(rowid), 0) FROM review) FROM sight"
_STILL = "SELECT count(*) FROM sight WHERE number IN (SELECT value FROM json_each(?))"
_FORGET = "DELETE FROM sight WHERE number IN (SELECT value FROM json_each(?))"
_LEARN = "INSERT INTO reference (board_type, view, learnt, held) VALUES (?, ?, ?, ?)"
_DROP = (
    "DELETE FROM reference WHERE board_type = ? AND view = ? AND number NOT IN "
    "(SELECT number FROM reference WHERE board_type = ? AND view = ? ORDER BY number DESC LIMIT ?)"
)
_EXPIRE = (
    "DELETE FROM sight WHERE taken < ? OR number IN (SELECT number FROM (SELECT number, row_number() OVER "
    "(PARTITION BY board_type ORDER BY number DESC) AS place FROM sight) WHERE place > ?)"
)
_FORGET_REFERENCES = "DELETE FROM reference WHERE board_type = ? AND (view = ? OR ? IS NULL)"
_FORGET_SIGHTS = "DELETE FROM sight WHERE board_type = ? AND (view = ? OR ? IS NULL)"
_REFERENCES = 5
"""Of one view: revisions of a board, and machines, may take turns."""


class JournalSights:
    """One connection to the journal; use it from one thread."""

    def __init__(self, path: Path) -> None:
        """Raises JournalError."""
        self._connection = Connection(path)
        self._db = self._connection.db

    def close(self) -> None:
        self._connection.close()

    # --- what inspection asks ---

    def learnt(self, board_type: str) -> dict[str, list[int]]:
        """View -> its references' numbers, the newest first."""
        found: dict[str, list[int]] = {}
        with self._connection.reading():
            for view, number in self._db.execute(_LEARNT, (board_type,)):
                found.setdefault(view, []).append(number)
        return found

    def reference(self, number: int) -> bytes:
        """As it was written down; empty where it is gone."""
        with self._connection.reading():
            found = self._db.execute(_REFERENCE, (number,)).fetchone()
        return bytes(found[0]) if found else b""

    def wanted(self, board_type: str, view: str) -> bool:
        """Is there room for one more sight of it, to learn from?"""
        with self._connection.reading():
            return bool(self._db.execute(_ROOM, (MOST_OF_A_VIEW, board_type, view)).fetchone()[0])

    # --- what feedback does ---

    def waiting(self, least: int) -> list[tuple[Place, int]]:
        """Views with at least that many sights, and how many."""
        with self._connection.reading():
            rows = self._db.execute(_WAITING, (least,)).fetchall()
        return [(Place(board_type, view), count) for board_type, view, count in rows]

    def sights(self, place: Place) -> list[SightHeld]:
        """Of a view, the oldest first; without those that another version wrote in another way."""
        with self._connection.reading():
            rows = self._db.execute(_SIGHTS, place).fetchall()
        found = []
        for number, joints, seen in rows:
            try:
                found.append(SightHeld(number, tuple(json.loads(joints)), msgspec.msgpack.decode(seen, type=Sight)))
            except msgspec.DecodeError:
                continue
        return found

    def stamp(self) -> tuple[int, int, int]:
        """Another one, once there are other sights or reviews."""
        with self._connection.reading():
            (found,) = self._db.execute(_STAMP).fetchall()
        newest, count, reviews = found
        return newest, count, reviews

    def words(self, place: Place) -> list[Word]:
        """What reviewers said of the joints of its sights."""
        with self._connection.reading():
            there = {number: set(json.loads(joints)) for number, joints in self._db.execute(_OF, place)}
            rows = self._db.execute(_WORDS, place).fetchall()
        return [
            Word(number, joint, Said(said), bool(settled), digest, score)
            for number, joint, said, settled, digest, score in rows
            if joint in there.get(number, ())
        ]

    def learn(self, place: Place, reference: Reference, used: Collection[int], now: datetime) -> bool:
        """Keep the reference, and forget the view's sights; durably. Not where a sight that it was learnt from has gone
        meanwhile: somebody had it forgotten.
        """
        with self._connection.transaction():
            ((left,),) = self._db.execute(_STILL, (json.dumps(sorted(used)),)).fetchall()
            if left < len(used):
                return False
            self._db.execute(_LEARN, (*place, timestamp(now), msgspec.msgpack.encode(reference)))
            self._db.execute(_DROP, (*place, *place, _REFERENCES))
            self._db.execute(_FORGET_SIGHTS, (*place, place.view))
        return True

    def references(self, board_type: str, without: str) -> dict[str, Known]:
        """The newest of every other view of the board type that can be read."""
        found = {}
        for view, numbers in self.learnt(board_type).items():
            newest = known_of(self.reference(numbers[0])) if view != without else None
            if newest is not None:
                found[view] = newest
        return found

    def forget_sights(self, numbers: Collection[int]) -> None:
        """Nothing is to be learnt from these."""
        with self._connection.transaction():
            self._db.execute(_FORGET, (json.dumps(sorted(numbers)),))

    def expire(self, before: datetime, most: int) -> None:
        """Forget sights taken before then, and the oldest where there are more than ``most`` of a board type."""
        with self._connection.transaction():
            self._db.execute(_EXPIRE, (timestamp(before), most))

    # --- what people ask ---

    def forget(self, board_type: str, view: str | None = None) -> int:
        """Drop what was learnt of a view, or of all of the board type's, to learn it anew: how many references, and
        sights.
        """
        with self._connection.transaction():
            asked = board_type, view, view
            sights = self._db.execute(_FORGET_SIGHTS, asked).rowcount
            return sights + self._db.execute(_FORGET_REFERENCES, asked).rowcount
