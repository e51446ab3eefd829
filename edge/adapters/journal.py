"""The journal: jobs, verdicts and outbox in SQLite.

Write-ahead log with synchronous=FULL: a commit that returned survives a power cut. Each loop opens a connection of
its own; what one commits, the other sees.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from edge.core.errors import JournalError
from edge.core.wire import Message, VerdictPayload, timestamp
from edge.ports import JobEntry, Queued

VERSION = 2
BUSY_TIMEOUT_S = 30.0

_SCHEMA = """
CREATE TABLE job (
    row INTEGER PRIMARY KEY,
    content TEXT NOT NULL UNIQUE,
    job_id TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'decided', 'refused')),
    expected INTEGER NOT NULL,
    opened TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX job_by_id ON job (job_id);
CREATE TABLE verdict (
    event_id TEXT PRIMARY KEY,
    job INTEGER NOT NULL REFERENCES job (row),
    joint TEXT NOT NULL,
    verdict TEXT NOT NULL,
    route TEXT NOT NULL,
    decided TEXT NOT NULL,
    UNIQUE (job, joint)
) STRICT;
CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL,
    payload BLOB NOT NULL,
    retain INTEGER NOT NULL,
    refusals INTEGER NOT NULL DEFAULT 0,
    sent INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX outbox_unsent ON outbox (refusals, seq) WHERE sent = 0;
