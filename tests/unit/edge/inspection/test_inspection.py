from __future__ import annotations

import json
import math
from collections.abc import Callable, Generator, Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.core.errors import JournalError, RuntimeLost, SliceError
from edge.core.job import Job, Roi, encode_manifest
from edge.core.payloads import ModelRef, VerdictPayload
from edge.core.verdict import Call, Decision, Reason, Verdict
from edge.core.wire import Encoder, Message, Topics
from edge.inspection.loop import MOST_DEATHS, Inspection
from edge.inspection.pace import Pace
from edge.inspection.ports import InUse, JobEntry
from edge.inspection.tally import Tally
from edge.jobs.folder import ClaimedJob
from edge.judging.decider import Decider
from edge.judging.judge import Judge
from edge.judging.ports import Batch
from tests.support.builders import document, make_card, make_job, make_quality_card
from tests.support.fakes import FakeLedger, FakeReader, FakeScorer, FakeSpool, Inline

NORMAL, DEFECT = np.zeros((1, 4), np.uint8), np.full((1, 4), 255, np.uint8)
CARD = make_card()
MAIN = ModelRef(name="m", version="1.0.0", digest="sha256:0")
QUALITY = ModelRef(name="q", version="1.0.0", digest="sha256:1")


def claimed(job: Job, folder: str = "", content: str = "") -> ClaimedJob:
    raw = encode_manifest(job)
    return ClaimedJob(Path("work", folder or job.job_id), raw, content or f"sha256:{hash(raw)}")


class Line:
    """An inspection with everything around it faked."""

    def __init__(self, jobs: Sequence[ClaimedJob], **parts: object) -> None:
        self.spool = FakeSpool(jobs)
        self.ledger = parts.get("ledger") or FakeLedger()
        self.reader = parts.get("reader") or FakeReader()
        ticks = count()
        card: Any = parts.get("card") or CARD
        scorer: Any = parts.get("scorer") or FakeScorer(NORMAL)
        decider = Decider(card, card.rule(), [scorer], lambda: next(ticks) * 1e-3)
        deciders = dict.fromkeys(card.joint_types, decider) | (parts.get("beside") or {})  # type: ignore[operator]
        judge = Judge(deciders, self.reader, lambda: next(ticks) * 1e-3, Inline())  # type: ignore[arg-type]
        routes = tuple((kind, QUALITY) for kind in deciders if kind not in card.joint_types)
        self.progress = 0
        self.stopped = False
        self.judge: Any = parts.get("judge") or judge
        self.tally = Tally()
        self.inspection = Inspection(
            self.spool,
            self.ledger,  # type: ignore[arg-type]
            InUse(
                self.judge,
                Encoder("axi1", Topics("base"), "0", MAIN, routes),
                Pace(within_s=float(parts.get("within_s", 0))),  # type: ignore[arg-type]
                job_timeout_s=float(parts.get("job_timeout_s", 60)),  # type: ignore[arg-type]
            ),
            tally=self.tally,
            now=lambda: datetime(2026, 11, 21, tzinfo=UTC),
            clock=lambda: next(ticks) * 1e-3,
            announce=lambda: None,
            progressed=self._progressed,
            may_go_on=lambda: not self.stopped,
        )

    def _progressed(self) -> None:
        self.progress += 1

    def run(self) -> None:
        while self.inspection.step():
            pass

    def messages(self) -> list[Message]:
        return [row.message for row in self.ledger.pending(10_000)]  # type: ignore[attr-defined]

    def verdicts(self) -> list[VerdictPayload]:
        return [
            msgspec.json.decode(message.payload, type=VerdictPayload)
            for message in self.messages()
            if "/verdict/" in message.topic
        ]


