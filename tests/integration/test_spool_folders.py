"""What somebody does to the spool's own folders under the daemon: said, mended where it can be, no job forgotten."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edge.adapters.review_folder import SpoolReviews
from edge.adapters.spool import FolderSpool
from edge.adapters.spool_view import strangers
from edge.core.errors import SpoolGone
from tests.support.builders import make_job, write_job


@pytest.mark.parametrize("place", ["incoming", "work", "done", "rejected"])
def test_a_folder_of_the_spool_that_somebody_removes_is_made_anew_and_said_until_a_job_comes(
    place: str, tmp_path: Path
) -> None:
    said: list[tuple[str, str | None]] = []
    spool = FolderSpool(tmp_path, left=lambda entry, problem: said.append((entry, problem)))
    (tmp_path / place).rmdir()
    for _ in range(3):
        assert spool.claim() is None
    ((folder, problem),) = said
    assert folder == place
    assert "handed over again" in str(problem) or "is in the journal" in str(problem)
    assert bool((tmp_path / place).stat().st_mode & 0o020) == (place in {"incoming", "rejected"}), "by its group, too"
    write_job(tmp_path / "incoming", make_job("L-1"), side=16)
    job = spool.claim()
    assert job is not None
    spool.finish(job)
    stands = place in {"incoming", "work"}  # somebody must see that jobs went with it
    assert said[1:] == ([] if stands else [(place, None)])
    assert (tmp_path / "done" / "L-1").is_dir()


@pytest.mark.parametrize("place", ["incoming", "work", "done", "rejected"])
def test_what_lies_in_the_place_of_a_folder_is_said_and_waited_for(place: str, tmp_path: Path) -> None:
    spool = FolderSpool(tmp_path)
    (tmp_path / place).rmdir()
    (tmp_path / place).write_text("a file")
    with pytest.raises(SpoolGone, match=f"{place}: File exists; move it away"):
        spool.claim()
    (tmp_path / place).unlink()
    assert spool.claim() is None
    assert (tmp_path / place).is_dir()


def test_jobs_in_a_folder_that_nobody_reads_are_found(tmp_path: Path) -> None:
    spool = FolderSpool(tmp_path)
    for name in ("L-1", "L-2"):
        write_job(tmp_path / "incoming", make_job(name), side=16)
    (tmp_path / "incoming").rename(tmp_path / "incoming.old")
    (tmp_path / "empty").mkdir()
    write_job(tmp_path, make_job("L-3.tmp"), side=16)
    assert spool.claim() is None
    assert strangers(tmp_path) == [(tmp_path / "incoming.old", 2)]


@pytest.mark.parametrize("by", ["the jobs", "the reviews"])
def test_a_spool_that_is_gone_is_not_made_anew_on_whatever_disk_lies_below_it(by: str, tmp_path: Path) -> None:
    root, away = tmp_path / "spool", tmp_path / "away"
    spool, reviews = FolderSpool(root), SpoolReviews(root)
    reviews.waiting()
    root.rename(away)
    for _ in range(2):
        with pytest.raises(SpoolGone if by == "the jobs" else OSError):
            spool.claim() if by == "the jobs" else reviews.waiting()
    assert not root.exists()
    root.mkdir()  # as the place that a disk was mounted on
    with pytest.raises(SpoolGone, match="mount it again, and all goes on by itself"):
        spool.claim()
    assert list(root.iterdir()) == []
    root.rmdir()
    away.rename(root)
    write_job(root / "incoming", make_job("L-1"), side=16)
    assert spool.claim() is not None


def test_jobs_that_went_with_their_folder_are_not_looked_for(tmp_path: Path) -> None:
    said: list[tuple[str, str | None]] = []
    spool = FolderSpool(tmp_path, left=lambda entry, problem: said.append((entry, problem)))
    for name in ("L-1", "L-2", "L-3"):
        write_job(tmp_path / "incoming", make_job(name), side=16)
    job = spool.claim()
    assert job is not None
    spool.finish(job)
    shutil.rmtree(tmp_path / "incoming")
    assert spool.claim() is None
    assert [entry for entry, _ in said] == ["incoming"]
