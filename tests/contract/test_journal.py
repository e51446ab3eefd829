"""One suite for the ledger and outbox: the fake that unit tests use, and SQLite."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge.adapters.journal import Journal, totals
from edge.core.errors import JournalError
from edge.core.verdict import Call
from edge.core.wire import Message
from tests.support.builders import make_verdict
from tests.support.fakes import FakeLedger

NOW = datetime(2026, 11, 21, tzinfo=UTC)
Store = FakeLedger | Journal


@pytest.fixture(params=["fake", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return FakeLedger() if request.param == "fake" else Journal(tmp_path / "journal.db")


def unsent(store: Store) -> list[Message]:
    return [row.message for row in store.pending(1_000)]


def test_a_job_is_found_again_by_its_content(store: Store) -> None:
    first = store.open_job("sha256:a", "L7", 2, NOW)
    assert store.open_job("sha256:a", "L7", 2, NOW).row == first.row
    assert (first.closed, first.clash) == (False, False)


def test_tries_are_counted_until_something_comes_of_one(store: Store) -> None:
    def opened() -> int:
        return store.open_job("sha256:a", "L7", 2, NOW).tries

    assert [opened(), opened(), opened()] == [1, 2, 3]
    entry = store.open_job("sha256:a", "L7", 2, NOW)
    store.leave_job(entry)
    assert [opened(), opened()] == [1, 2]
    store.record(entry, [make_verdict("J1")])
    assert opened() == 1
    assert store.open_job("sha256:b", "L8", 2, NOW).tries == 1


def test_a_joint_is_decided_once_and_queued_once(store: Store) -> None:
    entry = store.open_job("sha256:a", "L7", 2, NOW)
    store.record(entry, [make_verdict("J1")])
    store.record(entry, [make_verdict("J1", call=Call.DEFECT), make_verdict("J2")])
    assert store.decided(entry) == {"J1": ("normal", "release"), "J2": ("normal", "release")}
    assert unsent(store) == [make_verdict("J1")[1], make_verdict("J2")[1]]


def test_a_job_is_closed_once(store: Store) -> None:
    entry = store.open_job("sha256:a", "L7", 0, NOW)
    for _ in range(2):
        store.close_job(entry, [Message("base/board/SN", b"{}")], refused=False)
    assert len(unsent(store)) == 1
    assert store.open_job("sha256:a", "L7", 0, NOW).closed


def test_other_content_under_a_used_id_clashes_unless_that_was_refused(store: Store) -> None:
    store.close_job(store.open_job("sha256:a", "L7", 0, NOW), [], refused=True)
    second = store.open_job("sha256:b", "L7", 0, NOW)
    assert not second.clash
    assert store.open_job("sha256:c", "L7", 0, NOW).clash
    assert not store.open_job("sha256:c", "L8", 0, NOW).clash


def test_rows_come_in_order_and_stay_until_struck(store: Store) -> None:
    entry = store.open_job("sha256:a", "L7", 5, NOW)
    store.record(entry, [make_verdict(f"J{i}") for i in range(5)])
    rows = store.pending(3)
    assert [row.message for row in rows] == [make_verdict(f"J{i}")[1] for i in range(3)]
    store.mark_sent([rows[1].seq])
    assert [row.message for row in store.pending(3)] == [make_verdict(f"J{i}")[1] for i in (0, 2, 3)]
    store.mark_sent([])


def test_what_is_put_back_waits_behind_the_others(store: Store) -> None:
    entry = store.open_job("sha256:a", "L7", 4, NOW)
    store.record(entry, [make_verdict(f"J{i}") for i in range(4)])
    rows = store.pending(9)
    store.put_back([rows[0].seq])
    store.put_back([rows[0].seq, rows[2].seq])
    assert [row.seq for row in store.pending(9)] == [rows[i].seq for i in (1, 3, 2, 0)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def test_two_connections_see_each_others_commits(path: Path) -> None:
    one, other = Journal(path), Journal(path)
    entry = one.open_job("sha256:a", "L7", 1, NOW)
    one.record(entry, [make_verdict("J1")])
    assert unsent(other) == [make_verdict("J1")[1]]
    other.mark_sent([other.pending(1)[0].seq])
    assert unsent(one) == []
    counted = totals(path)
    assert (counted.jobs, counted.verdicts, counted.unsent) == ({"open": 1}, {"normal": 1}, 0)


def test_commits_are_synchronous_and_written_ahead(path: Path) -> None:
    journal = Journal(path)
    assert journal._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert journal._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_transaction_that_fails_leaves_no_trace(path: Path) -> None:
    journal = Journal(path)
    entry = journal.open_job("sha256:a", "L7", 1, NOW)
    good, bad = make_verdict("J1"), make_verdict("J2")
    with pytest.raises(JournalError, match=r"journal\.db"):
        journal.record(entry, [good, (bad[0], bad[1]._replace(topic=None))])  # type: ignore[arg-type]
    assert (journal.decided(entry), unsent(journal)) == ({}, [])
    journal.record(entry, [good])
    assert list(journal.decided(entry)) == ["J1"]


def test_what_a_killed_process_committed_is_there(path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from tests.contract.test_journal import *;"
        "j = Journal(Path(sys.argv[1])); e = j.open_job('sha256:a', 'L7', 2, NOW); j.record(e, [make_verdict('J1')]);"
        "j._db.execute('BEGIN IMMEDIATE'); j._queue(make_verdict('J2')[1]); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == -9
    assert unsent(Journal(path)) == [make_verdict("J1")[1]]


def test_a_journal_of_the_first_version_is_taken_over_with_all_it_holds(path: Path) -> None:
    journal = Journal(path)
    journal.record(journal.open_job("sha256:a", "L7", 2, NOW), [make_verdict("J1")])
    journal.close()
    with sqlite3.connect(path) as db:
        db.execute("ALTER TABLE job DROP COLUMN tries")
        db.execute("PRAGMA user_version = 1")
    db.close()
    for _ in range(2):
        again = Journal(path)
        entry = again.open_job("sha256:a", "L7", 2, NOW)
        assert again.decided(entry) == {"J1": ("normal", "release")}
        assert unsent(again) == [make_verdict("J1")[1]]
        again.close()
    assert entry.tries == 3


def test_a_damaged_or_newer_journal_is_refused_and_left_alone(path: Path) -> None:
    path.write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.raises(JournalError, match="keep the file"):
        Journal(path)
    assert path.read_bytes().startswith(b"this is no database")
    path.unlink()
    Journal(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(JournalError, match="version 99"):
        Journal(path)
