"""A journal that somebody else writes to: waited for, and whoever it is is named."""

from __future__ import annotations

import sqlite3
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge.adapters.journal.holder import holder_of
from edge.adapters.journal.store import Journal
from edge.core.errors import JournalLocked
from tests.support.locks import held_by_another

NOW = datetime(2026, 11, 27, tzinfo=UTC)


def test_whoever_locks_the_journal_is_named_and_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = Journal(path)
    with held_by_another(path) as pid:
        with pytest.raises(JournalLocked, match=rf"locked by python\S* \(process {pid}\); let it end"):
            journal.open_job("sha256:a", "L7", 2, NOW)
        other = Journal(path)  # which reads, and so has no need to wait
        assert other.unsent() == 0
    assert journal.open_job("sha256:a", "L7", 2, NOW).tries == 1


def test_a_lock_of_this_very_process_has_no_holder_and_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal, mine = Journal(path), sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    mine.execute("BEGIN IMMEDIATE")
    assert holder_of(path) == ""
    later = threading.Timer(2.5, mine.execute, ["ROLLBACK"])  # longer than a commit waits before it looks who it is
    later.start()
    assert journal.open_job("sha256:a", "L7", 2, NOW).tries == 1
    later.join()


@pytest.mark.parametrize(
    ("line", "holder"),
    [
        ("1: POSIX  ADVISORY  WRITE 1 00:2d:{inode} 120 120", True),
        ("1: POSIX  ADVISORY  READ 1 00:2d:{inode} 123 123", False),
        ("1: POSIX  ADVISORY  WRITE 0 00:2d:{inode} 120 120", False),
        ("1: POSIX  ADVISORY  WRITE 1 00:2d:9{inode} 120 120", False),
        ("nonsense", False),
    ],
)
def test_only_a_write_lock_of_another_on_these_files_counts(line: str, *, holder: bool, tmp_path: Path) -> None:
    journal, locks = tmp_path / "journal.db", tmp_path / "locks"
    journal.touch()
    locks.write_text(line.format(inode=journal.stat().st_ino) + "\n")
    assert bool(holder_of(journal, locks)) is holder
    locks.unlink()
    assert holder_of(journal, locks) == ""
