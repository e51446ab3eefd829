"""The line's history counts every joint and every review once, by the clock on the wall, and stays when it ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.core.review import Review, Said
from edge.core.wire import timestamp
from edge.station.alarms import Alarm, Alarms, NotAnAlarm, alarm_of
from edge.station.cleaning import Cleaning
from edge.station.database import Database
from edge.station.history import History, Span
from edge.station.joints import Joint
from edge.station.known import KnownJoints
from edge.station.outbox import Outbox
from edge.station.store import Decided, JointStore
from edge.station.tallies import length_at, share_at, step_of_length, step_of_share
from tests.support.queues import joint

WALL = datetime(2026, 11, 29, 14, 20)  # noqa: DTZ001 - a clock on the wall
NOW = WALL.timestamp()


def at(**ago: float) -> str:
    return timestamp(datetime.fromtimestamp(NOW - timedelta(**ago).total_seconds(), UTC))


class Desk:
    def __init__(self, folder: Path) -> None:
        self.database = Database(folder / "station.db")
        self.store, self.history = JointStore(self.database, "review1"), History(self.database, lambda: WALL)

    def hear(self, *joints: Joint) -> None:
        self.store.hear(joints, [], NOW)

    def decide(self, one: Joint, said: Said = Said.FALSE_CALL, seconds: float = 4.0, *, stands: bool = True) -> None:
        assert self.store.decide(Decided(one.event_id, said, None, "anna", at(), seconds), NOW, 20.0)
        if stands:
            Outbox(self.database).to_send(NOW + 20, 1000)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def released(number: int, **other: object) -> Joint:
    return joint(number, verdict="normal", reason="", released=True, **other)


def test_joints_are_counted_once_on_their_day_released_or_sent(desk: Desk) -> None:
    today = [released(n, time=at(hours=1)) for n in range(3)] + [joint(n, time=at(hours=2)) for n in range(3, 5)]
    before = [joint(n, time=at(days=3)) for n in range(10, 17)]
    desk.hear(*today, *before, *today)
    desk.hear(*before, joint(40, time=at(days=80)), joint(41, time="no time"))
    assert [(desk.history.sums(span).released, desk.history.sums(span).sent) for span in Span] == [
        (3, 3),
        (3, 10),
        (3, 10),
    ]
    week = desk.history.steps(Span.WEEK)
    assert [(step.released, step.sent) for step in week] == [(0, 0)] * 3 + [(0, 7), (0, 0), (0, 0), (3, 3)]
    hours = desk.history.steps(Span.TODAY)
    assert len(hours) == 15
    assert [(step.released, step.sent) for step in hours[-3:]] == [(0, 2), (3, 0), (0, 1)]
    assert [step.sent for step in desk.history.steps(Span.TODAY, "MB-1")] == [0] * 15
    assert desk.history.board_types() == ["MB-0", "MB-1"]


def test_work_saved_is_what_reviews_took_times_what_nobody_had_to_review(desk: Desk) -> None:
    desk.hear(*(released(n, time=at()) for n in range(300)), *(joint(n, time=at()) for n in range(400, 405)))
    assert desk.history.sums(Span.TODAY).minutes_saved is None
    for number, seconds in enumerate((3.9, 4.0, 4.1, 4.0, 600.0)):
        desk.decide(joint(400 + number), seconds=seconds)
    sums = desk.history.sums(Span.TODAY)
    assert sums.seconds == pytest.approx(4.0, rel=0.2)
    assert sums.minutes_saved == pytest.approx(20, rel=0.2)


def test_reviews_are_counted_once_and_not_before_they_stand(desk: Desk) -> None:
    desk.hear(*(joint(n, time=at(hours=5)) for n in range(6)))
    desk.decide(joint(0), Said.DEFECT)
    desk.decide(joint(1), Said.UNSURE)
    desk.decide(joint(2), stands=False)
    assert desk.history.sums(Span.TODAY).false_calls == 0
    assert desk.store.undo("anna", NOW)
    heard = Review("r1", at(), Said.DEFECT, "eve", event_id=joint(3).event_id)
    for _ in range(2):
        desk.store.hear([], [heard], NOW)
        Outbox(desk.database).to_send(NOW + 100, 1000)
    sums = desk.history.sums(Span.TODAY)
    assert (sums.defects, sums.false_calls, sums.unsure) == (2, 0, 1)


def test_audits_are_told_by_the_gravest_word_that_stands(desk: Desk) -> None:
    audits = [joint(n, reason="audit", p_defect=0.01, time=at(hours=3)) for n in range(40)]
    desk.hear(*audits, joint(50), joint(51, reason="audit", time=at(days=2)))
    for one in audits[:30]:
        desk.decide(one)
    desk.decide(joint(50), Said.DEFECT)
    desk.decide(audits[30], Said.DEFECT, stands=False)
    assert desk.history.sums(Span.TODAY).audited == (0, 30), "that can still be taken back"
    Outbox(desk.database).to_send(NOW + 100, 1000)
    for name, said in (("eve", Said.DEFECT), ("zoe", Said.FALSE_CALL)):
        desk.store.hear([], [Review(name, at(), said, name, event_id=audits[0].event_id)], NOW)
    desk.store.hear([], [Review("u", at(), Said.UNSURE, "eve", event_id=audits[35].event_id)], NOW)
    audited = desk.history.sums(Span.TODAY).audited
    assert audited == (2, 31)
    assert 2 / 31 < desk.history.sums(Span.TODAY).escape_share < 0.3


def test_scores_of_few_joints_are_not_told(desk: Desk) -> None:
    desk.hear(*(joint(n, p_defect=0.9, time=at()) for n in range(19)))
    assert desk.history.steps(Span.TODAY)[-1].scores is None
    desk.hear(*(joint(n, p_defect=0.9, quality=0.3, time=at()) for n in range(19, 38)))
    assert desk.history.steps(Span.TODAY)[-1].quality is None
    desk.hear(joint(38, p_defect=0.9, quality=0.3, time=at()))
    last = desk.history.steps(Span.TODAY)[-1]
    assert last.scores is not None
    assert 0.9 <= last.scores.low <= last.scores.middle <= last.scores.high <= 0.95
    assert last.quality is not None
    assert 0.3 <= last.quality.middle <= 0.35


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.sampled_from([0.1, 0.5, 0.9]))
def test_shares_are_read_off_to_a_twentieth(values: list[float], part: float) -> None:
    steps: dict[int, int] = {}
    for value in values:
        steps[step_of_share(value)] = steps.get(step_of_share(value), 0) + 1
    exact = sorted(values)[max(0, -int(-part * len(values) // 1) - 1)]
    assert abs(share_at(steps, part) - exact) <= 0.05 + 1e-9


@given(st.floats(1, 1e7))
def test_lengths_are_read_off_to_a_fifth(value: float) -> None:
    assert length_at({step_of_length(value): 3}, 0.5) == pytest.approx(value, rel=0.2)


def test_alarms_are_kept_once_and_those_that_are_not_over_are_the_case(tmp_path: Path) -> None:
    alarms = Alarms(Database(tmp_path / "station.db"))
    said = [
        Alarm("2026-11-29T08:00:00Z", "disk_low", "error", "1 GB left"),
        Alarm("2026-11-29T08:01:00Z", "job_refused", "error", "no manifest"),
        Alarm("2026-11-29T08:02:00Z", "spool_stuck", "error", "read-only"),
        Alarm("2026-11-29T08:03:00Z", "disk_low_over", "warning", "9 GB left"),
    ]
    alarms.hear(said)
    alarms.hear(said)
    assert [one.code for one in alarms.latest(9)] == ["disk_low_over", "spool_stuck", "job_refused", "disk_low"]
    assert [one.code for one in alarms.raised()] == ["spool_stuck"]
    alarms.hear([Alarm("2001-01-01T00:00:00Z", "spool_stuck_over", "warning", "by a clock that was set back")])
    assert alarms.raised() == []
    alarms.hear([Alarm("t", "disk_low", "error", "1 GB left")])
    alarms.hear([Alarm("zzz", "job_refused", "error", str(n)) for n in range(10_005)])
    assert [one.code for one in alarms.raised()] == ["disk_low"]
    assert len(alarms.latest(20_000)) == 10_000
    whose = [Alarm("t", "xray_drift", "error", name, name) for name in ("MB-1", "MB-2")]
    alarms.hear([*whose, Alarm("u", "xray_drift_over", "warning", "as usual", "MB-1")])
    assert [(one.code, one.about) for one in alarms.raised()] == [("disk_low", ""), ("xray_drift", "MB-2")]
    with pytest.raises(NotAnAlarm):
        alarm_of(b'{"schema":"axi-alarm/1"}')


def test_joints_that_wait_for_nobody_go_and_their_counts_stay(desk: Desk) -> None:
    cleaning, day = Cleaning(desk.database, 3, lambda: WALL), 86_400.0
    old = [joint(n) for n in range(4)]
    desk.store.hear([*old, released(4), joint(6)], [], NOW)
    truth = Review("", "t", Said.DEFECT, "lab", event_id=old[3].event_id)
    KnownJoints(desk.database, 0.0, lambda joints: joints, lambda: True).mark([truth])
    desk.decide(old[0])
    desk.decide(old[1])
    outbox = Outbox(desk.database)
    outbox.sent([1])
    desk.store.hear([released(5)], [], NOW + day)
    desk.store.hear([released(7)], [], NOW + 900 * day)
    assert cleaning.clean(NOW + 900 * day) == 0, "a clock that is wrong makes one day"
    before = desk.history.sums(Span.WEEKS)
    desk.store.hear([released(8)], [], NOW + 2 * day)
    assert cleaning.clean(NOW + 901 * day) == 2
    assert {n for n in range(9) if desk.store.joint(joint(n).event_id)} == {1, 2, 3, 5, 6, 7, 8}
    assert desk.history.sums(Span.WEEKS)._replace(released=0) == before._replace(released=0)
    outbox.sent([2])
    assert cleaning.clean(NOW + 902 * day) == 1


def test_days_that_are_over_are_folded_and_say_the_same(desk: Desk) -> None:
    desk.hear(*(joint(n, time=at(days=3, minutes=7 * n), quality=n / 60) for n in range(60)), joint(90, time=at()))
    before = [(step.released, step.sent, step.scores, step.quality) for step in desk.history.steps(Span.WEEK)]
    rows = "SELECT COUNT(*) FROM tallies"
    many = desk.database.rows(rows)
    assert Cleaning(desk.database, 90, lambda: WALL).clean(NOW) == 0
    assert desk.database.rows(rows) < many
    assert [(step.released, step.sent, step.scores, step.quality) for step in desk.history.steps(Span.WEEK)] == before
