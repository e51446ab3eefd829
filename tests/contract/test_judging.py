"""One suite for whoever judges: in this process, and in one of its own that can hang and die."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from edge.core.errors import BundleRefused, JudgeLost
from edge.core.job import Job, SliceFile
from edge.core.verdict import Call, Reason
from edge.judging.client import JudgeProcess
from edge.judging.messages import Choice, Load
from edge.judging.ports import Batch, Judging, ViewToJudge
from tests.support import bad_worker
from tests.support.builders import make_job

LOAD = Load(choices=(Choice(bundle=b"b"),))


def process(load: Load = LOAD, *, start_s: float = 30, joint_s: float = 20) -> JudgeProcess:
    return JudgeProcess(bad_worker.command(), load, time.monotonic, start_timeout_s=start_s, joint_timeout_s=joint_s)


@pytest.fixture(params=["here", "apart"])
def judging(request: pytest.FixtureRequest) -> Iterator[Judging]:
    if request.param == "here":
        yield bad_worker.load(LOAD)[1]
    else:
        apart = process()
        yield apart
        apart.close()


@pytest.fixture
def apart() -> Iterator[JudgeProcess]:
    judge = process()
    yield judge
    judge.close()


def with_files(job: Job, *names: str) -> Job:
    """The job with the first slice of each view called so."""
    views = (
        msgspec.structs.replace(view, slices=(msgspec.structs.replace(view.slices[0], file=name), *view.slices[1:]))
        for view, name in zip(job.views, names, strict=True)
    )
    return msgspec.structs.replace(job, views=tuple(views))


def whole(job: Job, folder: Path, first: int = 0) -> Batch:
    return Batch(job, folder, [ViewToJudge(view, job.joints_of(view)) for view in job.views[first:]])


def test_every_joint_gets_a_verdict_in_order_and_progress_is_reported(judging: Judging, tmp_path: Path) -> None:
    job, progress = make_job(joints=3, views=2), [0]

    def progressed() -> None:
        progress[0] += 1

    verdicts = list(judging.views(whole(job, tmp_path), progressed))
    assert [verdict.joint.id for verdict in verdicts] == [joint.id for joint in job.joints]
    assert {verdict.decision.call for verdict in verdicts} == {Call.NORMAL}
    assert progress[0] >= 2
    assert judging.score_ms > 0
    assert [verdict.joint.id for verdict in judging.views(whole(job, tmp_path, 1), progressed)] == [
        "J1.0",
        "J1.1",
        "J1.2",
    ]


def test_a_failing_disk_is_no_fault_of_the_judge_which_goes_on(judging: Judging, tmp_path: Path) -> None:
    job = make_job(joints=1)
    with pytest.raises(OSError, match="rror") as raised:
        list(judging.views(whole(with_files(job, "eio.png"), tmp_path), lambda: None))
    assert raised.value.errno == 5
    assert len(list(judging.views(whole(job, tmp_path), lambda: None))) == 1


def test_a_task_given_up_half_way_leaves_nothing_behind_for_the_next(judging: Judging, tmp_path: Path) -> None:
    job = make_job(joints=20)
    begun = judging.views(whole(job, tmp_path), lambda: None)
    assert next(begun).joint.id == "J0.0"
    begun.close()
    assert [verdict.joint.id for verdict in judging.views(whole(job, tmp_path), lambda: None)] == [
        j.id for j in job.joints
    ]


@pytest.mark.parametrize(("name", "reason"), [("crash.png", Reason.RUNTIME_CRASHED), ("hang.png", Reason.TIMEOUT)])
def test_a_hang_or_a_crash_is_told_apart_and_the_next_task_finds_a_fresh_process(
    tmp_path: Path, name: str, reason: Reason
) -> None:
    apart, job = process(joint_s=20 if reason is Reason.RUNTIME_CRASHED else 0.7), make_job(joints=2, views=1)
    bad = with_files(job, name)
    apart.start(lambda: None)
    first = apart.pid
    with pytest.raises(JudgeLost) as raised:
        list(apart.views(whole(bad, tmp_path), lambda: None))
    assert raised.value.reason == reason
    assert apart.pid is None
    assert len(list(apart.views(whole(job, tmp_path), lambda: None))) == 2
    assert apart.pid not in {None, first}
    apart.close()


def test_slices_that_take_long_together_are_no_hang(tmp_path: Path) -> None:
    apart, job = process(joint_s=1.0), make_job(joints=1, views=1)
    (view,) = job.views
    slow = tuple(SliceFile(index=index, file=f"slow{index}.png") for index in range(4))
    assert len(slow) * bad_worker.SLOW_S > 1.0
    large = msgspec.structs.replace(job, views=(msgspec.structs.replace(view, slices=slow),))
    apart.start(lambda: None)
    first = apart.pid
    assert len(list(apart.views(whole(large, tmp_path), lambda: None))) == 1
    assert len(list(apart.views(whole(job, tmp_path), lambda: None))) == 1
    assert apart.pid == first
    apart.close()


def test_another_bundle_in_the_place_of_the_first_gives_no_verdicts_in_its_name(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    bundle.write_text("sha256:first")
    apart, job = process(Load(choices=(Choice(bundle=os.fsencode(bundle)),))), make_job(joints=1)
    apart.start(lambda: None)
    apart.close()
    bundle.write_text("sha256:other")
    with pytest.raises(BundleRefused, match=r"changed where it lies.*sha256:first.*sha256:other.*reload"):
        list(apart.views(whole(job, tmp_path), lambda: None))
    assert apart.pid is None
    bundle.write_text("sha256:first")
    assert len(list(apart.views(whole(job, tmp_path), lambda: None))) == 1
    apart.close()


def test_what_was_judged_before_a_crash_has_been_given(apart: JudgeProcess, tmp_path: Path) -> None:
    job = with_files(make_job(joints=2, views=3), "fine.png", "fine.png", "crash.png")
    verdicts, given = apart.views(whole(job, tmp_path), lambda: None), []
    with pytest.raises(JudgeLost):
        given.extend(verdict.joint.id for verdict in verdicts)
    # The third view is decoded while the second is scored, so the crash may come as early as that.
    assert given[:2] == ["J0.0", "J0.1"]


def test_one_process_judges_task_after_task(apart: JudgeProcess, tmp_path: Path) -> None:
    job, pids = make_job(joints=2), set()
    for _ in range(3):
        verdicts = apart.views(whole(job, tmp_path), lambda: None)
        assert [next(verdicts).joint.id for _ in job.joints] == ["J0.0", "J0.1"]
        verdicts.close()  # as one does who knows how many there are
        pids.add(apart.pid)
    assert len(pids) == 1


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGABRT])
def test_a_process_that_died_at_rest_is_replaced_without_a_word(
    apart: JudgeProcess, tmp_path: Path, kill: signal.Signals
) -> None:
    job = make_job(joints=2)
    apart.start(lambda: None)
    pid = apart.pid
    assert pid is not None
    os.kill(pid, kill)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert len(list(apart.views(whole(job, tmp_path), lambda: None))) == 2


def test_the_process_ends_with_its_owner(tmp_path: Path) -> None:
    apart = process()
    apart.start(lambda: None)
    pid = apart.pid
    apart.close()
    assert not Path(f"/proc/{pid}").exists()


def test_a_refused_bundle_is_refused_here_in_the_same_words() -> None:
    with pytest.raises(BundleRefused, match="no good"):
        process(Load(choices=(Choice(bundle=b"refused"),))).start(lambda: None)


def test_a_bundle_that_never_finishes_loading_is_a_lost_runtime() -> None:
    with pytest.raises(JudgeLost, match="at loading the bundle"):
        process(Load(choices=(Choice(bundle=b"mute"),)), start_s=0.5).start(lambda: None)
