"""The journal as an older version left it: kept before a newer one changes it, and taken back where that one failed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from edge.adapters.journal.schema import VERSION
from edge.core.errors import JournalError
from edge.files import sync_folder

_PARTS = ("", "-wal", "-shm")


def keep(db: sqlite3.Connection, path: Path, version: int) -> None:
    """A copy of the journal beside it, before it is changed; of copies the last is kept. Raises sqlite3.Error."""
    unfinished = path.with_name(f"{path.name}.version.tmp")
    unfinished.unlink(missing_ok=True)
    with closing(sqlite3.connect(unfinished)) as copy:
        db.backup(copy)
    for older in path.parent.glob(f"{path.name}.version[0-9]*"):
        older.unlink()
    unfinished.replace(_kept(path, version))
    sync_folder(path.parent)


def take_back(path: Path) -> float | None:
    """Put the copy in the place of a journal that only a newer version understands, which stays beside it. When the
    copy was made, in seconds since the epoch; None where this version understands the journal as it is, or there is
    none. Raises JournalError where there is no copy.
    """
    version = _version(path) if path.exists() else 0
    if version <= VERSION:
        return None
    kept = _kept(path, VERSION)
    if not kept.exists():
        raise JournalError(f"{kept}: missing; install the newer axi-edge, which knows journal version {version}")
    since = kept.stat().st_mtime
    for part in _PARTS:
        whole = path.with_name(path.name + part)
        if whole.exists():
            whole.replace(path.with_name(f"{path.name}.newer{part}"))
    kept.replace(path)
    sync_folder(path.parent)
    return since


def _kept(path: Path, version: int) -> Path:
    return path.with_name(f"{path.name}.version{version}")


def _version(path: Path) -> int:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            return int(db.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.Error as error:
        raise JournalError(f"{path}: {error}; start axi-edge: it sets a damaged journal aside") from error