def test_every_joint_of_every_job_gets_one_verdict_and_the_job_ends_in_done() -> None:
    line = Line([claimed(make_job(f"L-{i}", joints=4, views=2)) for i in range(3)])
    line.run()
    assert len({one.event_id for one in line.verdicts()}) == len(line.verdicts()) == 3 * 8
    assert line.spool.finished == ["L-0", "L-1", "L-2"]
    summaries = [json.loads(m.payload) for m in line.messages() if "/board/" in m.topic]
    assert [(one["joints_expected"], one["joints_decided"]) for one in summaries] == [(8, 8)] * 3
    assert line.progress == 24


def test_each_slice_file_is_read_once_however_many_joints_share_it() -> None:
    line = Line([claimed(make_job(joints=20, slices=3))])
    line.run()
    assert len(line.reader.read) == 3


def test_the_first_view_of_the_next_job_is_read_and_judged_while_the_present_one_is(tmp_path: Path) -> None:
    jobs = [claimed(make_job(f"L-{i}", joints=2, views=2, slices=1))._replace(folder=tmp_path) for i in range(3)]
    with_files(tmp_path)
    line = Line(jobs)
    read: list[str] = []
    line.inspection.step()
    read += line.reader.read
    assert read == ["01015000.png", "01015100.png", "01015000.png"], "the third belongs to the next job"
    line.run()
    assert len(line.reader.read) == 6, "and is not read again"
    assert len({one.event_id for one in line.verdicts()}) == len(line.verdicts()) == 12
    assert len(line.spool.finished) == 3


def with_files(folder: Path) -> None:
    for name in ("01015000.png", "01015100.png"):
        (folder / name).touch()


def test_what_was_looked_at_ahead_is_not_believed_once_a_file_was_changed(tmp_path: Path) -> None:
    with_files(tmp_path)
    jobs = [claimed(make_job(f"L-{i}", joints=1, slices=1))._replace(folder=tmp_path) for i in range(2)]
    line = Line(jobs)
    line.inspection.step()
    (tmp_path / "01015000.png").write_bytes(b"another picture")
    line.run()
    assert len(line.reader.read) == 3, "read again"
    assert len(line.verdicts()) == 2


def test_a_look_ahead_that_failed_is_no_loss(tmp_path: Path) -> None:
    with_files(tmp_path)
    line = Line([claimed(make_job(f"L-{i}", joints=1, slices=1))._replace(folder=tmp_path) for i in range(2)])
    original, calls = line.reader.__call__, []

    def read(folder: Path, *rest: object) -> object:
        calls.append(folder)
        if len(calls) == 2:
            raise SliceError(Reason.SLICE_MISSING, "a share that hiccups")
        return original(folder, *rest)  # type: ignore[arg-type]

    line.judge._read = read  # type: ignore[attr-defined]
    line.run()
    assert len(calls) == 3
    assert calls[0] == calls[2] == tmp_path
    assert [one.verdict for one in line.verdicts()] == [Call.NORMAL] * 2


def test_a_score_at_the_threshold_is_a_defect_and_nan_is_unjudged() -> None:
    floats = msgspec.structs.replace(
        CARD.quantisation, output=msgspec.structs.replace(CARD.quantisation.output, dtype="float32")
    )
    outputs = [np.array([[6, 6, 0, 0]], np.float32), np.array([[math.nan] * 4], np.float32)]
    line = Line(
        [claimed(make_job(joints=3))],
        card=msgspec.structs.replace(CARD, quantisation=floats),
        scorer=FakeScorer(np.zeros((1, 4), np.float32), outputs),
    )
    line.run()
    assert [(one.verdict, one.reason) for one in line.verdicts()] == [
        (Call.DEFECT, None),
        (Call.UNJUDGED, Reason.NOT_FINITE),
        (Call.NORMAL, None),
    ]


@pytest.mark.parametrize("reason", [Reason.SLICE_MISSING, Reason.SLICE_UNREADABLE, Reason.SLICE_CORRUPT])
def test_a_bad_slice_sends_its_views_joints_and_no_others_to_the_specialist(reason: Reason) -> None:
    line = Line([claimed(make_job(joints=2, views=2))], reader=FakeReader({"01015101.png": reason}))
    line.run()
    assert [(one.joint[:2], one.verdict, one.reason, one.p_defect is None) for one in line.verdicts()] == [
        ("J0", Call.NORMAL, None, False),
        ("J0", Call.NORMAL, None, False),
        ("J1", Call.UNJUDGED, reason, True),
        ("J1", Call.UNJUDGED, reason, True),
    ]


