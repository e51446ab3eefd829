"""Pictures are the joint's own, or none: another board's would be worse."""

from __future__ import annotations

from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from edge.core.job import ImageFormat
from edge.jobs.vendors import JobDefaults
from edge.station.joints import Joint
from edge.station.pictures import Pictures
from tests.support.builders import make_job, write_job
from tests.support.queues import joint


def of_job(number: int = 0, job_id: str = "L7-000123", **other: object) -> Joint:
    return joint(number, job_id=job_id, joint=f"J0.{number}", **other)


def decoded(png: bytes | None) -> np.ndarray:
    assert png is not None
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    return Pictures(tmp_path, JobDefaults())


def test_a_joints_slices_are_shown_as_they_are(pictures: Pictures, tmp_path: Path) -> None:
    folder = write_job(tmp_path / "done", make_job())
    shown = pictures.shown(of_job(1))
    assert (shown.slices, shown.problem) == ((0, 1), "")
    assert shown.roi == make_job().joints[1].roi
    for index in shown.slices:
        there = cv2.imread(str(folder / f"010150{index:02d}.png"), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(decoded(pictures.slice(of_job(1), index)), there)
    assert pictures.slice(of_job(1), 2) is None


def test_solder_is_shown_dark_whatever_it_is_stored_as(pictures: Pictures, tmp_path: Path) -> None:
    job = msgspec.structs.replace(make_job(), image=ImageFormat(polarity="solder_bright"))
    folder = write_job(tmp_path / "done", job)
    there = cv2.imread(str(folder / "01015000.png"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(decoded(pictures.slice(of_job(), 0)), 255 - there)


def test_of_two_jobs_of_one_name_nothing_is_shown(pictures: Pictures, tmp_path: Path) -> None:
    write_job(tmp_path / "done", make_job())
    assert pictures.shown(of_job()).roi
    write_job(tmp_path / "other", make_job(), seed=1).rename(tmp_path / "done" / "again")
    again = Pictures(tmp_path, JobDefaults())
    assert again.shown(of_job()).problem
    assert again.slice(of_job(), 0) is None


def test_a_refused_job_of_the_same_name_is_another(pictures: Pictures, tmp_path: Path) -> None:
    write_job(tmp_path / "done", make_job())
    write_job(tmp_path / "rejected", make_job(), seed=1)
    judged, refused = (decoded(pictures.slice(of_job(reason=reason), 0)) for reason in ("learning", "job_refused"))
    assert not np.array_equal(judged, refused)
    for turn in range(5):
        fresh = Pictures(tmp_path, JobDefaults())
        assert np.array_equal(decoded(fresh.slice(of_job(reason="learning"), 0)), judged), turn


def test_a_job_is_followed_from_work_to_done_and_gone_when_it_is_gone(pictures: Pictures, tmp_path: Path) -> None:
    folder = write_job(tmp_path / "work", make_job())
    first = decoded(pictures.slice(of_job(), 0))
    (tmp_path / "done").mkdir()
    moved = folder.rename(tmp_path / "done" / folder.name)
    assert np.array_equal(decoded(pictures.slice(of_job(), 0)), first)
    for path in moved.iterdir():
        path.unlink()
    moved.rmdir()
    assert "no longer in the spool" in pictures.shown(of_job()).problem
    assert pictures.slice(of_job(), 0) is None


def test_what_cannot_be_read_shows_nothing_and_breaks_nothing(pictures: Pictures, tmp_path: Path) -> None:
    folder = write_job(tmp_path / "done", make_job())
    (folder / "01015000.png").write_bytes(b"no picture")
    (folder / "01015001.png").unlink()
    (tmp_path / "done" / "odd").mkdir()
    (tmp_path / "done" / "odd" / "manifest.json").write_text("{")
    assert pictures.slice(of_job(), 0) is None
    assert pictures.slice(of_job(), 1) is None
    assert pictures.shown(of_job()).roi
    assert pictures.shown(of_job(9)).problem
    assert pictures.shown(of_job(job_id="nobody's")).problem
