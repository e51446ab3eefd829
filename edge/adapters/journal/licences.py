"""The journal's evidence for licences, what was done to them, and what was said of them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from edge.adapters.journal.connection import Connection
from edge.core.evidence import Count
from edge.core.licence import Act, Deed
from edge.core.review import Said
from edge.core.wire import Message, timestamp
from edge.feedback.ports import ActHeld, Answered, Key, LicenceSaid, Spoken

_SPOKEN = (
    "SELECT placed, rowid, event_id, board_type, joint_type, digest, coalesce(p_defect, quality_index), "
    "decision, reviewer, settled, sampled FROM review WHERE placed > :after AND ("
    "sampled = 1 AND digest IN (SELECT value FROM json_each(:digests)) "
    "OR event_id IN (SELECT event_id FROM review WHERE settled = 1)) "
    "UNION ALL SELECT placed, review.rowid, event_id, board_type, joint_type, replayed.digest, score, "
    "decision, reviewer, settled, sampled FROM review JOIN replayed USING (event_id) WHERE placed > :after "
    "AND sampled = 1 AND replayed.digest IN (SELECT value FROM json_each(:digests)) ORDER BY placed LIMIT :most"
)
_REVIEWED = (
    "SELECT event_id, job_id, joint FROM review WHERE sampled = 1 AND digest <> ? "
    "AND event_id NOT IN (SELECT event_id FROM review WHERE settled = 1 AND event_id IS NOT NULL) "
    "GROUP BY event_id HAVING min(received) > ?"
)
_ENTER_SCORE = "INSERT OR REPLACE INTO replayed (event_id, digest, score) VALUES (?, ?, ?)"
_ACTS = "SELECT board_type, joint_type, digest, deed, by, reason, point, after FROM act ORDER BY row"
_ENTER_ACT = (
    "INSERT INTO act (time, board_type, joint_type, digest, deed, by, reason, point, after) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, (SELECT coalesce(max(placed), 0) FROM review))"
)
_ANSWERED = (
    "SELECT board_type, joint_type, digest, sum(begun), sum(begun AND reviewed), sum(old), sum(old AND reviewed) FROM ("
    "SELECT job.board_type, verdict.joint_type, verdict.digest, verdict.decided < ? AS old, "
    "EXISTS (SELECT 1 FROM review WHERE review.event_id = verdict.event_id AND decision <> 'unsure') AS reviewed, "
    "verdict.job IN (SELECT other.job FROM review JOIN verdict AS other ON other.event_id = review.event_id) AS begun "
    "FROM verdict JOIN job ON job.row = verdict.job WHERE verdict.sampled = 1 "
    "AND verdict.event_id NOT IN (SELECT event_id FROM review WHERE settled = 1 AND event_id IS NOT NULL)"
    ") GROUP BY board_type, joint_type, digest"
)
_SAID = "SELECT board_type, joint_type, digest, said FROM licence"
_KEEP = "DELETE FROM licence WHERE digest NOT IN (SELECT value FROM json_each(?))"
_SAY = "INSERT OR REPLACE INTO licence (board_type, joint_type, digest, said) VALUES (?, ?, ?, ?)"
_QUEUE = "INSERT INTO outbox (topic, payload, retain) VALUES (?, ?, ?)"
_AT_ONCE = 20_000


class Reviewed(NamedTuple):
    """A joint that was reviewed."""

    event_id: str
    job_id: str
    joint: str


class JournalLicences:
    """One connection to the journal; use it from one thread."""

    def __init__(self, path: Path) -> None:
        """Raises JournalError."""
        self._connection = Connection(path)
        self._db = self._connection.db

    def close(self) -> None:
        self._connection.close()

    def spoken(self, after: int, digests: Collection[str]) -> list[Spoken]:
        """Reviews of joints that these bundles judged and the coin drew, and of joints whose truth was settled; some
        of those that were placed after that many, in that order.
        """
        with self._connection.reading():
            asked = {"after": after, "digests": json.dumps(sorted(digests)), "most": _AT_ONCE}
            rows = self._db.execute(_SPOKEN, asked).fetchall()
        if len(rows) == _AT_ONCE:  # what belongs to the last one may have been cut off
            rows = [row for row in rows if row[0] < rows[-1][0]]
        return [
            Spoken(
                placed,
                entered,
                event,
                Key(board or "", joint or "", digest or ""),
                score,
                Said(said),
                who,
                *map(bool, of),
            )
            for placed, entered, event, board, joint, digest, score, said, who, *of in rows
        ]

    def reviewed(self, since: datetime, digest: str) -> list[Reviewed]:
        """Joints that the coin drew, judged by other bundles than this one, of which every review came later."""
        with self._connection.reading():
            return [Reviewed(*row) for row in self._db.execute(_REVIEWED, (digest, timestamp(since)))]

    def enter_scores(self, digest: str, scores: Iterable[tuple[str, float]]) -> None:
        """What this bundle makes of reviewed joints, by event_id; durably."""
        with self._connection.transaction():
            self._db.executemany(_ENTER_SCORE, [(event, digest, score) for event, score in scores])

    def placed(self) -> int:
        """How many reviews are of known joints."""
        with self._connection.reading():
            return int(self._db.execute("SELECT coalesce(max(placed), 0) FROM review").fetchone()[0])

    def acts(self) -> list[ActHeld]:
        """All that was ever done, in order."""
        with self._connection.reading():
            rows = self._db.execute(_ACTS).fetchall()
        return [
            ActHeld(board, joint, digest, Act(Deed(deed), by, reason, point), after)
            for board, joint, digest, deed, by, reason, point, after in rows
        ]

    def enter(self, acts: Iterable[ActHeld], now: datetime) -> None:
        """Durably, and counted from the reviews that are placed now."""
        with self._connection.transaction():
            for board, joint, digest, act, _ in acts:
                row = timestamp(now), board, joint, digest, act.deed.value, act.by, act.reason, act.point
                self._db.execute(_ENTER_ACT, row)

    def answered(self, before: datetime) -> dict[Key, Answered]:
        """How many of the joints that were drawn are reviewed, of verdicts that are still kept."""
        with self._connection.reading():
            rows = self._db.execute(_ANSWERED, (timestamp(before),)).fetchall()
        return {
            Key(board or "", joint or "", digest or ""): Answered(Count(told, begun), Count(told_old, old))
            for board, joint, digest, begun, told, old, told_old in rows
        }

    def said(self) -> dict[Key, bytes]:
        """What was said of each licence last."""
        with self._connection.reading():
            return {Key(*key): said for *key, said in self._db.execute(_SAID)}

    def keep(self, digests: Collection[str]) -> None:
        """Forget what was said of other bundles' licences."""
        with self._connection.transaction():
            self._db.execute(_KEEP, (json.dumps(sorted(digests)),))

    def say(self, licences: Sequence[LicenceSaid], alarms: Sequence[Message]) -> None:
        """Queue what changed, and remember that it was said, in one durable transaction."""
        with self._connection.transaction():
            for key, message in licences:
                self._db.execute(_SAY, (*key, message.payload))
            for message in (*(said.message for said in licences), *alarms):
                self._db.execute(_QUEUE, (message.topic, message.payload, int(message.retain)))
