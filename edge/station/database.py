"""The station's own database file: its tables, and transactions that are on disk once they return."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge.core.errors import ConfigError

_STEPS = (
    """
CREATE TABLE joints (
    place INTEGER PRIMARY KEY, event_id TEXT NOT NULL UNIQUE, job_id TEXT NOT NULL, serial TEXT NOT NULL,
    board_type TEXT NOT NULL, joint TEXT NOT NULL, machine_call TEXT NOT NULL, time TEXT NOT NULL,
    verdict TEXT NOT NULL, reason TEXT NOT NULL, p_defect REAL, kind TEXT NOT NULL,
    settled INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX waiting ON joints (settled, place);
CREATE INDEX alike ON joints (board_type, joint, settled);
CREATE TABLE reviews (
    number INTEGER PRIMARY KEY, review_id TEXT NOT NULL UNIQUE, event_id TEXT NOT NULL, decision TEXT NOT NULL,
    reviewer TEXT NOT NULL, payload BLOB, due REAL, sent INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX of_joint ON reviews (event_id);
CREATE INDEX unsent ON reviews (sent, due);
CREATE TABLE users (
    name TEXT PRIMARY KEY, role TEXT NOT NULL, password TEXT NOT NULL, created TEXT NOT NULL
);
CREATE TABLE sessions (
    id TEXT PRIMARY KEY, name TEXT NOT NULL REFERENCES users ON DELETE CASCADE, until REAL NOT NULL
)
""",
    """
ALTER TABLE joints ADD COLUMN released INTEGER NOT NULL DEFAULT 0;
ALTER TABLE joints ADD COLUMN latency_ms REAL NOT NULL DEFAULT 0;
ALTER TABLE joints ADD COLUMN quality REAL;
ALTER TABLE joints ADD COLUMN known TEXT NOT NULL DEFAULT '';
ALTER TABLE joints ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
ALTER TABLE joints ADD COLUMN heard INTEGER NOT NULL DEFAULT 0;
ALTER TABLE joints ADD COLUMN turn REAL;
ALTER TABLE joints ADD COLUMN day INTEGER NOT NULL DEFAULT 0;
CREATE INDEX of_board ON joints (serial, joint);
DROP INDEX alike;
CREATE INDEX alike ON joints (board_type, joint, released, settled);
CREATE INDEX of_job ON joints (job_id, joint);
CREATE INDEX by_day ON joints (day);
CREATE INDEX known_ones ON joints (known, job_id) WHERE known != '';
CREATE INDEX audits ON joints (time) WHERE reason = 'audit';
CREATE TABLE said (
    number INTEGER PRIMARY KEY AUTOINCREMENT, review_id TEXT NOT NULL UNIQUE, event_id TEXT NOT NULL,
    decision TEXT NOT NULL, reviewer TEXT NOT NULL, payload BLOB, due REAL, sent INTEGER NOT NULL DEFAULT 0,
    time TEXT NOT NULL DEFAULT '', seconds REAL, day INTEGER NOT NULL DEFAULT 0, counted INTEGER NOT NULL DEFAULT 0
);
INSERT INTO said (number, review_id, event_id, decision, reviewer, payload, due, sent, counted)
    SELECT number, review_id, event_id, decision, reviewer, payload, due, sent, 1 FROM reviews;
DROP TABLE reviews;
ALTER TABLE said RENAME TO reviews;
CREATE INDEX of_joint ON reviews (event_id);
CREATE INDEX unsent ON reviews (sent, due);
CREATE INDEX lately ON reviews (time);
CREATE TABLE tallies (
    what TEXT NOT NULL, slot INTEGER NOT NULL, board_type TEXT NOT NULL, step INTEGER NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (what, slot, board_type, step)
) WITHOUT ROWID;
CREATE TABLE alarms (
    number INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL, code TEXT NOT NULL, severity TEXT NOT NULL,
    text TEXT NOT NULL, UNIQUE (time, code, text)
);
CREATE TABLE raised (
    code TEXT PRIMARY KEY, time TEXT NOT NULL, severity TEXT NOT NULL, text TEXT NOT NULL
);
CREATE TABLE hasty (reviewer TEXT PRIMARY KEY, count INTEGER NOT NULL)
""",
    """
ALTER TABLE joints ADD COLUMN seen TEXT NOT NULL DEFAULT '{}';
CREATE TABLE troubles (
    code TEXT NOT NULL, about TEXT NOT NULL DEFAULT '', time TEXT NOT NULL, severity TEXT NOT NULL, text TEXT NOT NULL,
    PRIMARY KEY (code, about)
);
INSERT INTO troubles (code, time, severity, text) SELECT code, time, severity, text FROM raised;
DROP TABLE raised;
ALTER TABLE troubles RENAME TO raised
""",
)
"""What each version added to the one before.

Of a joint: ``settled``, it waits for nobody; ``known``, what it is by a better source than a look, and then ``held``,
not to be shown until it is dealt, ``heard``, the number of the last review before it was, and ``turn``, its place in
the queue since; ``day``, when it came, in days since the epoch. Of a review: ``due``, when it may be sent, and below 0
that it went out and when it is to be sent again; ``counted``, it can no longer be undone and is in the tallies.
"""


class Database:
    """Use it from any thread. What only reads waits for nobody who writes. Raises ConfigError where the file cannot be
    used.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        self._own, self._readers = threading.local(), list[sqlite3.Connection]()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("PRAGMA foreign_keys = ON")
            self._prepare()
        except (sqlite3.Error, OSError) as error:
            raise ConfigError(f"{path}: {error}; name a file that this user may write with [station] path") from error

    def _prepare(self) -> None:
        with self.transaction() as db:
            version = int(db.execute("PRAGMA user_version").fetchone()[0])
            if version > len(_STEPS):
                raise ConfigError(
                    f"{self._path}: version {version}, this program knows {len(_STEPS)}; install the newer axi-edge"
                )
            for step in _STEPS[version:]:
                for statement in step.split(";"):
                    db.execute(statement)
            db.execute(f"PRAGMA user_version = {len(_STEPS)}")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, durable once this returns."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    def rows(self, query: str, values: Sequence[object] | Mapping[str, object] = ()) -> list[tuple[Any, ...]]:
        return self._reader().execute(query, values).fetchall()

    def _reader(self) -> sqlite3.Connection:
        """Each thread's own: a long look waits for nobody, and nobody for it."""
        reader: sqlite3.Connection | None = getattr(self._own, "reader", None)
        if reader is None:
            reader = sqlite3.connect(self._path, timeout=30, isolation_level=None, check_same_thread=False)
            self._own.reader = reader
            self._readers.append(reader)
        return reader

    def close(self) -> None:
        with self._lock:
            self._db.close()
            for reader in self._readers:
                reader.close()