def test_slices_of_different_size_are_not_judged() -> None:
    line = Line([claimed(make_job(joints=1))], reader=FakeReader(shapes={"01015001.png": (96, 97)}))
    line.run()
    assert [one.reason for one in line.verdicts()] == [Reason.SLICE_SIZES_DIFFER]


def test_unsupported_types_and_boxes_off_the_frame_are_not_judged() -> None:
    job = make_job(joints=3)
    first, second, third = job.joints
    odd = msgspec.structs.replace(first, type="BGA")
    off = msgspec.structs.replace(second, roi=second.roi._replace(xmin=196, xmax=210))
    line = Line([claimed(msgspec.structs.replace(job, joints=(odd, off, third)))])
    line.run()
    assert [one.reason for one in line.verdicts()] == [Reason.UNSUPPORTED_JOINT_TYPE, Reason.ROI_OUTSIDE, None]


def of_types(job: Job, *types: str) -> Job:
    """The job with the joints of each view of these types, in turn."""
    joints = [msgspec.structs.replace(joint, type=types[i % len(types)]) for i, joint in enumerate(job.joints)]
    return msgspec.structs.replace(job, joints=tuple(joints))


def quality_grader(*outputs: Sequence[int]) -> Decider:
    card = make_quality_card()
    rows = [np.array([output], np.uint8) for output in outputs]
    return Decider(card, card.rule(), [FakeScorer(rows[-1], rows)], lambda: 0.0)


def test_each_joint_is_judged_by_the_bundle_of_its_type_also_within_one_view() -> None:
    job = of_types(make_job(joints=4, slices=1), "PTH", "SMT", "smt", "BGA")
    beside = {"SMT": quality_grader((255, 255, 0, 0), (255, 10, 0, 0))}
    line = Line([claimed(job)], beside=beside, scorer=FakeScorer(DEFECT))
    line.run()
    told = [(one.verdict, one.reason, one.p_defect is not None, one.grade or None) for one in line.verdicts()]
    assert told == [
        (Call.DEFECT, None, True, None),
        (Call.NORMAL, None, False, "good"),
        (Call.NORMAL, None, False, "acceptable_poor"),
        (Call.UNJUDGED, Reason.UNSUPPORTED_JOINT_TYPE, False, None),
    ]
    assert [one.model and one.model.name for one in line.verdicts()] == ["m", "q", "q", "m"]
    (summary,) = (json.loads(m.payload) for m in line.messages() if "/board/" in m.topic)
    assert {grade: n for grade, n in summary["grades"].items() if n} == {"good": 1, "acceptable_poor": 1}
    trend = line.tally.take().quality["MB-7"]
    assert (trend.joints, trend.mean) == (2, pytest.approx(np.mean([0.5, 0.25 + 0.25 * 10 / 255]), abs=1e-4))


@pytest.mark.parametrize(
    ("output", "grade", "call"),
    [
        ((0, 0, 0, 0), "poor", Call.DEFECT),
        ((255, 255, 255, 255), "excessive", Call.DEFECT),
        ((255, 255, 255, 0), "acceptable_excessive", Call.NORMAL),
    ],
)
def test_the_ends_of_the_scale_are_defects(output: Sequence[int], grade: str, call: Call) -> None:
    line = Line([claimed(of_types(make_job(joints=1, slices=1), "SMT"))], beside={"SMT": quality_grader(output)})
    line.run()
    (one,) = line.verdicts()
    assert (one.grade, one.verdict) == (grade, call)


