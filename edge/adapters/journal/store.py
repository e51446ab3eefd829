"""The journal: jobs, verdicts and outbox in SQLite.

A joint is *expected* once its job is entered, *decided* once it has a verdict row (its message is queued in the same
transaction), and *acknowledged* once the broker's PUBACK struck that message from the outbox. What lies between, on
the wire, is not written down: after a crash it is simply sent again.

Write-ahead log with synchronous=FULL: a commit that returned survives a power cut. Each thread opens a connection of
its own; what one commits, the others see.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from msgspec import UnsetType
from msgspec.msgpack import encode

from edge.adapters.journal.connection import Connection
from edge.core.errors import JobRefused
from edge.core.places import JobState
from edge.core.wire import Message, VerdictMessage, timestamp
from edge.inspection.ports import JobEntry, Shown
from edge.reporting.ports import Queued

FORGOTTEN = -1
"""Joints expected of a job whose verdicts were dropped when all had been acknowledged."""

_ENTER_JOB = (
    "INSERT INTO job (content, job_id, expected, opened) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (content) DO UPDATE SET tries = tries + 1 RETURNING row, state, tries"
)
_NAME_BOARD = "UPDATE job SET serial = ?, board_type = ? WHERE row = ? AND serial IS NULL"
_FORGET_TRIES = "UPDATE job SET tries = 0 WHERE row = ? AND tries <> 0"
_CLASHING = "SELECT 1 FROM job WHERE job_id = ? AND content <> ? AND state <> 'refused' LIMIT 1"
_DECIDED = "SELECT joint, verdict, route FROM verdict WHERE job = ? ORDER BY rowid"
_GRADES = "SELECT grade, count(*) FROM verdict WHERE job = ? AND grade IS NOT NULL GROUP BY grade"
_REASONS = (
    "SELECT reason, count(*) FROM verdict WHERE job = ? AND reason IS NOT NULL GROUP BY reason ORDER BY min(rowid)"
)
_ENTER_VERDICT = (
    "INSERT INTO verdict (event_id, job, joint, verdict, route, decided, grade, joint_type, digest, p_defect, reason, "
    "quality_index) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_TAKEN = (
    "SELECT verdict.joint FROM json_each(?) AS asked CROSS JOIN verdict ON verdict.event_id = asked.value "
    "WHERE verdict.job <> ? LIMIT 1"
)
QUEUE = "INSERT INTO outbox (topic, payload, retain, event_id) VALUES (?, ?, ?, ?)"
_SAMPLE = (
    "INSERT OR IGNORE INTO sample (event_id, job, board_type, joint_type, digest, decided) VALUES (?, ?, ?, ?, ?, ?)"
)
_SHOW = "INSERT OR IGNORE INTO picture (fingerprint, job, view) VALUES (?, ?, ?)"
_SHOWN = (
    "SELECT job.job_id FROM picture JOIN job ON job.row = picture.job "
    "WHERE fingerprint = ? AND NOT (picture.job = ? AND picture.view = ?) AND job.opened >= ? LIMIT 1"
)
_SIGHT = (
    "INSERT OR IGNORE INTO sight (job, board_type, view, taken, joints, seen) "
    "SELECT row, board_type, ?, opened, ?, ? FROM job WHERE row = ? AND board_type <> ''"
)
_FORGET_PICTURES = "DELETE FROM picture WHERE job <= (SELECT row FROM job WHERE opened < ? ORDER BY row DESC LIMIT 1)"
_CLOSE_JOB = "UPDATE job SET state = ?, closed = ? WHERE row = ? AND state = 'open'"
_PENDING = "SELECT seq, topic, payload, retain FROM outbox ORDER BY refusals, seq LIMIT ?"
_ACKNOWLEDGE = "UPDATE verdict SET acknowledged = ? WHERE event_id = (SELECT event_id FROM outbox WHERE seq = ?)"
_STRIKE = "DELETE FROM outbox WHERE seq = ?"
_PUT_BACK = "UPDATE outbox SET refusals = refusals + 1 WHERE seq = ?"
_SETTLED = "state <> 'open' AND NOT EXISTS (SELECT 1 FROM verdict WHERE verdict.job = job.row AND acknowledged IS NULL)"


class Journal:
    """One connection to the journal; use it from one thread."""

    def __init__(self, path: Path, *, examine: bool = False) -> None:
        """Open the journal, creating it where there is none; ``examine`` reads it through for damage first.

        Raises JournalDamaged when it is no longer a database, JournalError when it cannot be used for another reason.
        """
        self._connection = Connection(path, examine=examine)
        self._db = self._connection.db
        self._transaction, self._reading = self._connection.transaction, self._connection.reading

    def close(self) -> None:
        self._connection.close()

    # --- the inspection side ---

    def open_job(self, content: str, job_id: str, expected: int, now: datetime) -> JobEntry:
        """Enter a job, or find it again by its content; either way it counts as one more try."""
        with self._transaction():
            ((row, state, tries),) = self._db.execute(
                _ENTER_JOB, (content, job_id, expected, timestamp(now))
            ).fetchall()
            clash = self._db.execute(_CLASHING, (job_id, content)).fetchone() is not None
        return JobEntry(row, closed=state != JobState.OPEN, clash=clash, tries=tries)

    def leave_job(self, entry: JobEntry) -> None:
        """The try ended in good order, or for a reason outside the job: forget its tries."""
        with self._transaction():
            self._db.execute(_FORGET_TRIES, (entry.row,))

    def decided(self, entry: JobEntry) -> dict[str, tuple[str, str]]:
        """Joint -> (verdict, route) of what is decided already."""
        with self._reading():
            return {joint: (verdict, route) for joint, verdict, route in self._db.execute(_DECIDED, (entry.row,))}

    def grades(self, entry: JobEntry) -> dict[str, int]:
        """Grade -> joints of the job that were given it."""
        with self._reading():
            return dict(self._db.execute(_GRADES, (entry.row,)))

    def reasons(self, entry: JobEntry) -> dict[str, int]:
        """Reason -> joints of the job that went to the specialist for it."""
        with self._reading():
            return dict(self._db.execute(_REASONS, (entry.row,)))

    def record(self, entry: JobEntry, verdicts: Sequence[VerdictMessage], shown: Shown | None = None) -> None:
        """Verdicts, their outbox rows and what their view showed, in one durable transaction; a joint decided before
        stays as it was.

        This is progress, and so forgets the job's tries.
        """
        with self._transaction():
            self._db.execute(_FORGET_TRIES, (entry.row,))
            self._require_untaken(entry, verdicts)
            for board in {said.payload.board for said in verdicts}:
                self._db.execute(_NAME_BOARD, (board.serial, board.type, entry.row))
            known = self.decided(entry)
            fresh: dict[str, VerdictMessage] = {}
            for said in verdicts:
                if said.payload.joint not in known:
                    fresh.setdefault(said.payload.joint, said)
            self._db.executemany(_ENTER_VERDICT, [_verdict_row(entry, said) for said in fresh.values()])
            self._db.executemany(_SAMPLE, [_sample_row(entry, said) for said in fresh.values() if said.sampled])
            queued = [outbox_row(said.message, said.payload.event_id) for said in fresh.values()]
            self._db.executemany(QUEUE, queued)
            if shown is not None:
                pictures = [(fingerprint, entry.row, shown.view) for fingerprint in shown.fingerprints]
                self._db.executemany(_SHOW, pictures)
                if shown.sight is not None:
                    sight = json.dumps(shown.sight.boxes.joints), encode(shown.sight)
                    self._db.execute(_SIGHT, (shown.view, *sight, entry.row))

    def shown_before(self, entry: JobEntry, shown: Shown, since: datetime) -> str | None:
        """The id of a job entered since then, this one included, of which another view showed one of these pictures."""
        with self._reading():
            for fingerprint in shown.fingerprints:
                asked = fingerprint, entry.row, shown.view, timestamp(since)
                for (job_id,) in self._db.execute(_SHOWN, asked):
                    return str(job_id)
        return None

    def _require_untaken(self, entry: JobEntry, verdicts: Sequence[VerdictMessage]) -> None:
        asked = json.dumps([said.payload.event_id for said in verdicts])
        for (joint,) in self._db.execute(_TAKEN, (asked, entry.row)):
            raise JobRefused(
                f"job_id: {verdicts[0].payload.job_id!r}: joint {joint} was judged under this id before; "
                "give every job an id of its own"
            )

    def close_job(self, entry: JobEntry, messages: Sequence[Message], *, refused: bool, now: datetime) -> None:
        """Mark the job decided and queue its closing messages, in one durable transaction; once only."""
        with self._transaction():
            state = JobState.REFUSED if refused else JobState.DECIDED
            if self._db.execute(_CLOSE_JOB, (state.value, timestamp(now), entry.row)).rowcount == 1:
                for message in messages:
                    self._queue(message)

    def _queue(self, message: Message) -> None:
        self._db.execute(QUEUE, outbox_row(message))

    # --- the reporting side ---

    def pending(self, limit: int) -> list[Queued]:
        """The oldest unsent rows, in order; those that were put back come last."""
        with self._reading():
            rows = self._db.execute(_PENDING, (limit,)).fetchall()
        return [Queued(seq, Message(topic, payload, bool(retain))) for seq, topic, payload, retain in rows]

    def mark_sent(self, rows: Sequence[int], now: datetime) -> None:
        """Strike rows the broker has acknowledged."""
        with self._transaction():
            self._db.executemany(_ACKNOWLEDGE, [(timestamp(now), row) for row in rows])
            self._db.executemany(_STRIKE, [(row,) for row in rows])

    def put_back(self, rows: Sequence[int]) -> None:
        """Let rows the broker will not take wait behind all others; they are never dropped."""
        with self._transaction():
            self._db.executemany(_PUT_BACK, [(row,) for row in rows])

    def notify(self, message: Message) -> None:
        """Queue a message that belongs to no job."""
        with self._transaction():
            self._queue(message)

    # --- housekeeping ---

    def settled(self, content: str) -> bool:
        """Is the job closed, and every verdict on it acknowledged by the broker? A job not known here is not."""
        with self._reading():
            found = self._db.execute(f"SELECT {_SETTLED} FROM job WHERE content = ?", (content,)).fetchone()  # noqa: S608
        return bool(found and found[0])

    def waits(self, content: str) -> bool:
        """Does a joint of the job wait for its review? Never where no review ever came: there nobody reviews."""
        with self._reading():
            (found,) = self._db.execute(
                "SELECT EXISTS (SELECT 1 FROM review WHERE event_id IS NOT NULL) AND EXISTS (SELECT 1 FROM job "
                "JOIN verdict ON verdict.job = job.row WHERE content = ? AND route = 'specialist' AND NOT EXISTS "
                "(SELECT 1 FROM review WHERE review.event_id = verdict.event_id AND decision <> 'unsure'))",
                (content,),
            ).fetchone()
        return bool(found)

    def forget(self, contents: Sequence[str]) -> None:
        """Drop the verdicts on settled jobs; any other stays. That there was such a job is remembered: its id must not
        be used for another, whose verdicts would be taken for repetitions.
        """
        with self._transaction():
            for content in contents:
                found = self._db.execute(f"SELECT row FROM job WHERE content = ? AND {_SETTLED}", (content,)).fetchone()  # noqa: S608
                if found:
                    self._db.execute("DELETE FROM verdict WHERE job = ?", found)
                    self._db.execute("UPDATE job SET expected = ? WHERE row = ?", (FORGOTTEN, *found))

    def forget_pictures(self, before: datetime) -> None:
        """Those of jobs that were entered before then; they outlive the folders and verdicts of younger ones."""
        with self._transaction():
            self._db.execute(_FORGET_PICTURES, (timestamp(before),))

    def settled_before(self, moment: datetime) -> list[str]:
        """Contents of the settled jobs that were closed before ``moment``."""
        with self._reading():
            asked = f"SELECT content FROM job WHERE expected <> {FORGOTTEN} AND closed < ? AND {_SETTLED}"  # noqa: S608
            return [content for (content,) in self._db.execute(asked, (timestamp(moment),))]

    def unsent(self) -> int:
        """Messages that wait for the broker."""
        with self._reading():
            return int(self._db.execute("SELECT count(*) FROM outbox").fetchone()[0])

    # --- recovery ---

    @property
    def fresh(self) -> bool:
        """Was it created by this program and not yet made to agree with the spool?"""
        with self._reading():
            return self._db.execute("SELECT 1 FROM note WHERE key = 'fresh'").fetchone() is not None

    @property
    def rebuilt(self) -> float:
        """When it was made anew, in seconds since the epoch: of older jobs some verdicts may be lost. 0 for never."""
        with self._reading():
            found = self._db.execute("SELECT value FROM note WHERE key = 'rebuilt'").fetchone()
        return datetime.fromisoformat(found[0]).timestamp() if found else 0.0

    def settle_in(self, alarms: Sequence[Message], rebuilt: datetime | None = None) -> None:
        """The journal agrees with the spool now; queue what is to be said about how that came, in one transaction.
        ``rebuilt``: the one before was lost.
        """
        with self._transaction():
            if rebuilt is not None:
                self._db.execute("INSERT OR REPLACE INTO note VALUES ('rebuilt', ?)", (timestamp(rebuilt),))
            self._db.execute("DELETE FROM note WHERE key = 'fresh'")
            for alarm in alarms:
                self._queue(alarm)


def _verdict_row(entry: JobEntry, message: VerdictMessage) -> tuple[str | int | float | None, ...]:
    said = message.payload
    decided = said.event_id, entry.row, said.joint, said.verdict.value, said.route.value, said.time, said.grade or None
    digest = said.model.digest if said.model is not None else None
    graded = None if isinstance(said.quality_index, UnsetType) else said.quality_index
    scored = said.p_defect, said.reason and said.reason.value, graded
    return *decided, message.joint_type, digest, *scored


def _sample_row(entry: JobEntry, message: VerdictMessage) -> tuple[str | int, ...]:
    said = message.payload
    digest = said.model.digest if said.model is not None else ""
    return said.event_id, entry.row, said.board.type, message.joint_type, digest, said.time


def outbox_row(message: Message, event_id: str | None = None) -> tuple[str | bytes | int | None, ...]:
    """As ``QUEUE`` takes it."""
    return message.topic, message.payload, int(message.retain), event_id
