"""A journal that a newer version changed, and the older version that takes it back."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge.adapters.journal import connection, earlier
from edge.adapters.journal.store import Journal
from edge.adapters.spool import FolderSpool
from edge.core.errors import JournalError


def newer(monkeypatch: pytest.MonkeyPatch) -> None:
    """This program is the next version from now on, whose journal has another table."""
    monkeypatch.setattr(connection, "VERSION", earlier.VERSION + 1)
    monkeypatch.setattr(connection, "MIGRATIONS", {earlier.VERSION: "CREATE TABLE later (x)"})


def tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as db:
        return {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_what_was_before_is_kept_and_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.db"
    Journal(path).close()
    with closing(sqlite3.connect(path)) as db:
        for content, state in (("old", "decided"), ("begun", "open")):
            row = (content, content, state, 1, "2026-11-30")
            db.execute("INSERT INTO job (content, job_id, state, expected, opened) VALUES (?, ?, ?, ?, ?)", row)
        db.commit()
    assert earlier.closed_before(path) is None, "this version understands it"
    with monkeypatch.context() as patch:
        newer(patch)
        Journal(path).close()
    assert "later" in tables(path)
    with pytest.raises(JournalError, match="install the newer axi-edge"):
        Journal(path)
    assert earlier.closed_before(path) == {"old"}
    assert earlier.closed_before(path) == {"old"}, "as often as it is asked, until the copy is put back"
    aside = earlier.put_back(path, datetime(2026, 11, 30, tzinfo=UTC))
    assert "later" not in tables(path)
    assert "later" in tables(aside)
    assert earlier.closed_before(path) is None
    Journal(path).close()


def test_without_a_copy_nothing_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.db"
    assert earlier.closed_before(path) is None, "no journal, nothing to do"
    with monkeypatch.context() as patch:
        newer(patch)
        Journal(path).close()
    with pytest.raises(JournalError, match=r"journal\.db\.version\d+: missing; install the newer axi-edge"):
        earlier.closed_before(path)


def test_a_copy_that_finds_no_room_leaves_nothing_and_the_journal_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.db"
    Journal(path).close()
    (tmp_path / "journal.db.version.tmp-journal").write_text("of an attempt that was killed")

    class Full(sqlite3.Connection):
        def backup(self, target: sqlite3.Connection, **_: object) -> None:  # type: ignore[override]
            target.execute("CREATE TABLE half (x)")
            raise sqlite3.OperationalError("database or disk is full")

    with closing(sqlite3.connect(path, factory=Full)) as db, pytest.raises(sqlite3.OperationalError):
        earlier.keep(db, path, earlier.VERSION)
    assert {one.name for one in tmp_path.iterdir()} <= {"journal.db", "journal.db-wal", "journal.db-shm"}


def test_only_what_is_not_known_is_handed_back(tmp_path: Path) -> None:
    spool = FolderSpool(tmp_path)
    for name in ("before", "since"):
        (spool.done / name).mkdir()
        (spool.done / name / "manifest.json").write_text(name)
    (spool.rejected / "refused").mkdir()
    known = {job.content for job in spool.finished() if job.folder.name == "before"}
    assert spool.hand_back(known) == 2
    assert sorted(path.name for path in spool.incoming.iterdir()) == ["refused", "since"]
    assert [path.name for path in spool.done.iterdir()] == ["before"]
