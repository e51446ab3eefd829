"""The journal's reviews: each once, with the joint that it is about and what was said of that."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from edge.adapters.journal.connection import Connection
from edge.core.payloads import ReviewTotals
from edge.core.review import Review, Said
from edge.core.verdict import Reason
from edge.core.wire import timestamp
from edge.feedback.ports import Entered

_VERDICTS = (
    "SELECT verdict.event_id, job.job_id, job.serial, verdict.joint, job.board_type, verdict.joint_type, "
    "verdict.digest, verdict.p_defect, verdict.reason, verdict.quality_index "
    "FROM verdict JOIN job ON job.row = verdict.job WHERE "
)
_BY_EVENT = _VERDICTS + "verdict.event_id = ?"
_BY_JOB = _VERDICTS + "job.job_id = ? AND verdict.joint = ?"
_BY_BOARD = _VERDICTS + "job.serial = ? AND verdict.joint = ?"
_ENTER = (
    "INSERT INTO review (review_id, decision, reviewer, time, said_event, job_id, serial, joint, defect_class, "
    "station, seconds, blind, settled, source, received, problem) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_PLACE = (
    "UPDATE review SET event_id = ?, job_id = ?, serial = coalesce(?, serial), joint = ?, board_type = ?, "
    "joint_type = ?, digest = ?, p_defect = ?, reason = ?, quality_index = ?, problem = NULL, "
    "placed = (SELECT coalesce(max(placed), 0) + 1 FROM review) WHERE review_id = ?"
)
_KNOWN = "SELECT 1 FROM review WHERE review_id = ?"
_SET_ASIDE = (
    "SELECT rowid, review_id, time, decision, reviewer, said_event, job_id, serial, joint FROM review "
    "WHERE event_id IS NULL AND rowid > ? AND (received >= ? OR settled = 1) ORDER BY rowid LIMIT ?"
)
_TOTALS = "SELECT count(event_id), count(*) - count(event_id) FROM review"
_LOOKED_AT_ONCE = 2_000
_INSPECTIONS = "SELECT count(*) FROM job WHERE serial = ? AND state <> 'refused'"
_UNNAMED = "SELECT 1 FROM job WHERE serial IS NULL AND opened >= ? LIMIT 1"
"""Of a version that did not keep serials; one of these may be the board's."""
_UPDATED = timedelta(days=7)
"""How long reviews of what was inspected before an update may take."""
_UNSOUGHT = "not looked for yet"


class _Verdict(NamedTuple):
    event_id: str
    job_id: str
    serial: str | None
    joint: str
    board_type: str | None
    joint_type: str | None
    digest: str | None
    p_defect: float | None
    reason: str | None
    quality_index: float | None


