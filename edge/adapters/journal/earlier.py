"""The journal as an older version left it: kept before a newer one changes it, and taken back where that one failed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

from edge.adapters.journal.schema import VERSION
from edge.core.errors import JournalError
from edge.files import sync_folder

_PARTS = ("", "-wal", "-shm")


def keep(db: sqlite3.Connection, path: Path, version: int) -> None:
    """A copy of the journal beside it, before it is changed; of copies the last is kept. Raises sqlite3.Error, OSError;
    nothing of the attempt is left then.
    """
    unfinished = path.with_name(f"{path.name}.version.tmp")
    _remove(unfinished)
    try:
        with closing(sqlite3.connect(unfinished)) as copy:
            db.backup(copy)
    except BaseException:
        _remove(unfinished)
        raise
    for older in path.parent.glob(f"{path.name}.version[0-9]*"):
        older.unlink()
    unfinished.replace(_kept(path, version))
    sync_folder(path.parent)


def closed_before(path: Path) -> set[str] | None:
    """Contents of the jobs that were closed before a newer version changed the journal: all others are to be inspected
    again once the copy is put back. None where this version understands the journal as it is, or there is none. Raises
    JournalError where there is no copy.
    """
    version = _version(path) if path.exists() else 0
    if version <= VERSION:
        return None
    kept = _kept(path, VERSION)
    if not kept.exists():
        raise JournalError(f"{kept}: missing; install the newer axi-edge, which knows journal version {version}")
    try:
        with closing(_reading(kept)) as db:
            return {content for (content,) in db.execute("SELECT content FROM job WHERE state != 'open'")}
    except sqlite3.Error as error:
        raise JournalError(f"{kept}: {error}; install the newer axi-edge, which knows {path}") from error


def put_back(path: Path, now: datetime) -> Path:
    """The copy in the journal's place; where the changed one lies, beside it."""
    aside = path.with_name(f"{path.name}.newer-{now:%Y%m%dT%H%M%S.%fZ}")
    for part in _PARTS:
        whole = path.with_name(path.name + part)
        if whole.exists():
            whole.replace(aside.with_name(aside.name + part))
    _kept(path, VERSION).replace(path)
    sync_folder(path.parent)
    return aside


def _remove(unfinished: Path) -> None:
    for part in ("", "-journal", *_PARTS[1:]):
        unfinished.with_name(unfinished.name + part).unlink(missing_ok=True)


def _kept(path: Path, version: int) -> Path:
    return path.with_name(f"{path.name}.version{version}")


def _version(path: Path) -> int:
    try:
        with closing(_reading(path)) as db:
            return int(db.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.Error as error:
        raise JournalError(f"{path}: {error}; start axi-edge: it sets a damaged journal aside") from error


def _reading(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
