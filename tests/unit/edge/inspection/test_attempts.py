"""What becomes of a job that goes wrong half way."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from edge.core.errors import JournalError, JudgeLost
from edge.core.job import Roi
from edge.core.verdict import Call, Decision, Reason, Verdict
from edge.core.wire import Message, VerdictMessage
from edge.inspection.loop import MOST_DEATHS
from edge.inspection.pace import Pace
from edge.inspection.ports import JobEntry, Shown
from edge.jobs.folder import LARGE_BYTES
from edge.judging.ports import Batch
from tests.support.builders import make_job
from tests.support.fake_ledger import FakeLedger
from tests.support.fakes import FakeReader
from tests.support.line import Line, alarms, claimed


class FailsOnce(FakeLedger):
    """A ledger that dies at its n-th call to record or close_job, before or after the deed."""

    def __init__(self, at: int, *, after: bool) -> None:
        super().__init__()
        self._left, self._after = at, after

    def _maybe_die(self, *, done: bool) -> None:
        if done == self._after:
            self._left -= 1
            if self._left == 0:
                raise JournalError("power cut")

    def record(self, entry: JobEntry, verdicts: Sequence[VerdictMessage], shown: Shown | None = None) -> None:
        self._maybe_die(done=False)
        super().record(entry, verdicts, shown)
        self._maybe_die(done=True)

    def close_job(self, entry: JobEntry, messages: Sequence[Message], *, refused: bool, now: datetime) -> None:
        self._maybe_die(done=False)
        super().close_job(entry, messages, refused=refused, now=now)
        self._maybe_die(done=True)


@given(st.integers(1, 8), st.booleans())
def test_a_failure_at_any_commit_loses_and_doubles_nothing(at: int, after: bool) -> None:
    line = Line([claimed(make_job(f"L-{i}", joints=2, views=2)) for i in range(2)], ledger=FailsOnce(at, after=after))
    try:
        line.run()
    except JournalError:
        line.run()
    events = [verdict.event_id for verdict in line.verdicts()]
    assert len(set(events)) == len(events) == 8
    assert sum("/board/" in message.topic for message in line.messages()) == 2
    assert line.spool.finished == ["L-0", "L-1"]


def test_a_stop_between_views_leaves_the_job_in_work_for_the_next_start() -> None:
    line = Line([claimed(make_job(joints=2, views=2))])
    line.stopped = True
    line.inspection.step()
    assert (line.verdicts(), line.spool.finished, len(line.spool.work)) == ([], [], 1)
    line.stopped = False
    line.run()
    assert len(line.verdicts()) == 4
    assert line.spool.finished == ["L7-000123"]


class Troubled:
    """A reader whose disk fails for a while."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.reader = FakeReader()

    def __call__(self, *words: object) -> object:
        if self.failures:
            self.failures -= 1
            raise OSError("input/output error")
        return self.reader(*words)  # type: ignore[arg-type]


def test_a_job_that_the_program_died_over_again_and_again_is_set_aside_with_its_joints_unjudged() -> None:
    job = claimed(make_job("L-1", joints=3))
    line = Line([job, claimed(make_job("L-2", joints=1))])
    for _ in range(MOST_DEATHS):
        line.ledger.open_job(job.content, "L-1", 3, datetime(2026, 11, 21, tzinfo=UTC))  # and then nothing
    line.run()
    assert f"died {MOST_DEATHS} times" in line.spool.rejected["L-1"]
    assert line.spool.finished == ["L-2"], "the next job is not held up"
    calls = [(verdict.job_id, verdict.verdict, verdict.reason) for verdict in line.verdicts()]
    assert calls == [("L-1", Call.UNJUDGED, Reason.JOB_REFUSED)] * 3 + [("L-2", Call.NORMAL, None)]


def test_a_job_that_the_disk_kept_from_being_judged_is_never_given_up() -> None:
    line = Line([claimed(make_job("L-1", joints=2))], reader=Troubled(5))
    for _ in range(5):
        with pytest.raises(OSError, match="input/output"):
            line.inspection.step()
    line.run()
    assert [verdict.verdict for verdict in line.verdicts()] == [Call.NORMAL] * 2
    assert line.spool.finished == ["L-1"]


