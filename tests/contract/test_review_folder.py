"""The folder that reviews are dropped into, on a real disk."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from edge.adapters.review_folder import SpoolReviews, drop


class Place:
    """A folder of reviews, and a clock that is turned by hand."""

    def __init__(self, spool: Path) -> None:
        self.seconds = 0.0
        self.folder = SpoolReviews(spool, 5.0, lambda: self.seconds)
        self.folder.waiting()

    def after(self, seconds: float) -> list[str]:
        self.seconds += seconds
        return [path.name for path in self.folder.waiting()]


def settled(place: Place) -> list[str]:
    place.after(0)
    return place.after(5)


def take(place: Place, name: str) -> Path:
    path = place.folder._root / name
    place.folder.read(path)
    return path


def test_a_file_waits_once_it_has_not_changed_for_some_seconds_however_often_one_looks(tmp_path: Path) -> None:
    place = Place(tmp_path)
    path = drop(tmp_path, "a.csv", b"1\n")
    assert [place.after(1) for _ in range(5)] == [[]] * 5
    path.write_bytes(b"1\n2\n")
    assert [place.after(1) for _ in range(5)] == [[]] * 5
    assert place.after(1) == ["a.csv"]


def test_a_file_that_changes_after_it_was_read_is_read_again(tmp_path: Path) -> None:
    place = Place(tmp_path)
    path = drop(tmp_path, "a.csv", b"1\n")
    assert settled(place) == ["a.csv"]
    for how in (place.folder.finish, lambda path: place.folder.reject(path, ["no"])):
        take(place, "a.csv")
        path.write_bytes(path.read_bytes() + b"2\n")
        how(path)
        assert path.exists()
    assert settled(place) == ["a.csv"]


def test_what_came_by_the_broker_is_whole_and_waits_for_nothing(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.folder.keep(b"1\n")
    assert place.after(0) == ["broker.jsonl"]


def test_what_is_unfinished_or_no_file_is_left_alone(tmp_path: Path) -> None:
    place = Place(tmp_path)
    for name in (".a.csv", "b.csv.TMP"):
        (tmp_path / "reviews" / name).write_bytes(b"1\n")
    (tmp_path / "reviews" / "folder.csv").mkdir()
    (tmp_path / "reviews" / "link.csv").symlink_to("/etc/passwd")
    assert settled(place) == []


def test_files_are_taken_in_the_order_they_came_and_none_overwrites_another(tmp_path: Path) -> None:
    place = Place(tmp_path)
    for number in range(3):
        drop(tmp_path, "a.csv", str(number).encode())
        for name in settled(place):
            place.folder.finish(take(place, name))
    assert sorted(path.read_text() for path in (tmp_path / "reviews" / "done").iterdir()) == ["0", "1", "2"]
    assert settled(place) == []


def test_files_of_one_name_dropped_one_after_the_other_keep_their_ending(tmp_path: Path) -> None:
    """It says what kind of file it is."""
    assert [drop(tmp_path, "a.csv", b"").name for _ in range(3)] == ["a.csv", "a.2.csv", "a.3.csv"]


def test_names_of_any_kind_and_length_are_filed(tmp_path: Path) -> None:
    place = Place(tmp_path)
    odd = [os.fsdecode(b"M\xfcller.csv"), "x" * 251 + ".csv", "y" * 244 + ".csv"]
    for name in odd:
        (tmp_path / "reviews" / name).write_bytes(b"1\n")
    assert sorted(settled(place)) == sorted(odd)
    for name in odd[:2]:
        place.folder.finish(take(place, name))
    place.folder.reject(take(place, odd[2]), ["no"])
    assert settled(place) == []
    assert all(path.suffix == ".csv" for path in (tmp_path / "reviews" / "done").iterdir())


def test_a_name_that_would_be_left_alone_is_dropped_under_another(tmp_path: Path) -> None:
    assert drop(tmp_path, ".shift.csv", b"").name == "shift.csv"


def test_what_is_wrong_lies_beside_a_rejected_file(tmp_path: Path) -> None:
    place = Place(tmp_path)
    drop(tmp_path, "a.csv", b"1\n")
    assert settled(place) == ["a.csv"]
    place.folder.reject(take(place, "a.csv"), ["line 1: no"])
    rejected = tmp_path / "reviews" / "rejected"
    assert (rejected / "a.csv").read_bytes() == b"1\n"
    assert json.loads((rejected / "a.csv.reason.json").read_text())["problems"] == ["line 1: no"]


def test_what_was_filed_can_be_handed_back(tmp_path: Path) -> None:
    place = Place(tmp_path)
    for name in ("a.csv", "b.csv", "b.csv"):
        drop(tmp_path, name, b"1\n")
    assert settled(place) == ["a.csv", "b.csv", "b.2.csv"]
    place.folder.finish(take(place, "b.csv"))
    place.folder.reject(take(place, "b.2.csv"), ["line 1: no"])
    (tmp_path / "reviews" / "done" / "7.reason.json").write_bytes(b"1\n")
    (tmp_path / "reviews" / "done" / "x.reason.json").mkdir()
    place.folder.hand_back()
    assert sorted(settled(place)) == ["7.reason.json", "a.csv", "b.2.csv", "b.csv"]
    assert not any((tmp_path / "reviews" / "rejected").iterdir())


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    place = Place(tmp_path)
    path = drop(tmp_path, "a.csv", b"")
    with path.open("wb") as large:
        large.truncate(65 * 1024 * 1024)
    with pytest.raises(OSError, match="larger than"):
        place.folder.read(path)
