"""The journal's reviews: each once, with the joint that it is about and what was said of that."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from edge.adapters.journal.connection import Connection
from edge.core.payloads import ReviewTotals
from edge.core.review import Review, Said
from edge.core.wire import timestamp
from edge.feedback.ports import Entered

_VERDICTS = (
    "SELECT verdict.event_id, job.job_id, job.serial, verdict.joint, job.board_type, verdict.joint_type, "
    "verdict.digest, verdict.p_defect, verdict.reason FROM verdict JOIN job ON job.row = verdict.job WHERE "
)
_BY_EVENT = _VERDICTS + "verdict.event_id = ?"
_BY_JOB = _VERDICTS + "job.job_id = ? AND verdict.joint = ?"
_BY_BOARD = _VERDICTS + "job.serial = ? AND verdict.joint = ?"
_ENTER = (
    "INSERT INTO review (review_id, decision, reviewer, time, said_event, job_id, serial, joint, defect_class, "
    "station, seconds, blind, source, received, problem) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_PLACE = (
    "UPDATE review SET event_id = ?, job_id = ?, serial = coalesce(?, serial), joint = ?, board_type = ?, "
    "joint_type = ?, digest = ?, p_defect = ?, reason = ?, problem = NULL WHERE review_id = ?"
)
_KNOWN = "SELECT 1 FROM review WHERE review_id = ?"
_SET_ASIDE = (
    "SELECT review_id, time, decision, reviewer, said_event, job_id, serial, joint FROM review "
    "WHERE event_id IS NULL AND received >= ? ORDER BY rowid"
)
_TOTALS = "SELECT count(event_id), count(*) - count(event_id) FROM review"
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


class JournalReviews:
    """One connection to the journal; use it from one thread."""

    def __init__(self, path: Path) -> None:
        """Raises JournalError."""
        self._connection = Connection(path)
        self._db = self._connection.db

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
                problem = self._place(review)
                if problem:
                    aside.append((review, problem))
        return Entered(new, again, tuple(aside))

    def totals(self) -> ReviewTotals:
        """How many there are."""
        with self._connection.reading():
            ((counted, aside),) = self._db.execute(_TOTALS).fetchall()
        return ReviewTotals(counted=counted, set_aside=aside)

    def reconsider(self, since: datetime | None) -> int:
        """Those that were set aside (after ``since``), of joints that may be known by now: a journal that was lost is
        filled anew. How many are placed.
        """
        placed = 0
        with self._connection.reading():
            aside = self._db.execute(_SET_ASIDE, ("" if since is None else timestamp(since),)).fetchall()
        if not aside:
            return 0
        with self._connection.transaction():
            for review_id, time, decision, *rest in aside:
                placed += not self._place(Review(review_id, time, Said(decision), *rest))
        return placed

    def _place(self, review: Review) -> str:
        """Put a review that is entered to the verdict it is about; or say why that cannot be done."""
        found = self._verdict_on(review)
        if isinstance(found, str):
            self._db.execute("UPDATE review SET problem = ? WHERE review_id = ?", (found, review.review_id))
            return found
        self._db.execute(_PLACE, (*found, review.review_id))
        return ""

    def _verdict_on(self, review: Review) -> _Verdict | str:
        """The verdict that a review is about, or why there is none."""
        if review.event_id:
            return self._of_event(review)
        if review.job_id:
            found = self._verdicts(_BY_JOB, review.job_id, review.joint)
            if found or not review.job_id.startswith(f"{review.serial}_"):
                return _only(found, f"job {review.job_id!r} has no joint {review.joint!r} here")
        # An export that was repaired is of the board's only inspection here, whatever that was called as it came.
        found = self._verdicts(_BY_BOARD, review.serial, review.joint)
        if review.job_id:
            found = [verdict for verdict in found if not verdict.job_id.startswith(f"{review.serial}_")]
        return _only(found, f"board {review.serial!r} has no joint {review.joint!r} here")

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
        return f"{len(found)} inspections hold that joint; name event_id, or the job_id of one"
    return found[0] if found else nothing


def _row(review: Review) -> tuple[str | int | float | None, ...]:
    said = review.review_id, review.decision.value, review.reviewer, review.time
    where = review.event_id, review.job_id, review.serial, review.joint
    return *said, *where, review.defect_class, review.station, review.seconds, int(review.blind)