def test_a_job_left_for_a_shutdown_again_and_again_is_never_given_up() -> None:
    line = Line([claimed(make_job("L-1", joints=2))])
    line.stopped = True
    for _ in range(5):
        line.inspection.step()
    line.stopped = False
    line.run()
    assert [verdict.verdict for verdict in line.verdicts()] == [Call.NORMAL] * 2


class Fragile:
    """Judges everything normal, and is lost at the joints named, as often as said."""

    score_ms = 0.0
    looks_ahead = 1

    def __init__(self, losses: dict[str, int], reason: Reason = Reason.TIMEOUT, shown: tuple[bytes, ...] = ()) -> None:
        self.losses, self.reason, self.shown = losses, reason, shown
        self.asked: list[str] = []
        self.aheads: list[int] = []

    def views(
        self, batch: Batch, progressed: Callable[[], None], ahead: Sequence[Batch] = ()
    ) -> Generator[Verdict, None, None]:
        self.aheads.append(len(ahead))
        for part in batch.left:
            for joint in part.joints:
                self.asked.append(joint.id)
                if self.losses.get(joint.id, 0):
                    self.losses[joint.id] -= 1
                    raise JudgeLost(self.reason, f"lost at {joint.id}")
                yield Verdict(joint.named, Decision(Call.NORMAL), shown=self.shown)


def test_a_judge_lost_once_costs_an_attempt_and_no_verdict() -> None:
    judge = Fragile({"J1.1": 1})
    line = Line([claimed(make_job("L-1", joints=3, views=2))], judge=judge)
    line.run()
    assert [(verdict.joint, verdict.verdict) for verdict in line.verdicts()] == [
        (f"J{v}.{i}", Call.NORMAL) for v in range(2) for i in range(3)
    ]
    assert judge.asked == ["J0.0", "J0.1", "J0.2", "J1.0", "J1.1", "J1.1", "J1.2"], "what was judged is kept"
    assert line.spool.finished == ["L-1"]
    assert alarms(line) == ["runtime_hung"]


@pytest.mark.parametrize(
    ("reason", "alarm"), [(Reason.TIMEOUT, "runtime_hung"), (Reason.RUNTIME_CRASHED, "runtime_crashed")]
)
def test_a_job_that_loses_the_runtime_twice_is_set_aside_and_its_other_joints_are_unjudged(
    reason: Reason, alarm: str
) -> None:
    line = Line(
        [claimed(make_job("L-1", joints=3)), claimed(make_job("L-2", joints=1))],
        judge=Fragile({"J0.1": 2}, reason),
    )
    line.run()
    assert [(verdict.job_id, verdict.joint, verdict.verdict, verdict.reason) for verdict in line.verdicts()] == [
        ("L-1", "J0.0", Call.NORMAL, None),
        ("L-1", "J0.1", Call.UNJUDGED, reason),
        ("L-1", "J0.2", Call.UNJUDGED, reason),
        ("L-2", "J0.0", Call.NORMAL, None),
    ]
    assert "lost at J0.1; 2 times" in line.spool.rejected["L-1"]
    assert line.spool.finished == ["L-2"]
    assert alarms(line) == [alarm, alarm]


def test_after_a_loss_no_other_job_is_looked_at_meanwhile() -> None:
    """It may have been what took the memory, or the time."""
    jobs = [claimed(make_job(f"L-{i}", joints=1)) for i in range(2)]
    judge = Fragile({"J0.0": 1})
    Line(jobs, judge=judge).run()
    assert judge.aheads == [1, 0, 0]


def test_pictures_that_another_job_showed_are_not_believed_again() -> None:
    jobs = [claimed(make_job(f"L-{i}", joints=2)) for i in range(3)]
    line = Line(jobs, repeated_days=7)  # whose reader shows the same in all of them
    line.run()
    told = [(verdict.job_id, verdict.verdict, verdict.reason, verdict.p_defect) for verdict in line.verdicts()]
    score = told[0][3]
    assert told[:2] == [("L-0", Call.NORMAL, None, score)] * 2
    assert told[2:] == [(f"L-{i}", Call.UNJUDGED, Reason.SLICE_REPEATED, score) for i in (1, 2) for _ in range(2)]
    assert alarms(line) == ["slice_repeated"] * 2, "once a job"
    assert line.spool.finished == ["L-0", "L-1", "L-2"]


