"""The folder that reviews are dropped into, on a real disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge.adapters.review_folder import SpoolReviews, drop


def settled(folder: SpoolReviews) -> list[str]:
    folder.waiting()
    return [path.name for path in folder.waiting()]


def test_a_file_waits_once_it_has_not_changed_between_two_looks(tmp_path: Path) -> None:
    folder = SpoolReviews(tmp_path)
    assert folder.waiting() == []
    path = drop(tmp_path, "a.csv", b"1\n")
    assert folder.waiting() == []
    path.write_bytes(b"1\n2\n")
    assert folder.waiting() == []
    assert folder.waiting() == [path]


def test_what_is_unfinished_or_no_file_is_left_alone(tmp_path: Path) -> None:
    folder = SpoolReviews(tmp_path)
    folder.waiting()
    for name in (".a.csv", "b.csv.TMP"):
        (tmp_path / "reviews" / name).write_bytes(b"1\n")
    (tmp_path / "reviews" / "folder.csv").mkdir()
    (tmp_path / "reviews" / "link.csv").symlink_to("/etc/passwd")
    assert settled(folder) == []


def test_files_are_taken_in_the_order_they_came_and_none_overwrites_another(tmp_path: Path) -> None:
    folder = SpoolReviews(tmp_path)
    for number in range(3):
        drop(tmp_path, "a.csv", str(number).encode())
        for path in (folder.waiting(), folder.waiting())[1]:
            folder.finish(path)
    assert sorted(path.read_text() for path in (tmp_path / "reviews" / "done").iterdir()) == ["0", "1", "2"]
    assert settled(folder) == []


def test_files_of_one_name_dropped_one_after_the_other_keep_their_ending(tmp_path: Path) -> None:
    """It says what kind of file it is."""
    assert [drop(tmp_path, "a.csv", b"").name for _ in range(3)] == ["a.csv", "a.2.csv", "a.3.csv"]


def test_what_is_wrong_lies_beside_a_rejected_file(tmp_path: Path) -> None:
    folder = SpoolReviews(tmp_path)
    path = drop(tmp_path, "a.csv", b"1\n")
    assert settled(folder) == ["a.csv"]
    folder.reject(path, ["line 1: no"])
    rejected = tmp_path / "reviews" / "rejected"
    assert (rejected / "a.csv").read_bytes() == b"1\n"
    assert json.loads((rejected / "a.csv.reason.json").read_text())["problems"] == ["line 1: no"]


def test_what_was_filed_can_be_handed_back(tmp_path: Path) -> None:
    folder = SpoolReviews(tmp_path)
    for name in ("a.csv", "b.csv", "b.csv"):
        drop(tmp_path, name, b"1\n")
    assert settled(folder) == ["a.csv", "b.csv", "b.2.csv"]
    folder.finish(tmp_path / "reviews" / "b.csv")
    folder.reject(tmp_path / "reviews" / "b.2.csv", ["line 1: no"])
    folder.hand_back()
    assert sorted(settled(folder)) == ["a.csv", "b.2.csv", "b.csv"]
    assert not any((tmp_path / "reviews" / "rejected").iterdir())


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    folder = SpoolReviews(tmp_path)
    path = drop(tmp_path, "a.csv", b"")
    with path.open("wb") as large:
        large.truncate(65 * 1024 * 1024)
    with pytest.raises(OSError, match="larger than"):
        folder.read(path)
