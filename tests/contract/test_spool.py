"""One suite for the spool: the fake that unit tests use, and folders on disk."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

import pytest

from edge.adapters.arrivals import Arrivals
from edge.adapters.spool import FolderSpool
from edge.adapters.spool_view import survey
from edge.core.errors import ConfigError
from edge.inspection.ports import Spool
from edge.jobs.folder import ClaimedJob, open_folder
from edge.upkeep.ports import Backlog
from tests.support.builders import make_job, write_job
from tests.support.fakes import FakeSpool


@pytest.fixture(params=["fake", "folders"])
def spool(request: pytest.FixtureRequest, tmp_path: Path) -> Spool:
    names = ["L-2", "L-1"]
    if request.param == "fake":
        return FakeSpool([ClaimedJob(Path(name), b"{}", name) for name in names])
    for age, name in enumerate(names):
        os.utime(write_job(tmp_path / "incoming", make_job(name), side=16), (1_000 + age, 1_000 + age))
    return FolderSpool(tmp_path)


def test_jobs_come_oldest_first_and_one_at_a_time(spool: Spool) -> None:
    first = spool.claim()
    assert first is not None
    assert first.folder.name == "L-2"
    spool.finish(first)
    second = spool.claim()
    assert second is not None
    assert second.folder.name == "L-1"
    spool.reject(second, "as a test")
    assert spool.claim() is None


def test_a_job_that_was_not_finished_comes_again_first(spool: Spool) -> None:
    first = spool.claim()
    assert spool.claim() == first


def test_after_a_restart_work_comes_before_incoming(tmp_path: Path) -> None:
    write_job(tmp_path / "incoming", make_job("L-1"), side=16)
    claimed = FolderSpool(tmp_path).claim()
    write_job(tmp_path / "incoming", make_job("L-0"), side=16)
    again = FolderSpool(tmp_path).claim()
    assert again == claimed
    assert again is not None
    assert again.folder == tmp_path / "work" / "L-1"


def test_unfinished_and_stray_entries_are_left_in_place(tmp_path: Path) -> None:
    spool = FolderSpool(tmp_path)
    write_job(tmp_path / "incoming", make_job("L-1.tmp"), side=16)
    (tmp_path / "incoming" / "note.txt").write_text("not a job")
    (tmp_path / "incoming" / "link").symlink_to(tmp_path)
    assert spool.claim() is None
    assert len(list((tmp_path / "incoming").iterdir())) == 3


def test_a_folder_never_overwrites_another(tmp_path: Path) -> None:
    spool = FolderSpool(tmp_path)
    for seed in range(2):
        write_job(tmp_path / "incoming", make_job("L-1"), seed=seed, side=16)
        job = spool.claim()
        assert job is not None
        spool.finish(job)
    assert sorted(path.name for path in (tmp_path / "done").iterdir()) == ["L-1", "L-1.2"]


def test_a_rejected_job_carries_its_reason(tmp_path: Path) -> None:
    spool = FolderSpool(tmp_path)
    (tmp_path / "incoming" / "L-1").mkdir()
    job = spool.claim()
    assert job is not None
    assert job.manifest == b""
    spool.reject(job, "manifest.json: missing")
    reason = json.loads((tmp_path / "rejected" / "L-1" / "reason.json").read_text())
    assert reason == {"schema": "axi-rejection/1", "job": "L-1", "reason": "manifest.json: missing"}


def test_the_manifest_is_the_identity_whatever_else_lies_in_the_folder(tmp_path: Path) -> None:
    spool = FolderSpool(tmp_path)
    contents = []
    for joints, stray in ((2, False), (2, True), (3, False)):
        folder = write_job(tmp_path / "incoming", make_job("L-1", joints=joints), side=16)
        if stray:
            (folder / "Thumbs.db").write_text("left by a file manager")
        job = spool.claim()
        assert job is not None
        contents.append(job.content)
        spool.finish(job)
    assert contents[0] == contents[1] != contents[2]


def test_a_pipe_or_a_link_for_a_manifest_blocks_nothing(tmp_path: Path) -> None:
    spool = FolderSpool(tmp_path)
    for name in ("pipe", "link"):
        (tmp_path / "incoming" / name).mkdir()
    os.mkfifo(tmp_path / "incoming" / "pipe" / "manifest.json")
    (tmp_path / "incoming" / "link" / "manifest.json").symlink_to("/dev/zero")
    for _ in range(2):
        job = spool.claim()
        assert job is not None
        assert job.manifest == b""
        spool.reject(job, "as a test")


def test_a_name_that_is_no_utf8_is_a_name_all_the_same(tmp_path: Path) -> None:
    spool = FolderSpool(tmp_path)
    (tmp_path / "incoming" / os.fsdecode(b"caf\xe9")).mkdir()
    job = spool.claim()
    assert job is not None
    spool.reject(job, "as a test")
    assert (tmp_path / "rejected" / os.fsdecode(b"caf\xe9") / "reason.json").exists()


def test_a_job_leaves_the_queue_even_when_its_reason_cannot_be_written(tmp_path: Path) -> None:
    spool = FolderSpool(tmp_path)
    (tmp_path / "incoming" / "L-1" / "reason.json").mkdir(parents=True)
    job = spool.claim()
    assert job is not None
    spool.reject(job, "as a test")
    assert spool.claim() is None


def test_a_spool_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "incoming").write_text("a file where a folder belongs")
    with pytest.raises(ConfigError, match=r"\[spool\] path: .*incoming"):
        FolderSpool(tmp_path)


def filed(tmp_path: Path, *names: str) -> FolderSpool:
    spool = FolderSpool(tmp_path)
    for name in names:
        write_job(tmp_path / "incoming", make_job(name), side=16)
        job = spool.claim()
        assert job is not None
        spool.finish(job)
    return spool


def test_finished_jobs_are_known_by_age_size_and_content_and_can_be_discarded(tmp_path: Path) -> None:
    spool = filed(tmp_path, "L-1", "L-2")
    first, second = spool.finished()
    assert [first.folder.name, second.folder.name] == ["L-1", "L-2"]
    assert first.size == sum(file.stat().st_size for file in first.folder.iterdir())
    assert first.content == open_folder(first.folder).content != second.content
    spool.discard(first.folder)
    assert [job.folder.name for job in spool.finished()] == ["L-2"]


def test_a_deleting_that_was_interrupted_is_finished(tmp_path: Path) -> None:
    spool = filed(tmp_path, "L-1")
    (tmp_path / "done" / "L-1").rename(tmp_path / "done" / ".L-1.discarded")
    assert spool.finished() == []
    spool.sweep()
    assert list((tmp_path / "done").iterdir()) == []


def test_the_backlog_counts_what_lies_in_incoming_and_work(tmp_path: Path) -> None:
    spool = FolderSpool(tmp_path)
    assert spool.waiting() == Backlog(0, None)
    before = time.time()
    for name in ("L-1", "L-2", "L-3.tmp"):
        write_job(tmp_path / "incoming", make_job(name), side=16)
    job = spool.claim()
    assert job is not None
    backlog = spool.waiting()
    assert backlog.jobs == 2
    assert backlog.oldest == job.arrived
    assert before - 1 <= job.arrived <= time.time()


def test_a_survey_finds_every_job_and_touches_none(tmp_path: Path) -> None:
    filed(tmp_path, "L-1")
    write_job(tmp_path / "incoming", make_job("L-2", joints=2), side=16)
    (tmp_path / "rejected" / "odd").mkdir()
    found = {job.name: (job.place, job.found.job_id, len(job.found.joints)) for job in survey(tmp_path)}
    assert found == {"L-1": ("done", "L-1", 3), "L-2": ("incoming", "L-2", 2), "odd": ("rejected", None, 0)}
    assert list(survey(tmp_path / "nowhere")) == []


def test_a_job_that_appears_wakes_whoever_waits_for_it(tmp_path: Path) -> None:
    arrivals = Arrivals(tmp_path)
    started = time.monotonic()
    arrivals.wait(0.01)
    threading.Timer(0.1, (tmp_path / "L-1").mkdir).start()
    arrivals.wait(60)
    assert (tmp_path / "L-1").exists()
    assert time.monotonic() - started < 30
    arrivals.close()


def test_without_events_waiting_ends_by_itself(tmp_path: Path) -> None:
    arrivals = Arrivals(tmp_path / "nowhere")
    arrivals.wait(0.01)
    arrivals.close()


TABLE = "component,defect_type,xmin,ymin,xmax,ymax,image\nJ5,short,1,2,3,4,01015400.jpg\n"


def test_boards_with_the_same_table_are_told_apart_by_their_pictures(tmp_path: Path) -> None:
    spool, contents = FolderSpool(tmp_path), []
    for picture in (b"one", b"another"):
        folder = tmp_path / "incoming" / "B"
        folder.mkdir()
        (folder / "joints.csv").write_text(TABLE)
        (folder / "01015400.jpg").write_bytes(picture)
        job = spool.claim()
        assert job is not None
        assert open_folder(job.folder).content == job.content
        contents.append(job.content)
        spool.finish(job)
    assert contents[0] != contents[1]
    assert [found.content for found in survey(tmp_path)] == contents
