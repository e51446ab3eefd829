"""One suite for the ledger and outbox: the fake that unit tests use, and SQLite."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.adapters.journal.connection import set_aside
from edge.adapters.journal.store import Journal
from edge.adapters.journal.view import held, totals
from edge.core.errors import JobRefused, JournalDamaged, JournalError
from edge.core.verdict import Call
from edge.core.wire import Message
from tests.support.builders import make_verdict
from tests.support.fake_ledger import FakeLedger

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
    store.record(
        entry, [make_verdict("J1", call=Call.DEFECT), make_verdict("J2"), make_verdict("J2", call=Call.DEFECT)]
    )
    assert store.decided(entry) == {"J1": ("normal", "release"), "J2": ("normal", "release")}
    assert unsent(store) == [make_verdict("J1")[1], make_verdict("J2")[1]]


def test_a_job_is_closed_once(store: Store) -> None:
    entry = store.open_job("sha256:a", "L7", 0, NOW)
    for _ in range(2):
        store.close_job(entry, [Message("base/board/SN", b"{}")], refused=False, now=NOW)
    assert len(unsent(store)) == 1
    assert store.open_job("sha256:a", "L7", 0, NOW).closed


def test_other_content_under_a_used_id_clashes_unless_that_was_refused(store: Store) -> None:
    store.close_job(store.open_job("sha256:a", "L7", 0, NOW), [], refused=True, now=NOW)
    second = store.open_job("sha256:b", "L7", 0, NOW)
    assert not second.clash
    assert store.open_job("sha256:c", "L7", 0, NOW).clash
    assert not store.open_job("sha256:c", "L8", 0, NOW).clash


def test_rows_come_in_order_and_stay_until_struck(store: Store) -> None:
    entry = store.open_job("sha256:a", "L7", 5, NOW)
    store.record(entry, [make_verdict(f"J{i}") for i in range(5)])
    rows = store.pending(3)
    assert [row.message for row in rows] == [make_verdict(f"J{i}")[1] for i in range(3)]
    store.mark_sent([rows[1].seq], NOW)
    assert [row.message for row in store.pending(3)] == [make_verdict(f"J{i}")[1] for i in (0, 2, 3)]
    store.mark_sent([], NOW)


def test_what_is_put_back_waits_behind_the_others(store: Store) -> None:
    entry = store.open_job("sha256:a", "L7", 4, NOW)
    store.record(entry, [make_verdict(f"J{i}") for i in range(4)])
    rows = store.pending(9)
    store.put_back([rows[0].seq])
    store.put_back([rows[0].seq, rows[2].seq])
    assert [row.seq for row in store.pending(9)] == [rows[i].seq for i in (1, 3, 2, 0)]


def test_grades_are_counted_once_a_joint(store: Store) -> None:
    entry, other = (store.open_job(f"sha256:{name}", name, 3, NOW) for name in "ab")
    store.record(entry, [make_verdict("J1", grade="good"), make_verdict("J2", grade="poor"), make_verdict("J3")])
    store.record(entry, [make_verdict("J1", grade="poor")])
    store.record(other, [make_verdict("J1", "L8", grade="good")])
    assert store.grades(entry) == {"good": 1, "poor": 1}
    assert store.grades(other) == {"good": 1}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def test_two_connections_see_each_others_commits(path: Path) -> None:
    one, other = Journal(path), Journal(path)
    entry = one.open_job("sha256:a", "L7", 1, NOW)
    one.record(entry, [make_verdict("J1")])
    assert unsent(other) == [make_verdict("J1")[1]]
    other.mark_sent([other.pending(1)[0].seq], NOW)
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
        journal.record(entry, [good, bad._replace(message=bad.message._replace(topic=None))])  # type: ignore[arg-type]
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


OLD_JOB = (
    "CREATE TABLE job (row INTEGER PRIMARY KEY, content TEXT NOT NULL UNIQUE, job_id TEXT NOT NULL, "
    "state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'decided', 'refused')), expected INTEGER NOT NULL, "
    "opened TEXT NOT NULL{tries}) STRICT"
)
OLD_REST = """
CREATE INDEX job_by_id ON job (job_id);
CREATE TABLE verdict (event_id TEXT PRIMARY KEY, job INTEGER NOT NULL REFERENCES job (row), joint TEXT NOT NULL,
    verdict TEXT NOT NULL, route TEXT NOT NULL, decided TEXT NOT NULL, UNIQUE (job, joint)) STRICT;
CREATE TABLE outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, payload BLOB NOT NULL,
    retain INTEGER NOT NULL, refusals INTEGER NOT NULL DEFAULT 0, sent INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE INDEX outbox_unsent ON outbox (refusals, seq) WHERE sent = 0;
