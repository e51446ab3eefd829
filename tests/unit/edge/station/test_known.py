"""Joints of known truth come among the others, at the share that was asked for, and measure whoever reviews them."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge.core.errors import UsageError
from edge.core.review import Review, Said, read_payload
from edge.core.wire import timestamp
from edge.feedback.reading import read_reviews
from edge.station.database import Database
from edge.station.joints import Joint
from edge.station.known import KnownJoints
from edge.station.outbox import Outbox
from edge.station.records import Records
from edge.station.store import Decided, JointStore, Wanted
from edge.station.truths import all_told, hand_over
from tests.support.queues import joint

NOW = datetime(2026, 11, 29, 9, tzinfo=UTC).timestamp()
DAY = 86_400.0


class Desk:
    """A station's store with boards 90 to 93 known, a joint of each ten a defect."""

    def __init__(
        self, folder: Path, share: float = 0.2, *, pictures: bool = True, dice: random.Random | None = None
    ) -> None:
        self.database = Database(folder / "station.db")
        self.told = True
        self.store, self.records = JointStore(self.database, "review1"), Records(self.database)
        chance = dice.random if dice else lambda: 0.5
        there = (lambda joints: joints) if pictures else (lambda _: [])
        self.known = KnownJoints(self.database, share, there, lambda: self.told, chance)
        self.known_joints = [joint(number) for number in range(900, 940)]
        self.store.hear(self.known_joints, [], NOW)
        self.marked = self.known.mark([truth_of(one) for one in self.known_joints])
        self._next, self._now = 0, NOW

    def arrive(self, count: int, later: float = 61.0) -> list[Joint]:
        """So many joints, so many seconds later."""
        self._now = now = self._now + later
        fresh = [joint(number) for number in range(self._next, self._next + count)]
        self._next += count
        self.known.deal(self.store.hear(fresh, [], now), now)
        return fresh

    def review(self, name: str, one: Joint, now: float = NOW, said: Said = Said.FALSE_CALL) -> None:
        decided = Decided(one.event_id, said, None, name, timestamp(datetime.fromtimestamp(now, UTC)), 2.0)
        assert self.store.decide(decided, now)

    def queue(self, name: str) -> list[Joint]:
        return self.store.waiting(Wanted(), name, [], 100_000)

    def known_in(self, joints: list[Joint]) -> list[Joint]:
        known = {one.event_id for one in self.known_joints}
        return [one for one in joints if one.event_id in known]


def truth_of(one: Joint) -> Review:
    said = Said.DEFECT if one.joint == "J1.0" else Said.FALSE_CALL
    return Review("", "2026-11-29T07:00:00Z", said, "section", serial=one.serial, joint=one.joint)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_known_joints_wait_for_nobody_until_they_are_dealt(desk: Desk) -> None:
    assert [one.problem for one in desk.marked] == [""] * 40
    assert desk.known.counts() == (4, 36)
    assert desk.queue("anna") == []
    desk.store.hear(desk.known_joints, [], NOW)  # the broker says it again
    assert desk.queue("anna") == []


def test_they_come_as_a_board_right_before_another_and_wait_since_then(desk: Desk) -> None:
    desk.arrive(5)
    desk.review("anna", joint(0))
    desk.arrive(60)
    queue = desk.queue("anna")
    known = desk.known_in(queue)
    first = queue.index(known[0])
    assert queue[first : first + 10] == known
    assert {one.serial for one in known} == {"SN090"}
    assert queue[first - 1].job_id != queue[first + 10].job_id, "no board is split"
    assert {one.time for one in known} == {timestamp(datetime.fromtimestamp(NOW + 122, UTC))}
    assert not any(desk.store.said_of(one.event_id) for one in known), "none is a second look"


def test_no_board_is_split_though_its_joints_come_one_by_one(tmp_path: Path) -> None:
    desk = Desk(tmp_path, dice=random.Random(5))
    desk.arrive(1)
    desk.review("anna", joint(0))
    for _ in range(199):
        desk.arrive(1)
    jobs = [one.job_id for one in desk.queue("anna")]
    assert len(desk.known_in(desk.queue("anna"))) == 40
    assert len([job for job, before in zip(jobs, ["", *jobs], strict=False) if job != before]) == len(set(jobs))


