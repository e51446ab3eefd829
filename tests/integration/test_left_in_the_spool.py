"""What senders, shares and rights do to job folders: no folder holds up another, and none is taken too soon."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from edge.adapters.spool import FolderSpool
from edge.jobs.folder import read_job
from tests.support.builders import make_job, write_job
from tests.support.users import as_a_user_without_rights


class Clock:
    """A clock that goes when it is told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_folder_that_cannot_be_looked_into_hides_no_other(tmp_path: Path) -> None:
    clock = Clock()
    spool = FolderSpool(tmp_path, settle_s=1.0, clock=clock)
    write_job(tmp_path / "incoming", make_job("L-1"), side=16)
    (tmp_path / "incoming" / "L-0").mkdir()
    (tmp_path / "incoming" / "L-0" / "manifest.json").symlink_to("manifest.json")
    assert spool.waiting().jobs == 2
    assert spool.claim() is None
    clock.now += 1.0
    found = []
    while (job := spool.claim()) is not None:
        found.append(job.folder.name)
        spool.finish(job)
    assert sorted(found) == ["L-0", "L-1"]


@pytest.mark.parametrize("ahead_s", [-3_600, 0, 3_600])
def test_a_folder_that_is_still_written_to_is_let_be_whatever_the_clock_of_its_share_says(
    ahead_s: float, tmp_path: Path
) -> None:
    clock = Clock()
    spool = FolderSpool(tmp_path, settle_s=2.0, clock=clock)
    folder = write_job(tmp_path / "incoming", make_job("L-1"), side=16)
    for i in range(3):
        (folder / "more").write_bytes(bytes(i))
        os.utime(folder / "more", (time.time() + ahead_s,) * 2)
        os.utime(folder, (time.time() + ahead_s,) * 2)
        assert spool.claim() is None
        clock.now += 1.9
        assert i < 2 or spool.claim() is None
    clock.now += 0.1
    job = spool.claim()
    assert job is not None
    assert job.folder.name == "L-1"


def test_a_name_that_says_unfinished_is_understood_in_any_case(tmp_path: Path) -> None:
    spool = FolderSpool(tmp_path)
    write_job(tmp_path / "incoming", make_job("L-1.TMP"), side=16)
    assert spool.claim() is None
    assert spool.waiting().jobs == 0


@pytest.mark.parametrize("name", ["Manifest.json", "MANIFEST.JSON"])
def test_a_document_is_found_in_any_case(name: str, tmp_path: Path) -> None:
    folder = write_job(tmp_path / "incoming", make_job("L-1"), side=16)
    (folder / "manifest.json").rename(folder / name)
    job = FolderSpool(tmp_path).claim()
    assert job is not None
    assert read_job(job).job.job_id == "L-1"


@pytest.mark.parametrize("mark", ["utf-8-sig", "utf-16"])
def test_a_manifest_may_begin_with_a_byte_order_mark_or_be_utf_16(mark: str, tmp_path: Path) -> None:
    folder = write_job(tmp_path / "incoming", make_job("L-1"), side=16)
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(text, encoding=mark)
    job = FolderSpool(tmp_path).claim()
    assert job is not None
    assert read_job(job).job == make_job("L-1")
    assert not job.unread


@pytest.mark.parametrize("name", ["L" * 255, "\N{LATIN SMALL LETTER U WITH DIAERESIS}" * 127])
def test_a_name_as_long_as_names_may_be_stops_nothing_and_overwrites_nothing(name: str, tmp_path: Path) -> None:
    spool = FolderSpool(tmp_path)
    for i in range(3):
        (tmp_path / "incoming" / name).mkdir()
        (tmp_path / "incoming" / name / "manifest.json").write_text(str(i))
        job = spool.claim()
        assert job is not None
        spool.reject(job, "as a test")
    assert len(list((tmp_path / "rejected").iterdir())) == 3
    assert len(spool.finished()) == 3
    for finished in spool.finished():
        spool.discard(finished.folder)
    assert list((tmp_path / "rejected").iterdir()) == []


def test_a_job_that_cannot_be_filed_holds_up_no_other_and_is_said(tmp_path: Path) -> None:
    left: dict[str, str | None] = {}
    spool = FolderSpool(tmp_path, left=left.__setitem__)
    for name in ("L-1", "L-2"):
        write_job(tmp_path / "incoming", make_job(name), side=16)
    job = spool.claim()
    assert job is not None
    shutil.rmtree(job.folder)  # as good a reason as any why it cannot be moved
    spool.finish(job)
    assert "somebody took it out of work" in str(left["L-1"])
    second = spool.claim()
    assert second is not None
    assert second.folder.name == "L-2"


