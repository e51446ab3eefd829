"""A journal that a newer version changed, and the older version that takes it back."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
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
    assert earlier.take_back(path) is None, "this version understands it"
    with monkeypatch.context() as patch:
        newer(patch)
        began = time.time()
        Journal(path).close()
    assert "later" in tables(path)
    with pytest.raises(JournalError, match="install the newer axi-edge"):
        Journal(path)
    since = earlier.take_back(path)
    assert since is not None
    assert began - 1 <= since <= time.time()
    assert "later" not in tables(path)
    assert "later" in tables(tmp_path / "journal.db.newer")
    Journal(path).close()


def test_without_a_copy_nothing_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.db"
    assert earlier.take_back(path) is None, "no journal, nothing to do"
    with monkeypatch.context() as patch:
        newer(patch)
        Journal(path).close()
    with pytest.raises(JournalError, match=r"journal\.db\.version\d+: missing; install the newer axi-edge"):
        earlier.take_back(path)
    assert "later" not in tables(path), "a journal made anew has that version's own tables"


def test_only_what_was_finished_since_is_handed_back(tmp_path: Path) -> None:
    spool = FolderSpool(tmp_path)
    (spool.done / "before").mkdir()
    since = (spool.done / "before").stat().st_ctime + 0.001
    while time.time() <= since + 0.01:
        pass
    (spool.done / "since").mkdir()
    (spool.rejected / "refused").mkdir()
    assert spool.hand_back(since) == 2
    assert sorted(path.name for path in spool.incoming.iterdir()) == ["refused", "since"]
    assert [path.name for path in spool.done.iterdir()] == ["before"]