def test_of_what_somebody_reviews_the_share_is_known(tmp_path: Path) -> None:
    desk, seen = Desk(tmp_path, share=0.1, dice=random.Random(3)), list[Joint]()
    desk.arrive(1)
    while True:
        queue = desk.queue("anna")
        for one in queue:
            desk.review("anna", one)
        seen += queue
        if len(desk.known_in(seen)) == 40:
            break
        desk.arrive(7)
    assert 0.08 < 40 / len(seen) < 0.12


def test_each_reviewer_sees_each_of_them_once_and_not_as_a_second_look(desk: Desk) -> None:
    desk.arrive(2)
    desk.review("anna", joint(0))
    for _ in range(30):
        desk.arrive(20)
        for one in desk.queue("anna"):
            desk.review("anna", one)
    assert desk.known_in(desk.queue("ben")) == []
    desk.review("ben", desk.arrive(1)[0])
    seen = list[Joint]()
    for _ in range(30):
        desk.arrive(20)
        for one in desk.known_in(desk.queue("ben")):
            assert desk.store.said_of(one.event_id) == []
            desk.review("ben", one)
            seen.append(one)
    assert sorted(one.event_id for one in seen) == sorted(one.event_id for one in desk.known_joints)
    assert desk.known_in(desk.queue("anna")) == []


