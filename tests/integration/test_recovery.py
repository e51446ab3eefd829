"""A lost or damaged journal: real SQLite, real folders."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge.adapters.journal.store import Journal
from edge.adapters.journal.view import held
from edge.adapters.review_folder import SpoolReviews
from edge.adapters.spool import FolderSpool
from edge.adapters.spool_view import survey
from edge.core.payloads import ModelRef
from edge.core.wire import Encoder, Topics
from edge.daemon.recovery import open_journal
from edge.upkeep.audit import audit
from tests.support.builders import make_job, write_job
from tests.support.line import Line

NOW = datetime(2026, 11, 21, tzinfo=UTC)
ENCODER = Encoder("axi1", Topics("base"), "0", ModelRef(name="m", version="1.0.0", digest="sha256:0"))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Three finished jobs and one refused, their verdicts not yet sent."""
    for name in ("L-1", "L-2", "L-3"):
        write_job(tmp_path / "spool" / "incoming", make_job(name), side=16)
    bad = tmp_path / "spool" / "incoming" / "BAD"
    bad.mkdir()
    (bad / "manifest.json").write_text('{"joints": []}')
    inspect_all(tmp_path)
    return tmp_path


def inspect_all(place: Path) -> list[str]:
    """One life of the inspection side; the topics that wait in the outbox after it."""
    spool = FolderSpool(place / "spool")
    journal = open_journal(place / "journal.db", spool, SpoolReviews(place / "spool"), ENCODER, NOW)
    Line([], spool=spool, ledger=journal).run()
    topics = [row.message.topic for row in journal.pending(1_000)]
    journal.close()
    return topics


def events(place: Path) -> set[str]:
    return {verdict.event_id for job in held(place / "journal.db").values() for verdict in job.verdicts.values()}


def problems(place: Path) -> list[str]:
    return [problem.code for problem in audit(list(survey(place / "spool")), held(place / "journal.db"), None).problems]


def test_a_first_start_raises_no_alarm(tmp_path: Path) -> None:
    assert inspect_all(tmp_path) == []
    assert not Journal(tmp_path / "journal.db").fresh


@pytest.mark.parametrize("damage", ["garbage", "cut", "missing", "emptied", "one page"])
def test_a_lost_journal_is_set_aside_and_every_verdict_is_given_again(place: Path, damage: str) -> None:
    path, before = place / "journal.db", events(place)
    raw = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(
            {
                "garbage": b"no database" * 500,
                "cut": raw[: len(raw) // 2],
                "emptied": b"",
                "one page": raw[: 2 * 4096] + bytes(4096) + raw[3 * 4096 :],
            }[damage]
        )
    topics = inspect_all(place)
    assert events(place) == before
    assert sum("/verdict/" in topic for topic in topics) == 9
    assert problems(place) == []
    (alarm,) = [
        json.loads(row.message.payload)
        for row in Journal(path).pending(1_000)
        if row.message.topic.endswith("/alarm") and b"journal_rebuilt" in row.message.payload
    ]
    assert alarm["severity"] == "critical"
    assert "4 finished jobs are inspected again" in alarm["text"]
    assert bool(list(place.glob("journal.db.damaged-*"))) == (damage not in {"missing", "emptied"})


def test_a_rebuild_that_was_cut_short_is_finished_at_the_next_start(place: Path) -> None:
    """The new journal was made, and one folder moved, when the power failed."""
    (place / "journal.db").unlink()
    Journal(place / "journal.db").close()
    (place / "spool" / "done" / "L-1").rename(place / "spool" / "incoming" / "L-1")
    inspect_all(place)
    assert problems(place) == []
    assert len(events(place)) == 9


def test_a_joint_without_a_verdict_is_named(place: Path) -> None:
    import sqlite3

    with sqlite3.connect(place / "journal.db") as db:
        db.execute("DELETE FROM outbox WHERE event_id = (SELECT event_id FROM verdict WHERE joint = 'J0.1' LIMIT 1)")
        db.execute("DELETE FROM verdict WHERE rowid = (SELECT max(rowid) FROM verdict)")
    db.close()
    account = audit(list(survey(place / "spool")), held(place / "journal.db"), None)
    assert [(problem.code, problem.job_id, problem.joint) for problem in account.problems] == [
        ("joint_lost", "L-3", "J0.2"),
        ("verdict_adrift", "L-1", "J0.1"),
        ("job_incomplete", "L-3", ""),
    ]