def test_what_a_network_cannot_see_rightly_is_not_judged_by_it() -> None:
    """A picture in colours is no X-ray image; of several slices an optical network would leave some out."""
    reader = FakeReader()
    reader.coloured = {"01015000.png"}
    coloured = of_types(make_job("L-1", joints=2, slices=1), "PTH", "SMT")
    stack = of_types(make_job("L-2", joints=1, slices=2), "SMT")
    line = Line([claimed(coloured)], reader=reader, beside={"SMT": quality_grader((255, 255, 0, 0))})
    line.run()
    assert [(one.reason, one.grade or None) for one in line.verdicts()] == [(Reason.SLICE_FORMAT, None), (None, "good")]
    line = Line([claimed(stack)], beside={"SMT": quality_grader((255, 255, 0, 0))})
    line.run()
    assert [one.reason for one in line.verdicts()] == [Reason.TOO_MANY_SLICES]


def test_a_joint_with_one_blank_slice_is_not_judged() -> None:
    reader = FakeReader()
    reader.blank = {"01015001.png"}
    line = Line([claimed(make_job(joints=2))], reader=reader)
    line.run()
    assert [one.reason for one in line.verdicts()] == [Reason.SLICE_BLANK] * 2


@pytest.mark.parametrize(("x", "y", "judged"), [(-7, 40, True), (-8, 40, False), (88, 88, True), (90, 40, False)])
def test_a_box_may_leave_the_frame_as_long_as_its_centre_is_in_it(x: int, y: int, judged: bool) -> None:
    job = make_job(joints=1)
    moved = msgspec.structs.replace(job.joints[0], roi=Roi(x, y, x + 14, y + 14))
    line = Line([claimed(msgspec.structs.replace(job, joints=(moved,)))])
    line.run()
    assert [one.reason for one in line.verdicts()] == [None if judged else Reason.ROI_OUTSIDE]


def test_a_box_larger_than_the_picture_is_not_judged() -> None:
    job = make_job(joints=1)
    huge = msgspec.structs.replace(job.joints[0], roi=Roi(-1_000_000, -1_000_000, 1_000_000, 1_000_000))
    line = Line([claimed(msgspec.structs.replace(job, joints=(huge,)))])
    line.run()
    assert [one.reason for one in line.verdicts()] == [Reason.ROI_OUTSIDE]


def test_an_alarm_can_be_sent_whatever_the_folder_is_called() -> None:
    line = Line([claimed(make_job("L-1", joints=1), folder="caf\udce9")], judge=Fragile({"J0.0": 2}))
    line.run()
    assert alarms(line) == ["runtime_hung", "runtime_hung"]


def test_a_refused_job_is_rejected_with_an_alarm_and_a_verdict_for_each_joint_it_names() -> None:
    broken = document(make_job(joints=3))
    broken["joints"][1]["roi"] = "here"
    job = ClaimedJob(Path("work/L7"), json.dumps(broken).encode(), "sha256:x")
    line = Line([job])
    line.run()
    assert "joints[1].roi" in line.spool.rejected["L7"]
    assert [(one.joint, one.reason, one.model) for one in line.verdicts()] == [
        (f"J0.{i}", Reason.JOB_REFUSED, None) for i in range(3)
    ]
    alarms = [json.loads(m.payload) for m in line.messages() if m.topic == "base/alarm"]
    assert [alarm["code"] for alarm in alarms] == ["job_refused"]
    assert "joints[1].roi" in alarms[0]["text"]


def test_a_job_id_used_again_for_other_content_is_refused_and_its_joints_have_event_ids_of_their_own() -> None:
    first, second = make_job(joints=2), make_job(joints=3)
    line = Line([claimed(first), claimed(second, folder="again"), claimed(first, folder="same")])
    line.run()
    assert line.spool.finished == ["L7-000123", "same"]
    assert "used before" in line.spool.rejected["again"]
    assert len({one.event_id for one in line.verdicts()}) == 2 + 3


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

    def record(self, entry: JobEntry, messages: Sequence[tuple[VerdictPayload, Message]]) -> None:
        self._maybe_die(done=False)
        super().record(entry, messages)
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
    events = [one.event_id for one in line.verdicts()]
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
    """A reader whose disk fails for a while; both slices of a view are read before either is asked after."""

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
    calls = [(one.job_id, one.verdict, one.reason) for one in line.verdicts()]
    assert calls == [("L-1", Call.UNJUDGED, Reason.JOB_REFUSED)] * 3 + [("L-2", Call.NORMAL, None)]


