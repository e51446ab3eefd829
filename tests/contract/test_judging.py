"""One suite for whoever judges: in this process, and in one of its own that can hang and die."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from edge.core.errors import BundleRefused, JudgeLost
from edge.core.job import Job, SliceFile
from edge.core.verdict import Call, Reason
from edge.judging.client import Judges
from edge.judging.messages import Choice, Load, task_of
from edge.judging.ports import Batch, Judging, ViewToJudge
from edge.judging.worker import Worker
from tests.support import bad_worker
from tests.support.builders import make_job
from tests.support.fakes import FakeWorker

LOAD = Load(choices=(Choice(bundle=b"b"),))


def processes(count: int = 2, load: Load = LOAD, *, start_s: float = 30, joint_s: float = 20) -> Judges:
    command = bad_worker.command()
    return Judges(
        [Worker(command, load, time.monotonic, start_timeout_s=start_s, joint_timeout_s=joint_s) for _ in range(count)],
        time.monotonic,
    )


@pytest.fixture(params=["here", "faked", "one apart", "two apart"])
def judging(request: pytest.FixtureRequest) -> Iterator[Judging]:
    if request.param == "here":
        yield bad_worker.load(LOAD)[1]
    elif request.param == "faked":
        yield Judges([FakeWorker(bad_worker.load(LOAD)[1]) for _ in range(2)], time.monotonic)  # type: ignore[misc]
    else:
        apart = processes(1 if request.param == "one apart" else 2)
        yield apart
        apart.close()


@pytest.fixture
def apart() -> Iterator[Judges]:
    judges = processes()
    yield judges
    judges.close()


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
    apart, job = processes(joint_s=20 if reason is Reason.RUNTIME_CRASHED else 0.7), make_job(joints=2, views=1)
    bad = with_files(job, name)
    apart.start(lambda: None)
    before = {*apart.pids}
    with pytest.raises(JudgeLost) as raised:
        list(apart.views(whole(bad, tmp_path), lambda: None))
    assert raised.value.reason == reason
    (left,) = apart.pids
    assert left in before, "the other one goes on"
    assert len(list(apart.views(whole(job, tmp_path), lambda: None))) == 2
    assert len(apart.pids) == 2
    assert {*apart.pids} & before == {left}
    apart.close()


def test_slices_that_take_long_together_are_no_hang(tmp_path: Path) -> None:
    apart, job = processes(joint_s=1.0), make_job(joints=1, views=1)
    (view,) = job.views
    slow = tuple(SliceFile(index=index, file=f"slow{index}.png") for index in range(4))
    assert len(slow) * bad_worker.SLOW_S > 1.0
    large = msgspec.structs.replace(job, views=(msgspec.structs.replace(view, slices=slow),))
    apart.start(lambda: None)
    before = apart.pids
    assert len(list(apart.views(whole(large, tmp_path), lambda: None))) == 1
    assert len(list(apart.views(whole(job, tmp_path), lambda: None))) == 1
    assert apart.pids == before
    apart.close()


def test_forget_trends_in_the_place_of_the_first_gives_no_verdicts_in_its_name(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    bundle.write_text("sha256:first")
    apart, job = processes(load=Load(choices=(Choice(bundle=os.fsencode(bundle)),))), make_job(joints=1)
    apart.start(lambda: None)
    apart.close()
    bundle.write_text("sha256:other")
    with pytest.raises(BundleRefused, match=r"changed where it lies.*sha256:first.*sha256:other.*reload"):
        list(apart.views(whole(job, tmp_path), lambda: None))
    assert not apart.pids
    bundle.write_text("sha256:first")
    assert len(list(apart.views(whole(job, tmp_path), lambda: None))) == 1
    apart.close()


def test_what_was_judged_before_a_crash_has_been_given(apart: Judges, tmp_path: Path) -> None:
    job = with_files(make_job(joints=2, views=3), "fine.png", "fine.png", "crash.png")
    verdicts, given = apart.views(whole(job, tmp_path), lambda: None), []
    with pytest.raises(JudgeLost):
        given.extend(verdict.joint.id for verdict in verdicts)
    assert given == ["J0.0", "J0.1", "J1.0", "J1.1"]


def test_the_same_processes_judge_task_after_task(apart: Judges, tmp_path: Path) -> None:
    job, pids = make_job(joints=2), set()
    apart.start(lambda: None)
    for _ in range(3):
        verdicts = apart.views(whole(job, tmp_path), lambda: None)
        assert [next(verdicts).joint.id for _ in job.joints] == ["J0.0", "J0.1"]
        verdicts.close()  # as one does who knows how many there are
        pids |= {*apart.pids}
    assert len(pids) == 2


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGABRT])
def test_a_process_that_died_at_rest_is_replaced_without_a_word(
    apart: Judges, tmp_path: Path, kill: signal.Signals
) -> None:
    job = make_job(joints=2)
    apart.start(lambda: None)
    pid = apart.pids[0]
    os.kill(pid, kill)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert len(list(apart.views(whole(job, tmp_path), lambda: None))) == 2


def test_the_processes_end_with_their_owner() -> None:
    apart = processes()
    apart.start(lambda: None)
    pids = apart.pids
    apart.close()
    assert len(pids) == 2
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_a_refused_bundle_is_refused_here_in_the_same_words() -> None:
    with pytest.raises(BundleRefused, match="no good"):
        processes(load=Load(choices=(Choice(bundle=b"refused"),))).start(lambda: None)


def test_a_bundle_that_never_finishes_loading_is_a_lost_runtime() -> None:
    with pytest.raises(JudgeLost, match="at loading the bundle"):
        processes(load=Load(choices=(Choice(bundle=b"mute"),)), start_s=0.5).start(lambda: None)


def one_that(does: str, seconds: float = 1.0) -> Worker:
    """A process that takes its first word and then does that, with ``c``, its end of the connection."""
    text = f"import os, sys, time, struct; from multiprocessing.connection import Connection; c = Connection(int(sys.argv[1])); c.recv_bytes(); {does}"  # noqa: E501
    return Worker((sys.executable, "-c", text), LOAD, time.monotonic, start_timeout_s=20, joint_timeout_s=seconds)


def test_a_process_that_dies_in_the_middle_of_a_word_is_lost_and_no_disk_fault() -> None:
    torn = one_that("os.write(c.fileno(), struct.pack('!i', 100) + b'x'); os.kill(os.getpid(), 9)", seconds=20)
    torn.launch()
    with pytest.raises(JudgeLost, match="signal 9"):
        torn.word(lambda: None, "a joint")
    assert torn.pid is None


def test_a_process_that_no_longer_listens_is_ended_and_not_waited_for() -> None:
    deaf = one_that("c.close(); time.sleep(600)")
    deaf.launch()
    began = time.monotonic()
    with pytest.raises(JudgeLost):
        deaf.ready(lambda: None)
    assert time.monotonic() - began < 60
    assert deaf.pid is None


def test_a_task_that_is_never_taken_blocks_nobody(tmp_path: Path) -> None:
    """It is larger than what the kernel holds for a process that does not ask for it."""
    job = make_job(joints=6_000)
    idle = one_that("time.sleep(600)", seconds=0.3)
    idle.launch()
    with pytest.raises(JudgeLost):
        idle.give(task_of(1, job, tmp_path, ViewToJudge(job.views[0], job.joints)))
    assert idle.pid is None


def test_only_what_the_connection_holds_waits_behind_what_a_process_is_at(tmp_path: Path) -> None:
    """Sending more would last until it is taken, and nobody would hear that process meanwhile."""
    small, large = (make_job(joints=count) for count in (20, 6_000))
    busy = one_that("time.sleep(600)", seconds=20)
    busy.launch()
    began = time.monotonic()
    taken = [busy.queue(task_of(1, job, tmp_path, ViewToJudge(job.views[0], job.joints))) for job in (small, large)]
    assert taken == [True, False]
    assert time.monotonic() - began < 10
    assert busy.pid is not None
    busy.close(grace_s=0)