class JournalReviews:
    """One connection to the journal; use it from one thread."""

    def __init__(self, path: Path) -> None:
        """Raises JournalError."""
        self._connection = Connection(path)
        self._db = self._connection.db
        self._looked_at = 0

    def close(self) -> None:
        self._connection.close()

    def enter(self, reviews: Sequence[Review], source: str, now: datetime) -> Entered:
        """Each once, by its id, in one durable transaction. One of a joint that is not known here is set aside."""
        new = again = 0
        aside = []
        with self._connection.transaction():
            for review in reviews:
                if self._db.execute(_KNOWN, (review.review_id,)).fetchone() is not None:
                    again += 1
                    continue
                new += 1
                self._db.execute(_ENTER, (*_row(review), source, timestamp(now), _UNSOUGHT))
                problem = self._place(review, now)
                if problem:
                    aside.append((review, problem))
        return Entered(new, again, tuple(aside))

    def totals(self) -> ReviewTotals:
        """How many there are."""
        with self._connection.reading():
            ((counted, aside),) = self._db.execute(_TOTALS).fetchall()
        return ReviewTotals(counted=counted, set_aside=aside)

    def reconsider(self, since: datetime | None, now: datetime) -> int:
        """Those that were set aside (after ``since``), of joints that may be known by now: a journal that was lost is
        filled anew. How many are placed. It looks at some of them each time, in turn, and writes only what is placed.
        """
        with self._connection.reading():
            oldest = "" if since is None else timestamp(since)
            aside = self._db.execute(_SET_ASIDE, (self._looked_at, oldest, _LOOKED_AT_ONCE)).fetchall()
            reviews = [Review(name, time, Said(decision), *rest) for _, name, time, decision, *rest in aside]
            found = [review for review in reviews if not isinstance(self._verdict_on(review, now), str)]
        self._looked_at = aside[-1][0] if len(aside) == _LOOKED_AT_ONCE else 0
        if not found:
            return 0
        with self._connection.transaction():
            return sum(not self._place(review, now) for review in found)

    def _place(self, review: Review, now: datetime) -> str:
        """Put a review that is entered to the verdict it is about; or say why that cannot be done."""
        found = self._verdict_on(review, now)
        if isinstance(found, str):
            self._db.execute("UPDATE review SET problem = ? WHERE review_id = ?", (found, review.review_id))
            return found
        self._db.execute(_PLACE, (*found, review.review_id))
        return ""

    def _verdict_on(self, review: Review, now: datetime) -> _Verdict | str:
        """The verdict that a review is about, or why there is none. Nothing is guessed."""
        if review.event_id:
            return self._of_event(review)
        if review.job_id:
            found = self._verdicts(_BY_JOB, review.job_id, review.joint)
            if found or not (review.serial and review.job_id.startswith(f"{review.serial}_")):
                judged = [verdict for verdict in found if verdict.reason != Reason.JOB_REFUSED]  # sent again, corrected
                return _only(judged or found, f"job {review.job_id!r} has no joint {review.joint!r} here")
        return self._of_board(review, now)

    def _of_board(self, review: Review, now: datetime) -> _Verdict | str:
        """Of a board that was inspected once; an export that was repaired may call that otherwise than it was handed
        over.
        """
        if not review.serial:
            return "names neither event, job nor board; give event_id, or joint with job_id or serial"
        with_serial = self._verdicts(_BY_BOARD, review.serial, review.joint)
        own = [verdict for verdict in with_serial if not verdict.job_id.startswith(f"{review.serial}_")]
        found = _only(
            own if review.job_id else with_serial, f"board {review.serial!r} has no joint {review.joint!r} here"
        )
        if isinstance(found, str):
            return found
        ((inspections,),) = self._db.execute(_INSPECTIONS, (review.serial,)).fetchall()
        if inspections > 1:
            return f"board {review.serial!r} was inspected {inspections} times here; name event_id or job_id"
        if self._db.execute(_UNNAMED, (timestamp(now - _UPDATED),)).fetchone() is not None:
            return "jobs of before the last update are of unknown boards; name event_id or job_id"
        return found

    def _of_event(self, review: Review) -> _Verdict | str:
        row = self._db.execute(_BY_EVENT, (review.event_id,)).fetchone()
        if row is None:
            return f"event {review.event_id} is not known here"
        found = _Verdict(*row)
        if (review.joint or found.joint, review.job_id or found.job_id) != (found.joint, found.job_id):
            said = f"{review.joint} of {review.job_id}"
            return f"event {review.event_id} is joint {found.joint} of job {found.job_id}, and not {said}"
        return found

    def _verdicts(self, question: str, *words: str) -> list[_Verdict]:
        return [_Verdict(*row) for row in self._db.execute(question, words)]


def _only(found: Sequence[_Verdict], nothing: str) -> _Verdict | str:
    if len(found) > 1:
        return f"{len(found)} inspections hold that joint; name event_id"
    return found[0] if found else nothing


def _row(review: Review) -> tuple[str | int | float | None, ...]:
    said = review.review_id, review.decision.value, review.reviewer, review.time
    where = review.event_id, review.job_id, review.serial, review.joint
    return *said, *where, review.defect_class, review.station, review.seconds, int(review.blind), int(review.settled)