def test_a_job_that_the_disk_kept_from_being_judged_is_never_given_up() -> None:
    line = Line([claimed(make_job("L-1", joints=2))], reader=Troubled(10))
    for _ in range(5):
        with pytest.raises(OSError, match="input/output"):
            line.inspection.step()
    line.run()
    assert [one.verdict for one in line.verdicts()] == [Call.NORMAL] * 2
    assert line.spool.finished == ["L-1"]


def test_a_job_left_for_a_shutdown_again_and_again_is_never_given_up() -> None:
    line = Line([claimed(make_job("L-1", joints=2))])
    line.stopped = True
    for _ in range(5):
        line.inspection.step()
    line.stopped = False
    line.run()
    assert [one.verdict for one in line.verdicts()] == [Call.NORMAL] * 2


class Fragile:
    """Judges everything normal, and is lost at the joints named, as often as said."""

    score_ms = 0.0

    def __init__(self, losses: dict[str, int], reason: Reason = Reason.TIMEOUT) -> None:
        self.losses, self.reason = losses, reason
        self.asked: list[str] = []

    def views(
        self, batch: Batch, progressed: Callable[[], None], ahead: Batch | None = None
    ) -> Generator[Verdict, None, None]:
        for part in batch.left:
            for joint in part.joints:
                self.asked.append(joint.id)
                if self.losses.get(joint.id, 0):
                    self.losses[joint.id] -= 1
                    raise RuntimeLost(self.reason, f"lost at {joint.id}")
                yield Verdict(joint.named, Decision(Call.NORMAL))


def alarms(line: Line) -> list[str]:
    return [json.loads(m.payload)["code"] for m in line.messages() if m.topic == "base/alarm"]


def test_a_runtime_lost_once_costs_an_attempt_and_no_verdict() -> None:
    judge = Fragile({"J1.1": 1})
    line = Line([claimed(make_job("L-1", joints=3, views=2))], judge=judge)
    line.run()
    assert [(one.joint, one.verdict) for one in line.verdicts()] == [
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
    assert [(one.job_id, one.joint, one.verdict, one.reason) for one in line.verdicts()] == [
        ("L-1", "J0.0", Call.NORMAL, None),
        ("L-1", "J0.1", Call.UNJUDGED, reason),
        ("L-1", "J0.2", Call.UNJUDGED, reason),
        ("L-2", "J0.0", Call.NORMAL, None),
    ]
    assert "lost at J0.1; 2 times" in line.spool.rejected["L-1"]
    assert line.spool.finished == ["L-2"]
    assert alarms(line) == [alarm, alarm]


def test_after_a_loss_no_other_job_is_looked_at_meanwhile() -> None:
    aheads: list[bool] = []

    class Watched(Fragile):
        def views(self, batch: Batch, progressed: Callable[[], None], ahead: Batch | None = None) -> Any:
            aheads.append(ahead is not None)
            return super().views(batch, progressed, ahead)

    jobs = [claimed(make_job(f"L-{i}", joints=1)) for i in range(2)]
    Line(jobs, judge=Watched({"J0.0": 1})).run()
    assert aheads == [True, False, False]


def test_a_job_over_its_deadline_leaves_the_rest_to_the_specialist() -> None:
    """The clock of the tests moves a millisecond at every look."""
    line = Line([claimed(make_job("L-1", joints=30))], judge=Fragile({}), job_timeout_s=0.0205)
    line.run()
    calls = [(one.verdict, one.reason) for one in line.verdicts()]
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
    assert [(one.verdict, one.reason) for one in line.verdicts()] == [(Call.NORMAL, None)] * 2 + [late] * 4 + [
        (Call.NORMAL, None)
    ] * 2
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