def test_two_views_of_a_job_do_not_show_the_same() -> None:
    line = Line([claimed(make_job("L-0", joints=1, views=3))], repeated_days=7)
    line.run()
    assert [verdict.reason for verdict in line.verdicts()] == [None, Reason.SLICE_REPEATED, Reason.SLICE_REPEATED]
    assert alarms(line) == ["slice_repeated"]


def test_views_that_name_the_same_files_share_them() -> None:
    job = make_job("L-0", joints=1, views=2)
    first, second = job.views
    shared = replace(job, views=(first, replace(second, slices=first.slices)))
    line = Line([claimed(shared)], repeated_days=7)
    line.run()
    assert [verdict.reason for verdict in line.verdicts()] == [None, None]
    assert alarms(line) == []


def test_pictures_that_nothing_was_judged_by_may_come_again() -> None:
    wrong = make_job("L-0", joints=1)
    wrong = replace(wrong, joints=tuple(replace(joint, roi=Roi(500, 500, 520, 520)) for joint in wrong.joints))
    line = Line(
        [claimed(wrong), claimed(make_job("L-1", joints=1)), claimed(make_job("L-2", joints=1))], repeated_days=7
    )
    line.run()
    reasons = [verdict.reason for verdict in line.verdicts()]
    assert reasons == [Reason.ROI_OUTSIDE, None, Reason.SLICE_REPEATED], "with the right box it is the first"


def test_a_view_whose_judge_was_lost_is_the_same_view_when_it_goes_on() -> None:
    line = Line([claimed(make_job("L-0", joints=3))], judge=Fragile({"J0.1": 1}, shown=(b"a",)), repeated_days=7)
    line.run()
    assert [verdict.reason for verdict in line.verdicts()] == [None] * 3


def test_a_huge_job_is_read_when_its_turn_comes_and_not_before() -> None:
    small, huge = claimed(make_job("L-1", joints=1)), claimed(make_job("L-2", joints=1))
    judge = Fragile({})
    line = Line([small, huge._replace(manifest=huge.manifest + b" " * LARGE_BYTES)], judge=judge)
    line.run()
    assert judge.aheads == [0, 0]
    assert line.spool.finished == ["L-1", "L-2"]


def test_a_job_over_its_deadline_leaves_the_rest_to_the_specialist() -> None:
    """The clock of the tests moves a millisecond at every look."""
    line = Line([claimed(make_job("L-1", joints=30))], judge=Fragile({}), job_timeout_s=0.0205)
    line.run()
    calls = [(verdict.verdict, verdict.reason) for verdict in line.verdicts()]
    judged = calls.count((Call.NORMAL, None))
    assert 0 < judged < 30
    assert calls[judged:] == [(Call.UNJUDGED, Reason.TIMEOUT)] * (30 - judged)
    assert line.spool.finished == ["L-1"]
    assert alarms(line) == ["job_overdue"]


def test_jobs_that_would_be_late_go_to_the_specialist_until_one_is_in_time_again() -> None:
    now = datetime(2026, 11, 21, tzinfo=UTC).timestamp()
    jobs = [
        claimed(make_job(name, joints=2))._replace(arrived=now - age)
        for name, age in (("L-1", 1), ("L-2", 11), ("L-3", 12), ("L-4", 2))
    ]
    line = Line(jobs, within_s=10)
    line.run()
    late = (Call.UNJUDGED, Reason.OVERLOAD)
    assert [(verdict.verdict, verdict.reason) for verdict in line.verdicts()] == [(Call.NORMAL, None)] * 2 + [
        late
    ] * 4 + [(Call.NORMAL, None)] * 2
    assert alarms(line) == ["overload", "overload_over"]
    assert len(line.spool.finished) == 4


def test_how_long_joints_took_predicts_who_will_be_late() -> None:
    pace = Pace(within_s=10)
    assert not pace.misses(9.9, 1_000), "nothing is known of the pace yet"
    pace.note(10, 1.0)
    assert (pace.misses(1.0, 80), pace.misses(1.0, 100)) == (False, True)
    pace.note(0, 5.0)
    assert not pace.misses(1.0, 80)
    pace.note(1, 30.0)
    assert [pace.misses(0.0, 100) for _ in range(30)].count(False) > 0, "one slow view sheds the load for a while only"
    assert not Pace(within_s=0).misses(1e9, 1_000)