def test_what_nobody_took_goes_back_after_days_and_none_comes_without_pictures(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.arrive(1)
    desk.review("anna", joint(0))
    desk.arrive(60)
    assert desk.known_in(desk.queue("anna"))
    desk.review("anna", desk.known_in(desk.queue("anna"))[0], said=Said.UNSURE)
    desk.review("anna", joint(1), NOW + 4 * DAY)
    desk.arrive(60, 4 * DAY)
    assert {one.serial for one in desk.known_in(desk.queue("ben"))} == {"SN090", "SN091"}
    assert len([one for one in desk.queue("ben") if one.serial == "SN090"]) == 1, "somebody was not sure of that one"
    (tmp_path / "blind").mkdir()
    blind = Desk(tmp_path / "blind", pictures=False)
    blind.arrive(1)
    blind.review("anna", joint(0))
    blind.arrive(200)
    assert blind.known_in(blind.queue("anna")) == []


def test_nothing_is_dealt_before_the_device_knows_the_truth(desk: Desk) -> None:
    desk.arrive(1)
    desk.review("anna", joint(0))
    desk.told = False
    desk.arrive(200)
    assert desk.known_in(desk.queue("anna")) == []
    desk.told = True
    desk.arrive(20)
    assert desk.known_in(desk.queue("anna"))


def test_nothing_is_dealt_where_the_share_is_nothing_or_nobody_reviews(tmp_path: Path, desk: Desk) -> None:
    desk.arrive(500)
    assert desk.known_in(desk.queue("anna")) == []
    (tmp_path / "none").mkdir()
    none = Desk(tmp_path / "none", share=0.0)
    none.arrive(1)
    none.review("anna", joint(0))
    none.arrive(500)
    assert none.known_in(none.queue("anna")) == []


def test_what_was_looked_at_released_or_never_judged_measures_nobody(desk: Desk) -> None:
    desk.store.hear([joint(50), joint(51, released=True, verdict="normal")], [], NOW)
    desk.review("anna", joint(50))
    lines = [truth_of(joint(number)) for number in (50, 51, 990, 900)]
    lines.append(truth_of(joint(901))._replace(decision=Said.UNSURE))
    lines.append(truth_of(joint(902))._replace(decision=Said.DEFECT))
    marked = desk.known.mark(lines)
    assert [one.measures for one in marked] == [False, False, False, True, False, False]
    words = ("looked at it already", "", "no such joint", "", "unsure", "is known as false_call already")
    assert all(word in one.problem for word, one in zip(words, marked, strict=True))
    assert desk.known.counts() == (4, 36)


def test_they_measure_who_reviews_them_and_are_sent_as_any_other(desk: Desk) -> None:
    desk.arrive(1)
    desk.review("anna", joint(0))
    desk.arrive(60)
    for one in desk.known_in(desk.queue("anna")):
        desk.review("anna", one, said=Said.DEFECT if one.joint == "J1.5" else Said.FALSE_CALL)
    (anna,) = desk.records.everybody()
    assert (anna.record.misses.hits, anna.record.misses.total) == (1, 1)
    assert (anna.record.alarms.hits, anna.record.alarms.total) == (1, 9)
    assert anna.misses_below == 1.0
    assert 0.1 < anna.alarms_below < 1.0
    assert desk.records.disputes(10) == []
    assert len(Outbox(desk.database).to_send(1e12, 100)) == 11
    assert desk.store.said_so_far() == {"false_call": 10, "defect": 1}, "else a count would tell them from others"


def test_of_several_judgements_of_a_board_the_last_is_meant_wherever_the_first_waits(desk: Desk) -> None:
    desk.arrive(1)
    desk.review("anna", joint(0))
    again = [one._replace(event_id=joint(5000).event_id, job_id="later") for one in desk.known_joints[:1]]
    desk.store.hear(again, [], NOW)
    desk.arrive(60)
    assert desk.known_in(desk.queue("anna")), "the first was dealt, and is behind it now"
    (marked,) = desk.known.mark([truth_of(again[0])])
    assert marked.joint is not None
    assert marked.joint.job_id == "later"


def test_haste_and_disputes_are_told(desk: Desk) -> None:
    desk.records.was_hasty("anna", 3)
    desk.records.was_hasty("anna")
    desk.store.hear([joint(5), joint(6)], [], NOW)
    desk.review("anna", joint(5))
    desk.review("anna", joint(6), said=Said.UNSURE)
    for number in (5, 6):
        heard = Review(f"r{number}", "t", Said.DEFECT, "eve", event_id=joint(number).event_id)
        desk.store.hear([], [heard], NOW)
    (dispute,) = desk.records.disputes(10)
    assert (dispute.event_id, dispute.said) == (joint(5).event_id, (("anna", "false_call"), ("eve", "defect")))
    assert {one.name: (one.reviews, one.unsure, one.hasty) for one in desk.records.everybody()} == {
        "anna": (2, 1, 4),
        "eve": (2, 0, 0),
    }


def test_truths_are_handed_to_the_device_as_settled_and_only_those_that_measure(tmp_path: Path) -> None:
    database, table = Database(tmp_path / "station.db"), tmp_path / "board.csv"
    JointStore(database, "review1").hear([joint(n) for n in range(3)], [], NOW)
    (tmp_path / "spool").mkdir()
    rows = [f"SN000,J1.{n},{'defect' if n == 1 else 'false_call'},lab,2026-11-29T07:00:00Z" for n in range(4)]
    table.write_text("\n".join(["serial,joint,decision,reviewer,time", *rows]) + "\n")
    found = hand_over(table, database, tmp_path / "spool")
    assert (found.defects, found.good) == (1, 2)
    assert found.released == 0
    assert found.problems == ["joint J1.3 of SN000: no such joint was judged yet; have the board inspected first"]
    (lies,) = (tmp_path / "spool" / "reviews").iterdir()
    assert not all_told(tmp_path / "spool")
    said, problems = read_reviews(lies.name, lies.read_bytes())
    assert not problems
    assert all(one.settled for one in said)
    assert [one.event_id for one in said] == [joint(n).event_id for n in range(3)]
    assert read_payload(lies.read_bytes().splitlines()[1]).decision is Said.DEFECT
    lies.unlink()
    assert all_told(tmp_path / "spool")
    with pytest.raises(UsageError, match="name a file of truths"):
        hand_over(tmp_path / "gone.csv", database, tmp_path / "spool")
