"""The station's own database file: its tables, and transactions that are on disk once they return."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge.core.errors import ConfigError

_VERSION = 1
_SCHEMA = """
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
"""


class Database:
    """Use it from any thread. What only reads waits for nobody who writes. Raises ConfigError where the file cannot be
    used.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._lock, self._reading = path, threading.Lock(), threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
            self._reads = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("PRAGMA foreign_keys = ON")
            self._prepare()
        except (sqlite3.Error, OSError) as error:
            raise ConfigError(f"{path}: {error}; name a file that this user may write with [station] path") from error

    def _prepare(self) -> None:
        with self.transaction() as db:
            version = int(db.execute("PRAGMA user_version").fetchone()[0])
            if version == 0:
                for statement in _SCHEMA.split(";"):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {_VERSION}")
            elif version != _VERSION:
                raise ConfigError(
                    f"{self._path}: version {version}, this program knows {_VERSION}; install the newer axi-edge"
                )

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

    def rows(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._reading:
            return self._reads.execute(query, values).fetchall()

    def close(self) -> None:
        with self._lock, self._reading:
            self._db.close()
            self._reads.close()
