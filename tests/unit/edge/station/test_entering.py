"""Whatever is heard, and whatever lay there before, each joint waits and each review counts once."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from edge.core.review import Review, Said
from edge.station.database import _STEPS, Database
from edge.station.outbox import Outbox
from edge.station.store import JointStore, Wanted
from tests.support.queues import decided, joint, outbox_at, store_at


def waiting(store: JointStore, reviewer: str = "anna") -> list[str]:
    return [one.event_id for one in store.waiting(Wanted(), reviewer, [], 1000)]


def test_one_that_was_released_and_goes_to_a_specialist_after_all_waits(store: JointStore, tmp_path: Path) -> None:
    """As a device says that lost its journal, and with it what it had earned."""
    released = joint(60, released=True, verdict="normal", reason="")
    store.hear([released], [], 0.0)
    assert store.decide(decided(released), 0) is None, "nobody is asked about it"
    assert released.event_id not in waiting(store)
    assert store.hear([joint(60)], [], 0.0) == [joint(60)]
    assert released.event_id in waiting(store)
    store.hear([released], [], 0.0)
    assert released.event_id in waiting(store), "and never the other way round"
    counted = "SELECT what, SUM(count) FROM tallies WHERE what IN ('released', 'sent') GROUP BY what"
    assert dict(Database(tmp_path / "station.db").rows(counted)) == {"sent": 31, "released": 0}


@pytest.mark.parametrize(
    "odd",
    [
        {"p_defect": 1e308},
        {"p_defect": -1e308},
        {"quality": 1e308},
        {"latency_ms": 1e308},
        {"latency_ms": -5.0},
        {"time": "0 o clock"},
        {"time": "9999-12-31T23:59:59.999Z"},
    ],
)
def test_no_number_keeps_a_joint_out(odd: dict[str, object], store: JointStore) -> None:
    store.hear([joint(70, **odd)], [Review("r1", "never", Said.UNSURE, "eve", joint(70).event_id, seconds=1e306)], 0.0)
    assert joint(70).event_id in waiting(store)


def test_a_number_of_a_review_is_never_used_again(store: JointStore, outbox: Outbox) -> None:
    store.decide(decided(joint(1)), 0.0, 100.0)
    assert store.undo("anna", 1.0)
    store.decide(decided(joint(2)), 0.0)
    ((number, _),) = outbox.to_send(1.0, 10)
    assert number > 1


def test_a_store_of_the_first_version_is_taken_over(tmp_path: Path) -> None:
    old = sqlite3.connect(tmp_path / "station.db")
    for statement in _STEPS[0].split(";"):
        old.execute(statement)
    for number in range(3):
        values = (number + 1, *joint(number)[:11], number == 0)
        old.execute("INSERT INTO joints VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
    said = "INSERT INTO reviews VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
    old.execute(said, (1, "r0", joint(0).event_id, "false_call", "anna", b"{}", 0, 1))
    old.execute(said, (2, "r1", joint(1).event_id, "unsure", "anna", b"{}", 1e9, 0))
    old.execute("PRAGMA user_version = 1")
    old.commit()
    old.close()
    store = store_at(tmp_path)
    assert waiting(store, "ben") == [joint(1).event_id, joint(2).event_id]
    assert store.said_of(joint(0).event_id) == [("anna", "false_call")]
    assert store.undo("anna", 1e9 - 5) == joint(1).event_id
    store.decide(decided(joint(1)), 0.0)
    assert len(outbox_at(tmp_path).to_send(10.0, 10)) == 1
    assert store.said_so_far() == {"false_call": 1}, "what was said before is not in the history"
