"""What the ledger remembers of doubts, the fake one and SQLite: pictures that were shown, and reasons."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.adapters.journal.store import Journal
from edge.core.verdict import Call, Reason
from edge.inspection.ports import Shown
from tests.support.builders import make_verdict
from tests.support.fake_ledger import FakeLedger

NOW = datetime(2026, 11, 21, tzinfo=UTC)
Store = FakeLedger | Journal


@pytest.fixture(params=["fake", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return FakeLedger() if request.param == "fake" else Journal(tmp_path / "journal.db")


def test_reasons_are_counted(store: Store) -> None:
    entry = store.open_job("sha256:a", "L7", 4, NOW)
    assert store.reasons(entry) == {}
    store.record(entry, [make_verdict("J1"), make_verdict("J2", call=Call.UNJUDGED, reason=Reason.UNFAMILIAR)])
    store.record(entry, [make_verdict(f"J{n}", call=Call.UNJUDGED, reason=Reason.SLICE_BLANK) for n in (3, 4)])
    assert store.reasons(entry) == {"unfamiliar": 1, "slice_blank": 2}


def test_a_picture_is_known_by_the_jobs_that_showed_it(store: Store) -> None:
    first = store.open_job("sha256:a", "L7", 2, NOW)
    shown = Shown("v1", (b"one", b"two"))
    assert store.shown_before(first, shown, NOW) is None
    store.record(first, [make_verdict("J1")], shown)
    store.record(first, [make_verdict("J2")], shown)  # the rest of the view, after its judge was lost
    assert store.shown_before(first, shown, NOW) is None, "it is the very view"
    assert store.shown_before(first, Shown("v2", (b"two",)), NOW) == "L7", "another view of the job"
    later = store.open_job("sha256:b", "L8", 2, NOW + timedelta(days=2))
    assert store.shown_before(later, Shown("v1", (b"three", b"two")), NOW) == "L7"
    assert store.shown_before(later, Shown("v1", (b"three",)), NOW) is None
    assert store.shown_before(later, Shown("v1", (b"two",)), NOW + timedelta(days=1)) is None, "too long ago"


def test_pictures_outlive_folders_and_end_at_their_own_age(tmp_path: Path) -> None:
    journal, shown = Journal(tmp_path / "journal.db"), Shown("v1", (b"one",))
    first = journal.open_job("sha256:a", "L7", 0, NOW)
    journal.record(first, [], shown)
    journal.close_job(first, [], refused=False, now=NOW)
    later = journal.open_job("sha256:b", "L8", 1, NOW + timedelta(days=3))
    journal.forget(["sha256:a"])  # as a full disk would have it
    journal.forget_pictures(NOW)
    assert journal.shown_before(later, shown, NOW) == "L7"
    journal.record(later, [], Shown("v1", (b"two",)))
    journal.forget_pictures(NOW + timedelta(days=1))
    assert journal.shown_before(later, shown, NOW) is None
    assert journal.shown_before(first, Shown("v1", (b"two",)), NOW) == "L8"
