"""What waits, waits in order until somebody is sure; what was decided is sent once, and can be taken back before."""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.core.errors import ConfigError
from edge.core.review import Review, Said, read_payload
from edge.core.verdict import Reason
from edge.station.database import Database
from edge.station.joints import PICTURES_DOUBTED
from edge.station.outbox import Outbox
from edge.station.store import JointStore, Wanted
from tests.support.queues import decided, joint, outbox_at, store_at

ALL = Wanted()
LATE = 1e12


def waiting(store: JointStore, reviewer: str = "anna", wanted: Wanted = ALL) -> list[str]:
    return [one.event_id for one in store.waiting(wanted, reviewer, [], 1000)]


def test_joints_wait_in_the_order_they_came_each_once(store: JointStore) -> None:
    store.hear([joint(3), joint(40), joint(40)], [], 0.0)
    assert waiting(store) == [joint(n).event_id for n in (*range(30), 40)]
    assert [(board.serial, board.joints) for board in store.boards(ALL, "anna")] == [
        ("SN000", 10),
        ("SN001", 10),
        ("SN002", 10),
        ("SN004", 1),
    ]
    assert store.counts() == (31, joint(0).time)


def test_the_queue_is_narrowed(store: JointStore) -> None:
    assert {one.board_type for one in store.waiting(Wanted(board_type="MB-1"), "anna", [], 99)} == {"MB-1"}
    assert len(store.waiting(Wanted(machine_call="insufficient", serial="SN000"), "anna", [], 99)) == 4
    doubtful = [joint(100 + n, reason=reason.value) for n, reason in enumerate(Reason)]
    store.hear(doubtful, [], 0.0)
    in_doubt = {one.reason for one in store.waiting(Wanted(doubted=True), "anna", [], 99)}
    others = {one.reason for one in store.waiting(Wanted(doubted=False), "anna", [], 99)}
    assert in_doubt == {reason.value for reason in PICTURES_DOUBTED}
    assert {"audit", "learning"} <= others
    assert not in_doubt & others


def test_a_decision_ends_the_waiting_and_becomes_a_review(store: JointStore, outbox: Outbox) -> None:
    standing = store.decide(decided(joint(4), decision=Said.DEFECT, defect_class="voided"), 0.0, 5.0)
    assert standing is not None
    assert joint(4).event_id not in waiting(store)
    assert outbox.to_send(4.9, 10) == []
    ((number, payload),) = outbox.to_send(5.0, 10)
    review = read_payload(payload)
    assert (review.review_id, review.event_id, review.decision) == (standing.review_id, joint(4).event_id, Said.DEFECT)
    assert (review.defect_class, review.reviewer, review.station, review.blind) == ("voided", "anna", "review1", True)
    assert outbox.unsent() == 1
    outbox.sent([number])
    assert outbox.to_send(LATE, 10) == []
    assert outbox.unsent() == 0


def test_nobody_decides_twice_on_a_joint_or_on_one_that_nobody_knows(store: JointStore, outbox: Outbox) -> None:
    assert store.decide(decided(joint(1)), 0)
    assert store.decide(decided(joint(1), decision=Said.DEFECT), 0) is None
    assert store.decide(decided(joint(99)), 0) is None
    assert outbox.unsent() == 1


def test_what_somebody_is_not_sure_of_waits_for_somebody_else(store: JointStore) -> None:
    store.decide(decided(joint(2), decision=Said.UNSURE), 0)
    assert joint(2).event_id not in waiting(store, "anna")
    assert joint(2).event_id in waiting(store, "ben")
    assert store.boards(Wanted(serial="SN000"), "ben")[0].second == 1
    store.decide(decided(joint(2), "ben"), 0)
    assert joint(2).event_id not in waiting(store, "carl")
    assert store.said_of(joint(2).event_id) == [("anna", "unsure"), ("ben", "false_call")]


def test_only_the_last_decision_is_taken_back_and_only_before_it_may_be_sent(store: JointStore, outbox: Outbox) -> None:
    store.decide(decided(joint(1)), 0.0, 100.0)
    store.decide(decided(joint(2)), 0.0, 101.0)
    store.decide(decided(joint(3), "ben"), 0.0, 101.0)
    assert [read_payload(payload).joint for _, payload in outbox.to_send(50.0, 10)] == ["J1.1"]
    assert store.undo("anna", 50.0) == joint(2).event_id
    assert joint(2).event_id in waiting(store)
    assert store.undo("anna", 50.0) is None
    assert store.undo("ben", 101.0) is None
    assert store.decide(decided(joint(2), decision=Said.DEFECT, defect_class="short"), 0)


def test_what_is_being_sent_is_not_taken_back_even_if_the_clock_is_set_back(store: JointStore, outbox: Outbox) -> None:
    store.decide(decided(joint(1)), 0.0, 100.0)
    assert len(outbox.to_send(100.0, 10)) == 1
    assert store.undo("anna", 10.0) is None


