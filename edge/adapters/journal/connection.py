"""A connection to the journal's database: opened, brought up to date, and used in transactions that wait their turn."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from edge.adapters.journal import earlier
from edge.adapters.journal.holder import holder_of
from edge.adapters.journal.schema import MIGRATIONS, SCHEMA, VERSION
from edge.core.errors import JournalBlocked, JournalDamaged, JournalError, JournalLocked
from edge.files import sync_folder

BUSY_TIMEOUT_S = 30.0
_LOOK_EVERY_S = 2.0
"""How long a commit waits before it is asked who keeps it waiting."""
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_BLOCKED = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY}


class Connection:
    """Use it from one thread. ``db``: for statements inside ``transaction`` and ``reading``."""

    def __init__(self, path: Path, *, examine: bool = False) -> None:
        """Open the journal, creating it where there is none; ``examine`` reads it through for damage first.

        Raises JournalDamaged when it is no longer a database, JournalError when it cannot be used for another reason.
        """
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.db = sqlite3.connect(path, timeout=_LOOK_EVERY_S, isolation_level=None, check_same_thread=False)
        except (sqlite3.DatabaseError, OSError) as error:
            raise failed(path, error) from error
        try:
            self._prepare(examine=examine)
        except BaseException:
            self.db.close()  # or its closing, some time later, would remove the files of a journal made anew here
            raise

    def _prepare(self, *, examine: bool) -> None:
        try:
            self.db.execute("PRAGMA journal_mode = WAL")
            self.db.execute("PRAGMA synchronous = FULL")
            self.db.execute("PRAGMA foreign_keys = ON")
            found = self.db.execute("PRAGMA quick_check(1)").fetchone()[0] if examine else "ok"
        except sqlite3.DatabaseError as error:
            raise failed(self._path, error) from error
        if found != "ok":
            raise JournalDamaged(f"{self._path}: {found}")
        self._migrate()

    def _migrate(self) -> None:
        if self._version() == VERSION:
            return  # and so it can be opened while another program writes to it
        self._keep_earlier()
        with self.transaction():
            version = self._version()
            if version == 0:
                for statement in SCHEMA.split(";"):
                    self.db.execute(statement)
            elif version > VERSION:
                raise JournalError(
                    f"{self._path}: journal version {version}, this program knows {VERSION}; install the newer axi-edge"
                )
            else:
                for older in range(version, VERSION):
                    for statement in MIGRATIONS[older].split(";"):
                        self.db.execute(statement)
            self.db.execute(f"PRAGMA user_version = {VERSION}")

    def _keep_earlier(self) -> None:
        """Whatever may come of the change, the version that wrote this journal can be put back."""
        version = self._version()
        if 0 < version < VERSION:
            try:
                earlier.keep(self.db, self._path, version)
            except (sqlite3.Error, OSError) as error:
                raise failed(self._path, error) from error

    def _version(self) -> int:
        with self.reading():
            return int(self.db.execute("PRAGMA user_version").fetchone()[0])

    def close(self) -> None:
        self.db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, durable once this returns. Raises JournalError when the database or the disk refuses."""
        try:
            self._begin()
            yield
            self.db.execute("COMMIT")
        except sqlite3.Error as error:
            raise failed(self._path, error) from error
        finally:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")

    def _begin(self) -> None:
        """Wait for our own threads' commits. Raises JournalLocked where another program keeps us waiting."""
        until = time.monotonic() + BUSY_TIMEOUT_S
        while not self._began(last=time.monotonic() >= until):
            holder = holder_of(self._path)
            if holder:
                remedy = "let it end, axi-edge goes on by itself; sqlite3's .backup copies a journal without locking it"
                raise JournalLocked(f"{self._path}: locked by {holder}; {remedy}")

    def _began(self, *, last: bool) -> bool:
        try:
            self.db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if last or error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            return False
        return True

    @contextmanager
    def reading(self) -> Iterator[None]:
        """One statement that reads sees one moment by itself; it takes no lock that a commit waits for."""
        try:
            yield
        except sqlite3.Error as error:
            raise failed(self._path, error) from error


def set_aside(path: Path, now: datetime) -> Path:
    """Rename a damaged journal, with its write-ahead files, out of the way; where it went."""
    stamp = f"{now:%Y%m%dT%H%M%S.%fZ}"
    # The database first: without its write-ahead log it could pass for a sound, older one. A log without its database
    # is thrown away by SQLite.
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(path.with_name(f"{path.name}.damaged-{stamp}{suffix}"))
    sync_folder(path.parent)
    return path.with_name(f"{path.name}.damaged-{stamp}")


def failed(path: Path, error: Exception) -> JournalError:
    """The error of ours that one of the database or the disk stands for, with its remedy."""
    kind = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if kind in _BLOCKED:
        return JournalBlocked(
            f"{path}: {error}; free some space, or make the disk writable: axi-edge goes on by itself"
        )
    if kind in _DAMAGED:
        return JournalDamaged(f"{path}: {error}; restart axi-edge: it sets the file aside and rebuilds from the spool")
    if kind == sqlite3.SQLITE_CANTOPEN:
        return JournalError(f"{path}: {error}; correct [journal] path: a file in a folder that this user may write to")
    return JournalError(
        f"{path}: {error}; check [journal] path and the disk, and keep the file: it holds unsent verdicts"
    )