def test_what_may_not_be_read_stays_in_incoming_and_is_said() -> None:
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        FolderSpool(root)
        for name in ("closed", "folder", "open"):
            write_job(root / "incoming", make_job(name), side=16)
        for path in (root, *root.iterdir(), *(root / "incoming").iterdir()):
            path.chmod(0o777)
        (root / "incoming" / "closed" / "manifest.json").chmod(0)
        (root / "incoming" / "folder").chmod(0)

        def claimed() -> str:
            left: list[str] = []
            spool = FolderSpool(root, left=lambda entry, problem: left.append(f"{entry}: {problem}"))
            job = spool.claim()
            return "\n".join([job.folder.name if job else "none", *sorted(left)])

        first, closed, folder = as_a_user_without_rights(claimed).splitlines()
        assert first == "open"
        assert closed.startswith("closed: ")
        assert "closed/manifest.json" in closed
        assert "chmod -R g+rwX" in closed
        assert folder.startswith("folder: ")
        assert (root / "incoming" / "closed" / "manifest.json").exists()
        (root / "incoming" / "folder").chmod(0o777)


def test_what_was_left_and_is_gone_is_said_to_be_gone(tmp_path: Path) -> None:
    left: list[tuple[str, bool]] = []
    spool = FolderSpool(tmp_path, left=lambda entry, problem: left.append((entry, problem is not None)))
    (tmp_path / "incoming" / "note.txt").write_text("not a job")
    spool.claim()
    spool.claim()
    (tmp_path / "incoming" / "note.txt").unlink()
    spool.claim()
    assert left == [("note.txt", True), ("note.txt", False)]


def test_a_folder_that_waits_its_turn_and_is_written_to_again_waits_anew(tmp_path: Path) -> None:
    clock = Clock()
    spool = FolderSpool(tmp_path, settle_s=1.0, clock=clock)
    for name in ("L-1", "L-2"):
        write_job(tmp_path / "incoming", make_job(name), side=16)
    assert spool.claim() is None
    clock.now += 1.0
    first = spool.claim()
    assert first is not None
    spool.finish(first)
    (other,) = (tmp_path / "incoming").iterdir()
    (other / "more").touch()
    assert spool.claim() is None
    clock.now += 1.0
    second = spool.claim()
    assert second is not None
    assert second.folder.name == other.name


@pytest.mark.parametrize("name", [".L-1", "L-1.tmp", "L-1.TMP"])
def test_a_folder_that_stays_unfinished_is_told_of_and_so_is_its_end(name: str, tmp_path: Path) -> None:
    clock, left = Clock(), dict[str, str | None]()
    spool = FolderSpool(tmp_path, unfinished_s=60.0, clock=clock, left=left.__setitem__)
    folder = tmp_path / "incoming" / name
    folder.mkdir()
    for now in (100.0, 159.0):
        clock.now = now
        assert spool.claim() is None
        assert left == {}
    clock.now = 160.0
    assert spool.claim() is None
    assert "unfinished for 1 minutes; rename it" in str(left[name])
    folder.rmdir()
    assert spool.claim() is None
    assert left == {name: None}


def test_a_finished_job_that_cannot_be_handed_back_keeps_none_of_the_others(tmp_path: Path) -> None:
    left: dict[str, str | None] = {}
    spool = FolderSpool(tmp_path, left=left.__setitem__)
    for name in ("L-1", "L-2", "L-3"):
        write_job(tmp_path / "done", make_job(name), side=16)
    stuck = tmp_path / "done" / "L-2"
    if subprocess.run(["chattr", "+i", str(stuck)], capture_output=True, check=False).returncode:
        pytest.skip("no file here can be made immutable")
    try:
        assert spool.hand_back() == 2
    finally:
        subprocess.run(["chattr", "-i", str(stuck)], check=True)
    assert "it cannot be inspected again" in str(left["L-2"])
    assert spool.claim() is not None
    assert left["L-2"] is not None, "it is still there"


def test_a_sender_may_use_one_unfinished_name_again_and_again(tmp_path: Path) -> None:
    clock, left = Clock(), dict[str, str | None]()
    spool = FolderSpool(tmp_path, unfinished_s=60.0, clock=clock, left=left.__setitem__)
    for i in range(4):
        (tmp_path / "incoming" / "upload.tmp").mkdir()
        assert spool.claim() is None
        clock.now += 50.0
        (tmp_path / "incoming" / "upload.tmp").rename(tmp_path / f"away-{i}")
    assert left == {}
