"""Reviews in the journal: each once, on the joint that it is about, or set aside with a reason."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from edge.adapters.journal.reviews import JournalReviews
from edge.adapters.journal.store import Journal
from edge.core.payloads import BoardRef
from edge.core.review import Review, Said
from edge.core.verdict import Reason, Route
from tests.support.builders import make_verdict

NOW = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """A journal of one job L7 on board SN with joints J1 and J2."""
    path = tmp_path / "journal.db"
    decide(path, "L7", "SN", ["J1", "J2"])
    return path


def decide(path: Path, job_id: str, serial: str, joints: list[str], **changes: object) -> None:
    journal = Journal(path)
    entry = journal.open_job(f"sha256:{job_id}", job_id, len(joints), NOW)
    said = [make_verdict(joint, job_id) for joint in joints]
    board = BoardRef(serial=serial, type="MB-7")
    named = [one._replace(payload=replaced(one.payload, board=board, **changes), joint_type="PTH") for one in said]
    journal.record(entry, named)
    journal.close_job(entry, [], refused=False, now=NOW)
    journal.close()


def replaced(payload, **changes):  # type: ignore[no-untyped-def]
    return msgspec.structs.replace(payload, p_defect=0.25, **changes)


def review(number: int = 1, **changes: object) -> Review:
    said = Review(str(uuid.UUID(int=number)), "2026-11-26T08:20:11Z", Said.DEFECT, "r17", job_id="L7", joint="J1")
    return said._replace(**changes)  # type: ignore[arg-type]


def kept(path: Path, *columns: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(path) as db:
        return db.execute(f"SELECT {', '.join(columns)} FROM review ORDER BY rowid").fetchall()  # noqa: S608


def test_a_review_counts_once_whatever_is_sent_again(path: Path) -> None:
    for turn in range(2):
        book = JournalReviews(path)
        entered = book.enter([review(1), review(2, joint="J2"), review(1)], "a.csv", NOW)
        book.close()
        assert (entered.new, entered.again) == ((2, 1) if turn == 0 else (0, 3))
    assert kept(path, "joint", "source") == [("J1", "a.csv"), ("J2", "a.csv")]


def test_a_job_waits_until_somebody_was_sure_of_each_joint_but_not_where_nobody_reviews(path: Path) -> None:
    for job in ("L8", "L9"):
        decide(path, job, job, ["J1", "J2"], route=Route.SPECIALIST)
    journal, book = Journal(path), JournalReviews(path)

    def waiting() -> list[str]:
        return [job for job in ("L7", "L8", "L9", "L10") if journal.waits(f"sha256:{job}")]

    assert waiting() == []
    book.enter([review(1, job_id="L8")], "mqtt", NOW)
    assert waiting() == ["L8", "L9"], "what was released waits for nobody"
    book.enter([review(2, job_id="L8", joint="J2", decision=Said.UNSURE)], "mqtt", NOW)
    assert waiting() == ["L8", "L9"]
    book.enter([review(3, job_id="L8", joint="J2", decision=Said.FALSE_CALL, reviewer="r18")], "mqtt", NOW)
    assert waiting() == ["L9"]
    book.close()
    journal.close()


def test_what_the_joint_was_is_kept_with_the_review_when_its_verdict_is_forgotten(path: Path) -> None:
    book = JournalReviews(path)
    book.enter([review()], "mqtt", NOW)
    journal = Journal(path)
    journal.mark_sent([row.seq for row in journal.pending(9)], NOW)
    journal.forget(["sha256:L7"])
    assert kept(path, "event_id", "board_type", "joint_type", "p_defect", "decision", "reviewer") == [
        (make_verdict("J1").payload.event_id, "MB-7", "PTH", 0.25, "defect", "r17")
    ]


@pytest.mark.parametrize(
    "said",
    [
        {"event_id": make_verdict("J1").payload.event_id, "job_id": "", "joint": ""},
        {"event_id": make_verdict("J1").payload.event_id},
        {},
        {"job_id": "", "serial": "SN"},
        {"job_id": "SN_2026-11-26T08:00:00", "serial": "SN"},
    ],
    ids=["event", "event and joint", "job", "board", "repaired export of a job with a name of its own"],
)
def test_a_joint_is_found_by_event_job_or_board(path: Path, said: dict[str, str]) -> None:
    assert not JournalReviews(path).enter([review(**said)], "a.csv", NOW).aside
    assert kept(path, "event_id") == [(make_verdict("J1").payload.event_id,)]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"event_id": str(uuid.UUID(int=9))}, "not known here"),
        ({"event_id": make_verdict("J2").payload.event_id}, "is joint J2 of job L7, and not J1"),
        ({"job_id": "L8"}, "job 'L8' has no joint 'J1'"),
        ({"joint": "J9"}, "job 'L7' has no joint 'J9'"),
        ({"job_id": "", "serial": "SN9"}, "board 'SN9' has no joint"),
    ],
)
def test_a_review_of_a_joint_that_is_not_known_is_set_aside_and_never_dropped(
    path: Path, said: dict[str, str], why: str
) -> None:
    ((_, problem),) = JournalReviews(path).enter([review(**said)], "a.csv", NOW).aside
    assert why in problem
    assert kept(path, "event_id", "problem") == [(None, problem)]


def test_of_several_inspections_of_a_board_none_is_guessed(path: Path) -> None:
    decide(path, "SN_later", "SN", ["J1"])
    book = JournalReviews(path)
    ((_, problem),) = book.enter([review(job_id="", serial="SN")], "a.csv", NOW).aside
    assert "2 inspections" in problem
    assert not book.enter([review(2, job_id="SN_later", serial="SN")], "a.xml", NOW).aside
    ((_, other),) = book.enter([review(3, job_id="SN_other", serial="SN", joint="J9")], "a.xml", NOW).aside
    assert "no joint" in other


def test_a_board_whose_first_inspection_is_forgotten_or_from_before_an_update_is_not_guessed_either(path: Path) -> None:
    decide(path, "later", "SN", ["J1"])
    journal = Journal(path)
    journal.mark_sent([row.seq for row in journal.pending(9)], NOW)
    journal.forget(["sha256:L7"])
    ((_, problem),) = JournalReviews(path).enter([review(job_id="", serial="SN")], "a.csv", NOW).aside
    assert "inspected 2 times" in problem
    decide(path, "other", "SN2", ["J1"])
    assert not JournalReviews(path).enter([review(2, job_id="", serial="SN2")], "a.csv", NOW).aside
    with sqlite3.connect(path) as db:
        db.execute("UPDATE job SET serial = NULL WHERE job_id = 'L7'")
    ((_, problem),) = JournalReviews(path).enter([review(3, job_id="", serial="SN2")], "a.csv", NOW).aside
    assert "before the last update" in problem
    assert not JournalReviews(path).enter([review(4, job_id="", serial="SN2")], "a.csv", NOW + timedelta(days=8)).aside


def test_a_review_that_names_nothing_is_put_to_nothing(path: Path) -> None:
    decide(path, "nameless", "", ["J1"])
    for number, job_id in enumerate(("", "_2026")):
        ((_, problem),) = JournalReviews(path).enter([review(number, job_id=job_id)], "a.csv", NOW).aside
        assert problem


def test_of_a_job_that_was_refused_and_sent_again_the_judged_one_is_meant(path: Path) -> None:
    journal = Journal(path)
    entry = journal.open_job("sha256:again", "L7", 1, NOW)
    refused = make_verdict("J1", "L7")
    payload = msgspec.structs.replace(refused.payload, event_id=str(uuid.UUID(int=5)), reason=Reason.JOB_REFUSED)
    journal.record(entry, [refused._replace(payload=payload)])
    assert not JournalReviews(path).enter([review()], "a.csv", NOW).aside
    assert kept(path, "event_id") == [(make_verdict("J1").payload.event_id,)]


def test_those_set_aside_are_looked_at_in_turns(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.adapters.journal.reviews._LOOKED_AT_ONCE", 2)
    book = JournalReviews(path)
    book.enter([review(number, job_id=f"L{8 + number}") for number in range(5)], "mqtt", NOW)
    decide(path, "L12", "SN12", ["J1"])
    assert [book.reconsider(NOW, NOW) for _ in range(4)] == [0, 0, 1, 0]


def test_what_was_set_aside_finds_its_joint_once_that_is_known(path: Path) -> None:
    book = JournalReviews(path)
    early = [review(1, job_id="L8"), review(2, event_id=make_verdict("J2", "L8").payload.event_id, job_id="", joint="")]
    assert len(book.enter(early, "mqtt", NOW).aside) == 2
    assert book.reconsider(None, NOW) == 0
    decide(path, "L8", "SN8", ["J1", "J2"])
    assert book.reconsider(NOW + timedelta(seconds=1), NOW) == 0, "too old"
    assert book.reconsider(NOW, NOW) == 2
    assert kept(path, "joint", "problem", "board_type") == [("J1", None, "MB-7"), ("J2", None, "MB-7")]
    assert book.reconsider(None, NOW) == 0


def test_reviews_of_one_joint_are_all_kept_with_who_gave_them(path: Path) -> None:
    said = [review(1), review(2, decision=Said.FALSE_CALL, reviewer="r2")]
    JournalReviews(path).enter(said, "mqtt", NOW + timedelta(hours=1))
    assert kept(path, "decision", "reviewer") == [("defect", "r17"), ("false_call", "r2")]