INSERT INTO job (content, job_id, expected, opened) VALUES ('sha256:a', 'L7', 3, '2026-11-21T00:00:00.000Z');
"""


@pytest.mark.parametrize("version", [1, 2])
def test_an_older_journal_is_taken_over_with_all_it_holds(path: Path, version: int) -> None:
    """J1 was acknowledged, J2 waits for the broker, J3 is not decided."""
    with sqlite3.connect(path) as db:
        db.execute(OLD_JOB.format(tries=", tries INTEGER NOT NULL DEFAULT 1" if version == 2 else ""))
        db.executescript(OLD_REST)
        for joint, sent in (("J1", 1), ("J2", 0)):
            payload, message, *_ = make_verdict(joint)
            db.execute(
                "INSERT INTO verdict VALUES (?, 1, ?, 'normal', 'release', ?)",
                (payload.event_id, joint, payload.time),
            )
            row = (message.topic, message.payload, sent)
            db.execute("INSERT INTO outbox (topic, payload, retain, sent) VALUES (?, ?, 0, ?)", row)
        db.execute(f"PRAGMA user_version = {version}")
    db.close()
    for _ in range(2):
        again = Journal(path, examine=True)
        entry = again.open_job("sha256:a", "L7", 3, NOW)
        assert list(again.decided(entry)) == ["J1", "J2"]
        assert unsent(again) == [make_verdict("J2")[1]]
        assert not again.fresh
        again.close()
    states = {
        joint: (verdict.acknowledged, verdict.queued) for joint, verdict in held(path)["sha256:a"].verdicts.items()
    }
    assert states == {"J1": (True, False), "J2": (False, True)}


def test_a_verdict_is_queued_until_it_is_acknowledged(path: Path) -> None:
    journal = Journal(path)
    entry = journal.open_job("sha256:a", "L7", 2, NOW)
    journal.record(entry, [make_verdict("J1"), make_verdict("J2")])
    journal.mark_sent([journal.pending(1)[0].seq], NOW)
    job = held(path)["sha256:a"]
    assert (job.job_id, job.state, job.expected) == ("L7", "open", 2)
    assert [(verdict.acknowledged, verdict.queued) for verdict in job.verdicts.values()] == [
        (True, False),
        (False, True),
    ]


def test_only_a_closed_job_whose_verdicts_were_all_acknowledged_is_settled_and_can_be_forgotten(path: Path) -> None:
    journal = Journal(path)
    entry = journal.open_job("sha256:a", "L7", 1, NOW)
    journal.record(entry, [make_verdict("J1")])
    states = [journal.settled("sha256:a")]
    journal.close_job(entry, [], refused=False, now=NOW)
    states.append(journal.settled("sha256:a"))
    journal.forget(["sha256:a", "sha256:never-seen"])
    assert held(path)["sha256:a"].verdicts, "a verdict on its way was forgotten"
    journal.mark_sent([row.seq for row in journal.pending(9)], NOW)
    states.append(journal.settled("sha256:a"))
    assert states == [False, False, True]
    assert not journal.settled("sha256:never-seen")
    assert journal.settled_before(NOW) == []
    assert journal.settled_before(NOW + timedelta(seconds=1)) == ["sha256:a"]
    journal.forget(["sha256:a"])
    left = held(path)["sha256:a"]
    assert (left.forgotten, left.verdicts) == (True, {})
    assert journal.settled_before(NOW + timedelta(days=9)) == []
    assert journal.open_job("sha256:a", "L7", 1, NOW).closed, "the same job again is known"
    assert journal.open_job("sha256:b", "L7", 1, NOW).clash, "its id is not to be used for another"


def test_joints_that_another_job_of_this_id_was_judged_for_refuse_the_job(path: Path) -> None:
    """It was refused half-way, so its id may be used again, but not for the joints that it was judged for."""
    journal = Journal(path)
    first = journal.open_job("sha256:a", "L7", 2, NOW)
    journal.record(first, [make_verdict("J1")])
    journal.close_job(first, [], refused=True, now=NOW)
    second = journal.open_job("sha256:b", "L7", 2, NOW)
    assert not second.clash
    with pytest.raises(JobRefused, match="joint J1 was judged under this id before"):
        journal.record(second, [make_verdict("J2"), make_verdict("J1")])
    assert journal.decided(second) == {}


@pytest.mark.parametrize("where", [0.3, 0.5, 0.9])
def test_damage_anywhere_is_found_by_examining(path: Path, where: float) -> None:
    journal = Journal(path)
    for job in range(200):
        entry = journal.open_job(f"sha256:{job}", f"L{job}", 1, NOW)
        journal.record(entry, [make_verdict("J1", f"L{job}")])
    journal.close()
    raw = bytearray(path.read_bytes())
    page = int(len(raw) * where) // 4096 * 4096
    raw[page : page + 4096] = b"\xa5" * 4096
    path.write_bytes(raw)
    with pytest.raises(JournalDamaged, match=r"journal\.db"):
        Journal(path, examine=True)


def test_a_journal_set_aside_takes_its_write_ahead_log_along(path: Path) -> None:
    journal = Journal(path)
    journal.open_job("sha256:a", "L7", 1, NOW)
    kept = set_aside(path, NOW)
    journal._db.execute("PRAGMA wal_checkpoint")
    assert not path.exists()
    assert Journal(path).fresh
    assert list(held(kept)) == ["sha256:a"]


def test_a_damaged_or_newer_journal_is_refused_and_left_alone(path: Path) -> None:
    path.write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.raises(JournalDamaged, match="not a database"):
        Journal(path)
    assert path.read_bytes().startswith(b"this is no database")
    path.unlink()
    Journal(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(JournalError, match="version 99"):
        Journal(path)