"""
_MIGRATIONS = {1: "ALTER TABLE job ADD COLUMN tries INTEGER NOT NULL DEFAULT 1"}
"""From this version to the next."""
_ENTER_JOB = (
    "INSERT INTO job (content, job_id, expected, opened) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (content) DO UPDATE SET tries = tries + 1 RETURNING row, state, tries"
)
_FORGET_TRIES = "UPDATE job SET tries = 0 WHERE row = ? AND tries <> 0"
_CLASHING = "SELECT 1 FROM job WHERE job_id = ? AND content <> ? AND state <> 'refused' LIMIT 1"
_DECIDED = "SELECT joint, verdict, route FROM verdict WHERE job = ? ORDER BY rowid"
_ENTER_VERDICT = (
    "INSERT INTO verdict (event_id, job, joint, verdict, route, decided) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (job, joint) DO NOTHING"
)
_QUEUE = "INSERT INTO outbox (topic, payload, retain) VALUES (?, ?, ?)"
_CLOSE_JOB = "UPDATE job SET state = ? WHERE row = ? AND state = 'open'"
_PENDING = "SELECT seq, topic, payload, retain FROM outbox WHERE sent = 0 ORDER BY refusals, seq LIMIT ?"
_MARK_SENT = "UPDATE outbox SET sent = 1 WHERE seq = ?"
_PUT_BACK = "UPDATE outbox SET refusals = refusals + 1 WHERE seq = ?"


class Journal:
    """One connection to the journal; use it from one thread."""

    def __init__(self, path: Path) -> None:
        """Open the journal, creating it where there is none. Raises JournalError."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("PRAGMA foreign_keys = ON")
            self._path = path
            self._migrate()
        except (sqlite3.DatabaseError, OSError) as error:
            raise _failed(path, error) from error

    def _migrate(self) -> None:
        with self._transaction():
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version == 0:
                for statement in _SCHEMA.split(";"):
                    self._db.execute(statement)
            elif version > VERSION:
                raise JournalError(
                    f"{self._path}: journal version {version}, this program knows {VERSION}; install the newer axi-edge"
                )
            else:
                for older in range(version, VERSION):
                    self._db.execute(_MIGRATIONS[older])
            self._db.execute(f"PRAGMA user_version = {VERSION}")

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing, durable once this returns. Raises JournalError when the database or the disk refuses."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise _failed(self._path, error) from error
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    # --- the inspection side ---

    def open_job(self, content: str, job_id: str, expected: int, now: datetime) -> JobEntry:
        """Enter a job, or find it again by its content; either way it counts as one more try."""
        with self._transaction():
            ((row, state, tries),) = self._db.execute(
                _ENTER_JOB, (content, job_id, expected, timestamp(now))
            ).fetchall()
            clash = self._db.execute(_CLASHING, (job_id, content)).fetchone() is not None
        return JobEntry(row, closed=state != "open", clash=clash, tries=tries)

    def leave_job(self, entry: JobEntry) -> None:
        """The try ended in good order, or for a reason outside the job: forget its tries."""
        with self._transaction():
            self._db.execute(_FORGET_TRIES, (entry.row,))

    def decided(self, entry: JobEntry) -> dict[str, tuple[str, str]]:
        """Joint -> (verdict, route) of what is decided already."""
        with self._transaction():
            return {joint: (verdict, route) for joint, verdict, route in self._db.execute(_DECIDED, (entry.row,))}

    def record(self, entry: JobEntry, messages: Sequence[tuple[VerdictPayload, Message]]) -> None:
        """Verdicts and their outbox rows, in one durable transaction; a joint decided before stays as it was.

        This is progress, and so forgets the job's tries.
        """
        with self._transaction():
            self._db.execute(_FORGET_TRIES, (entry.row,))
            for payload, message in messages:
                values = (
                    payload.event_id,
                    entry.row,
                    payload.joint,
                    payload.verdict.value,
                    payload.route.value,
                    payload.time,
                )
                if self._db.execute(_ENTER_VERDICT, values).rowcount == 1:
                    self._queue(message)

    def close_job(self, entry: JobEntry, messages: Sequence[Message], *, refused: bool) -> None:
        """Mark the job decided and queue its closing messages, in one durable transaction; once only."""
        with self._transaction():
            state = "refused" if refused else "decided"
            if self._db.execute(_CLOSE_JOB, (state, entry.row)).rowcount == 1:
                for message in messages:
                    self._queue(message)

    def _queue(self, message: Message) -> None:
        self._db.execute(_QUEUE, (message.topic, message.payload, int(message.retain)))

    # --- the reporting side ---

    def pending(self, limit: int) -> list[Queued]:
        """The oldest unsent rows, in order; those that were put back come last."""
        with self._transaction():
            rows = self._db.execute(_PENDING, (limit,)).fetchall()
        return [Queued(seq, Message(topic, payload, bool(retain))) for seq, topic, payload, retain in rows]

    def mark_sent(self, rows: Sequence[int]) -> None:
        """Strike rows the broker has acknowledged."""
        with self._transaction():
            self._db.executemany(_MARK_SENT, [(row,) for row in rows])

    def put_back(self, rows: Sequence[int]) -> None:
        """Let rows the broker will not take wait behind all others; they are never dropped."""
        with self._transaction():
            self._db.executemany(_PUT_BACK, [(row,) for row in rows])


def _failed(path: Path, error: Exception) -> JournalError:
    return JournalError(
        f"{path}: {error}; check [journal] path and the disk, and keep the file: it holds unsent verdicts"
    )


class Totals(NamedTuple):
    """What the journal holds, for people."""

    jobs: dict[str, int]
    verdicts: dict[str, int]
    unsent: int
    last_decided: str | None


def totals(path: Path) -> Totals:
    """Count without disturbing the daemon: a read-only connection. Raises JournalError."""
    if not path.exists():
        raise JournalError(f"{path}: no journal; the daemon has not run with this configuration yet")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S)) as db:
            jobs = dict(db.execute("SELECT state, count(*) FROM job GROUP BY state").fetchall())
            verdicts = dict(db.execute("SELECT verdict, count(*) FROM verdict GROUP BY verdict").fetchall())
            (unsent,) = db.execute("SELECT count(*) FROM outbox WHERE sent = 0").fetchone()
            (last,) = db.execute("SELECT max(decided) FROM verdict").fetchone()
    except sqlite3.DatabaseError as error:
        raise _failed(path, error) from error
    return Totals(jobs, verdicts, unsent, last)
