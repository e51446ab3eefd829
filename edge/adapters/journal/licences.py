"""The journal's evidence for licences, what was done to them, and what was said of them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from edge.adapters.journal.connection import Connection
from edge.adapters.journal.store import QUEUE, outbox_row
from edge.core.evidence import Count
from edge.core.licence import Act, Deed
from edge.core.review import Said
from edge.core.wire import Message, timestamp
from edge.feedback.ports import ActHeld, Answered, Key, LicenceSaid, Spoken

_REVIEWS = (
    "SELECT placed, review.rowid, event_id, review.board_type, review.joint_type, review.digest, "
    "coalesce(p_defect, quality_index), decision, reviewer, job_id, coalesce(decided, received), settled, "
    "decided IS NOT NULL, review.reason IS NULL FROM review LEFT JOIN sample USING (event_id) "
)
_BEFORE = _REVIEWS + "WHERE placed <= :after AND event_id IN (SELECT value FROM json_each(:events)) ORDER BY placed"  # noqa: S608
_SPOKEN = _REVIEWS + (  # noqa: S608
    "WHERE placed > :after AND ("
    "(decided IS NOT NULL OR decision = 'defect' AND review.reason IS NULL) "
    "AND review.digest IN (SELECT value FROM json_each(:digests)) "
    "OR event_id IN (SELECT event_id FROM review WHERE settled = 1)) "
    "UNION ALL SELECT placed, review.rowid, event_id, review.board_type, review.joint_type, replayed.digest, score, "
    "decision, reviewer, job_id, decided, settled, 1, 1 "
    "FROM review JOIN replayed USING (event_id) JOIN sample USING (event_id) WHERE placed > :after "
    "AND replayed.digest IN (SELECT value FROM json_each(:digests)) ORDER BY placed LIMIT :most"
)
_REVIEWED = (
    "SELECT event_id, job_id, joint FROM review JOIN sample USING (event_id) WHERE review.digest <> ? "
    "AND event_id NOT IN (SELECT event_id FROM review WHERE settled = 1 AND event_id IS NOT NULL) "
    "GROUP BY event_id HAVING min(received) > ?"
)
_ENTER_SCORE = "INSERT OR REPLACE INTO replayed (event_id, digest, score) VALUES (?, ?, ?)"
_ACTS = "SELECT board_type, joint_type, digest, deed, by, reason, point, after, time FROM act ORDER BY row"
_ENTER_ACT = (
    "INSERT INTO act (time, board_type, joint_type, digest, deed, by, reason, point, after) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, (SELECT coalesce(max(placed), 0) FROM review))"
)
_ANSWERED = (
    "WITH looked AS MATERIALIZED (SELECT sample.*, "
    "(SELECT min(received) FROM review WHERE review.event_id = sample.event_id AND decision <> 'unsure' "
    "AND settled = 0 AND reviewer IN (SELECT value FROM json_each(:reviewers))) AS told "
    "FROM sample WHERE event_id NOT IN (SELECT event_id FROM review WHERE settled = 1 AND event_id IS NOT NULL)), "
    "begun AS MATERIALIZED (SELECT job, min(told) <= :lately AS ended FROM looked WHERE told IS NOT NULL "
    "GROUP BY job), "
    "last AS MATERIALIZED (SELECT *, row_number() OVER ("
    "PARTITION BY board_type, joint_type, digest ORDER BY decided DESC) AS number FROM looked WHERE decided < :before) "
    "SELECT board_type, joint_type, digest, count(*), count(told), sum(ended), sum(ended AND told IS NOT NULL), 0, 0 "
    "FROM looked JOIN begun USING (job) GROUP BY 1, 2, 3 "
    "UNION ALL SELECT board_type, joint_type, digest, 0, 0, 0, 0, count(*), count(told) FROM last "
    "WHERE number <= :last GROUP BY 1, 2, 3"
)
_TOKENS = "SELECT value FROM note WHERE key IN ('token', 'token before') ORDER BY key"
_LAST = 40
"""Joints that the last ones are, of those drawn some time ago."""
_SAID = "SELECT board_type, joint_type, digest, said FROM licence"
_KEEP = (
    "DELETE FROM licence WHERE digest NOT IN (SELECT value FROM json_each(?)) "
    "RETURNING board_type, joint_type, digest, said"
)
_SAY = "INSERT OR REPLACE INTO licence (board_type, joint_type, digest, said) VALUES (?, ?, ?, ?)"
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
        """Reviews of joints that these bundles judged and the coin drew, or that they call defects, and of joints whose
        truth was settled: some of those that were placed after that many, in that order. With what settles the truth
        of a joint all that was said of it before.
        """
        with self._connection.reading():
            asked = {"after": after, "digests": json.dumps(sorted(digests)), "most": _AT_ONCE}
            rows = self._db.execute(_SPOKEN, asked).fetchall()
            if len(rows) == _AT_ONCE:  # what belongs to the last one may have been cut off
                rows = [row for row in rows if row[0] < rows[-1][0]]
            found = [_spoken(row) for row in rows]
            settled = sorted({spoken.event_id for spoken in found if spoken.settled})
            before = self._db.execute(_BEFORE, {"after": after, "events": json.dumps(settled)}).fetchall()
        return [*map(_spoken, before), *found]

    def reviewed(self, since: datetime, digest: str) -> list[Reviewed]:
        """Joints that the coin drew, judged by other bundles than this one, of which every review came later."""
        with self._connection.reading():
            return [Reviewed(*row) for row in self._db.execute(_REVIEWED, (digest, timestamp(since)))]

    def enter_scores(self, digest: str, scores: Iterable[tuple[str, float]]) -> None:
        """What this bundle makes of reviewed joints, by event_id; durably."""
        with self._connection.transaction():
            self._db.executemany(_ENTER_SCORE, [(event, digest, score) for event, score in scores])

    def tokens(self) -> tuple[str, ...]:
        """The token of what it holds, and the one before."""
        with self._connection.reading():
            return tuple(token for (token,) in self._db.execute(_TOKENS))

    def renew(self, token: str) -> None:
        """What it holds has changed; durably."""
        with self._connection.transaction():
            self._db.execute("INSERT OR REPLACE INTO note SELECT 'token before', value FROM note WHERE key = 'token'")
            self._db.execute("INSERT OR REPLACE INTO note VALUES ('token', ?)", (token,))

    def acts(self) -> list[ActHeld]:
        """All that was ever done, in order."""
        with self._connection.reading():
            rows = self._db.execute(_ACTS).fetchall()
        return [
            ActHeld(board, joint, digest, Act(Deed(deed), by, reason, point), after, time)
            for board, joint, digest, deed, by, reason, point, after, time in rows
        ]

    def enter(self, acts: Iterable[ActHeld], now: datetime) -> None:
        """Durably, and counted from the reviews that are placed now."""
        with self._connection.transaction():
            for board, joint, digest, act, *_ in acts:
                row = timestamp(now), board, joint, digest, act.deed.value, act.by, act.reason, act.point
                self._db.execute(_ENTER_ACT, row)

    def answered(self, lately: datetime, before: datetime, reviewers: Collection[str]) -> dict[Key, Answered]:
        """How many of the joints that were drawn are reviewed by any of these; ``ended``: of boards whose reviews began
        before ``lately``; ``old``: of the last of those decided before then.
        """
        asked = {
            "lately": timestamp(lately),
            "before": timestamp(before),
            "reviewers": json.dumps(sorted(reviewers)),
            "last": _LAST,
        }
        with self._connection.reading():
            rows = self._db.execute(_ANSWERED, asked).fetchall()
        found: dict[Key, Answered] = {}
        for board, joint, digest, *counts in rows:
            key = Key(board, joint, digest)
            pairs = zip(found.get(key, Answered()), zip(counts[1::2], counts[::2], strict=True), strict=True)
            found[key] = Answered(*(Count(sofar.hits + hits, sofar.total + total) for sofar, (hits, total) in pairs))
        return found

    def said(self) -> dict[Key, bytes]:
        """What was said of each licence last."""
        with self._connection.reading():
            return {Key(*key): said for *key, said in self._db.execute(_SAID)}

    def keep(self, digests: Collection[str]) -> dict[Key, bytes]:
        """Forget what was said of other bundles' licences: that."""
        with self._connection.transaction():
            return {Key(*key): said for *key, said in self._db.execute(_KEEP, (json.dumps(sorted(digests)),))}

    def tell(self, messages: Sequence[Message]) -> None:
        """Queue these, durably."""
        self.say((), messages)

    def say(self, licences: Sequence[LicenceSaid], alarms: Sequence[Message]) -> None:
        """Queue what changed, and remember that it was said, in one durable transaction."""
        with self._connection.transaction():
            for key, message in licences:
                self._db.execute(_SAY, (*key, message.payload))
            for message in (*(said.message for said in licences), *alarms):
                self._db.execute(QUEUE, outbox_row(message))


def _spoken(row: tuple[Any, ...]) -> Spoken:
    """As the question's columns are."""
    placed, entered, event, board, joint, digest, score, said, who, job_id, decided, settled, sampled, judged = row
    key = Key(board or "", joint or "", digest or "")
    said, settled, sampled, judged = Said(said), bool(settled), bool(sampled), bool(judged)
    return Spoken(placed, entered, event, key, score, said, who, settled, sampled, job_id, decided, judged)