def test_reviews_from_elsewhere_end_the_waiting_too_whichever_comes_first(store: JointStore, outbox: Outbox) -> None:
    heard = [
        Review("r1", "t", Said.DEFECT, "eve", event_id=joint(5).event_id),
        Review("r2", "t", Said.UNSURE, "eve", event_id=joint(6).event_id),
        Review("r3", "t", Said.FALSE_CALL, "eve", event_id=joint(50).event_id),
    ]
    store.hear([], heard, 0.0)
    store.hear([joint(50)], heard, 0.0)
    assert not {joint(5).event_id, joint(50).event_id} & set(waiting(store))
    assert joint(6).event_id in waiting(store)
    assert outbox.to_send(LATE, 10) == []


def test_good_ones_are_of_the_same_type_and_pin_and_nobody_doubts_them(store: JointStore) -> None:
    store.hear([joint(n) for n in range(30, 100)], [], 0.0)
    for n, decision in ((20, Said.FALSE_CALL), (40, Said.DEFECT), (60, Said.FALSE_CALL), (61, Said.FALSE_CALL)):
        store.decide(decided(joint(n), decision=decision), 0)
    store.hear([], [Review("r9", "t", Said.DEFECT, "eve", event_id=joint(20).event_id)], 0.0)
    assert [one.event_id for one in store.good_ones(joint(0), 3)] == [joint(60).event_id]


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "station.db").write_text("no database, whatever its name says" * 100)
    with pytest.raises(ConfigError, match=r"station\.db: .*\[station\] path"):
        Database(tmp_path / "station.db")


def test_threads_decide_each_joint_once(store: JointStore, outbox: Outbox) -> None:
    won = Counter[str]()

    def reviewer(name: str) -> None:
        for n in range(30):
            if store.decide(decided(joint(n), name), 0):
                won[name] += 1

    threads = [threading.Thread(target=reviewer, args=("anna",)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won["anna"] == outbox.unsent() == 30


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["decide", "unsure", "undo", "send", "open"]), max_size=30))
def test_whatever_happens_each_decision_that_stands_is_sent_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    """Closed and opened again in between, too."""
    folder = tmp_path_factory.mktemp("station")
    store, outbox, now = store_at(folder), outbox_at(folder), 0.0
    standing, sent = list[str](), list[str]()
    store.hear([joint(n) for n in range(40)], [], 0.0)
    for number, step in enumerate(steps):
        now += 1
        if step in {"decide", "unsure"}:
            said = Said.UNSURE if step == "unsure" else Said.FALSE_CALL
            store.decide(decided(joint(number), decision=said), now, 2.0)
            standing.append(joint(number).event_id)
        elif step == "undo":
            taken = store.undo("anna", now)
            if taken:
                assert standing.pop() == taken
        elif step == "send":
            due = outbox.to_send(now, 100)
            sent += [read_payload(payload).event_id for _, payload in due]
            outbox.sent([number for number, _ in due])
        else:
            store = store_at(folder)
    sent += [read_payload(payload).event_id for _, payload in outbox.to_send(now + 100, 100)]
    assert sent == standing


def test_what_the_network_said_is_known_once_the_decision_stands(store: JointStore) -> None:
    """Else it could be taken back and made anew by who knows."""
    first = store.decide(decided(joint(1), decision=Said.UNSURE), 0.0, 20.0)
    second = store.decide(decided(joint(2)), 1.0, 20.0)
    third = store.decide(decided(joint(3)), 30.0, 0.0)
    assert first is not None
    assert second is not None
    assert third is not None
    assert [[one.joint for one in standing.joints] for standing in (first, second, third)] == [
        [],
        ["J1.1"],
        ["J1.2", "J1.3"],
    ]


def test_a_word_that_is_not_taken_makes_none_stand(store: JointStore) -> None:
    store.decide(decided(joint(1)), 0.0, 20.0)
    store.hear([], [Review("r1", "t", Said.UNSURE, "anna", event_id=joint(2).event_id)], 0.0)
    assert store.decide(decided(joint(2)), 1.0, 20.0) is None
    assert store.undoable("anna", 2.0) == joint(1).event_id
    assert store.undo("anna", 2.0) == joint(1).event_id


def test_a_clock_that_is_set_back_holds_nothing_back(store: JointStore, outbox: Outbox) -> None:
    store.decide(decided(joint(1)), 1e9, 20.0)
    assert len(outbox.to_send(1e9 - 86_400, 10)) == 1


def test_what_went_out_unheard_is_sent_again_until_its_echo_is_heard(store: JointStore, outbox: Outbox) -> None:
    """A broker of MQTT 3.1.1 acknowledges what it throws away."""
    standing = store.decide(decided(joint(1)), 0.0)
    assert standing is not None
    ((number, _),) = outbox.to_send(1.0, 10)
    outbox.put_off([number], 11.0)
    assert outbox.to_send(10.9, 10) == []
    assert outbox.unsent() == 1
    assert [again for again, _ in outbox.to_send(11.0, 10)] == [number]
    outbox.put_off([number], 21.0)
    store.hear([], [Review(standing.review_id, "t", Said.FALSE_CALL, "anna", event_id=joint(1).event_id)], 0.0)
    assert outbox.unsent() == 0
    assert outbox.to_send(LATE, 10) == []


def test_who_reads_waits_for_nobody_who_writes(store: JointStore, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "station.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert store.counts()[0] == 30
    assert len(store.boards(ALL, "anna")) == 3
    other.execute("ROLLBACK")
    other.close()
