"""Whatever is wrong with an export is said once, by file and row, with a remedy; and nothing is half written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from convert.importing.mapping import read_mapping
from convert.importing.run import Imported, import_lot
from edge.core.errors import ConfigError, UsageError

HEAD = "image,board_type,serial,joint,label,xmin,ymin,xmax,ymax"
ROWS = (
    "a.png,MB-1,S1,J1,good,10,10,40,40",
    "a.png,MB-1,S1,J2,void,60,60,90,90",
    "b.png,MB-2,S2,J1,good,10,10,40,40",
    "b.png,MB-2,S2,J2,void,60,60,90,90",
)
LABELS = '[labels]\n"void" = "voided"\n'


def write(source: Path, rows: tuple[str, ...] = ROWS, head: str = HEAD) -> None:
    source.mkdir(exist_ok=True)
    rng = np.random.default_rng(1)
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(source / name), rng.integers(90, 110, (120, 100)).astype(np.uint8))
    (source / "joints.csv").write_text("\n".join([head, *rows]) + "\n")


def replaced(line: int, old: str, new: str) -> Callable[[Path], None]:
    """Of the row in this line of the file."""

    def write_it(source: Path) -> None:
        rows = list(ROWS)
        assert old in rows[line - 2]
        rows[line - 2] = rows[line - 2].replace(old, new)
        write(source, tuple(rows))

    return write_it


def mixed_encodings(source: Path) -> None:
    write(source)
    with (source / "joints.csv").open("ab") as stream:
        stream.write("a.png,MB-1,S1,J3,gut ge\u00f6ffnet,10,50,40,80\n".encode("latin-1"))


def deep(source: Path) -> None:
    write(source)
    cv2.imwrite(str(source / "a.png"), np.full((120, 100), 9000, np.uint16))


def unread(source: Path) -> None:
    write(source)
    (source / "a.png").write_bytes((source / "a.png").read_bytes()[:200])


def coloured(source: Path) -> None:
    write(source)
    cv2.imwrite(str(source / "a.png"), np.random.default_rng(1).integers(0, 255, (120, 100, 3)).astype(np.uint8))


def empty_class(source: Path) -> None:
    write(source)
    (source / "joints.csv").unlink()
    (source / "good").mkdir()
    (source / "a.png").rename(source / "good" / "a.png")
    (source / "b.png").rename(source / "good" / "b.png")
    (source / "void").mkdir()


def middles(source: Path) -> None:
    write(source, head=HEAD.replace("xmin,ymin,xmax,ymax", "Center X,Center Y,Width,Height"))


def upwards(source: Path) -> None:
    """Dark joints, and boxes that count rows from below."""
    source.mkdir()
    grey, rows = np.full((400, 400), 200, np.uint8), []
    for number in range(30):
        left, top = 10 + 60 * (number % 6), 10 + 30 * (number // 6)
        cv2.circle(grey, (left + 10, top + 10), 9, 40, -1)
        rows.append(f"a.png,MB-1,S1,J{number},good,{left},{400 - top - 20},{left + 20},{400 - top}")
    cv2.imwrite(str(source / "a.png"), grey)
    (source / "joints.csv").write_text("\n".join([HEAD, *rows]) + "\n")


def cut(source: Path) -> None:
    write(source)
    (source / "joints.csv").write_bytes((source / "joints.csv").read_bytes()[:-3])


BROKEN: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "missing image": (replaced(3, "a.png", "c.png"), "joints.csv: line 3", "c.png is missing; export it"),
    "no image": (unread, "joints.csv: line 2", "a.png: damaged"),
    "box outside": (replaced(3, "90,90", "90,190"), "joints.csv: line 3", "leaves its picture of 100 x 120 pixels"),
    "unknown label": (replaced(4, "good", "tilted"), "joints.csv: line 4", '"tilted" = "..."'),
    "duplicate joint": (replaced(3, "J2", "J1"), "joints.csv: line 3", "joint J1 of board S1 stands there twice"),
    "mixed encodings": (
        mixed_encodings,
        "joints.csv: line 6",
        'not UTF-8 text; say in the mapping how it is written: [source] encoding = "cp1252"',
    ),
    "decimal comma": (replaced(3, "60,60,90,90", '60,60,"90,5",90'), "joints.csv: line 3", "decimal comma"),
    "cells too many": (replaced(3, "60,60,90,90", "60,60,90,5,90"), "joints.csv: line 3", "more cells than columns"),
    "one serial": (replaced(4, "S2", "S1"), "joints.csv: line 4", "of type 'MB-2'"),
    "empty class": (empty_class, "void", "a class without a picture"),
    "colours": (coloured, "joints.csv: line 2", "[image] colours = true"),
    "16 bits": (deep, "joints.csv: line 2", "[image] window = [low, high]"),
    "millimetres": (replaced(2, "10,10,40,40", "0.1,0.1,0.4,0.4"), "joints.csv: line 2", 'units = "millimetres"'),
    "middle and size": (middles, "joints.csv", "no columns say where joints lie"),
    "upwards": (upwards, "export", 'origin = "bottom-left"'),
    "top above bottom": (replaced(2, "10,10,40,40", "10,40,40,10"), "joints.csv: line 2", 'origin = "bottom-left"'),
    "no number": (replaced(2, "10,10,40,40", "10,ten,40,40"), "joints.csv: line 2", "ymin: 'ten' is no number"),
    "no label": (replaced(2, ",good,", ",,"), "joints.csv: line 2", "label: empty"),
    "cut": (cut, "joints.csv", "its last line has no end"),
}


def imported(tmp_path: Path, mapping: str = LABELS, *, leave_out: bool = False) -> Imported:
    (tmp_path / "mapping.toml").write_text(mapping)
    return import_lot(
        tmp_path / "export", read_mapping(tmp_path / "mapping.toml"), tmp_path / "lot", leave_out=leave_out
    )


@pytest.mark.parametrize("kind", BROKEN)
def test_one_sentence_says_what_is_wrong_and_nothing_is_written(kind: str, tmp_path: Path) -> None:
    breaking, where, said = BROKEN[kind]
    breaking(tmp_path / "export")
    done = imported(tmp_path)
    assert len({problem.where for problem in done.problems}) <= 2
    (first, *_) = done.problems
    assert where in first.where
    assert said in first.text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["export", "mapping.toml"]


def test_a_whole_export_is_written(tmp_path: Path) -> None:
    write(tmp_path / "export")
    done = imported(tmp_path)
    assert not done.problems
    assert dict(done.classes) == {"normal": 2, "voided": 2}
    assert (tmp_path / "lot" / "truth.csv").exists()


@pytest.mark.parametrize(
    ("kind", "mapping"),
    [
        ("16 bits", "[image]\nwindow = [0, 20000]\n"),
        ("colours", "[image]\ncolours = true\n"),
        ("middle and size", '[columns]\ncx = "Center X"\ncy = "Center Y"\nwidth = "Width"\nheight = "Height"\n'),
        ("unknown label", ""),
        ("upwards", '[boxes]\norigin = "bottom-left"\n'),
    ],
)
def test_the_remedy_that_is_said_is_one(kind: str, mapping: str, tmp_path: Path) -> None:
    BROKEN[kind][0](tmp_path / "export")
    labels = LABELS + '"tilted" = "tilted"\n'
    done = imported(tmp_path, labels + mapping)
    if kind == "middle and size":  # what were corners are no middles
        assert all("leaves its picture" in problem.text for problem in done.problems)
        return
    assert not done.problems
    assert (tmp_path / "lot" / "truth.csv").exists()


@pytest.mark.parametrize("kind", ["missing image", "box outside", "16 bits", "no image"])
def test_joints_with_something_wrong_can_be_left_out(kind: str, tmp_path: Path) -> None:
    BROKEN[kind][0](tmp_path / "export")
    done = imported(tmp_path, leave_out=True)
    assert done.problems
    rows = (tmp_path / "lot" / "truth.csv").read_text().splitlines()
    assert len(rows) - 1 == len(done.joints) < len(ROWS)


def test_a_label_that_nobody_mapped_is_never_left_out_silently(tmp_path: Path) -> None:
    BROKEN["unknown label"][0](tmp_path / "export")
    imported(tmp_path, leave_out=True)
    assert not (tmp_path / "lot").exists()
    done = imported(tmp_path, LABELS + '"tilted" = "left-out"\n')
    assert sum(done.outside.values()) == 1
    assert (tmp_path / "lot").exists()


def test_a_column_that_is_not_there_brings_the_nearest_to_mind(tmp_path: Path) -> None:
    write(tmp_path / "export")
    done = imported(tmp_path, LABELS + '[columns]\nserial = "serail"\n')
    assert [problem.text for problem in done.problems] == [
        "[columns] serial: there is no column 'serail'; the nearest is 'serial'"
    ]


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ("[sorce]\nkind = 'table'", "the nearest valid name is 'source'"),
        ("[boxes]\nunits = 'millimetres'", "[image] pixel_um: missing"),
        ("[image]\nwindow = [9, 3]", "[image] window: low must be below high"),
        ("[source]\nnames = '(?P<sn>.*)'", "group 'sn' is unknown"),
        ("[source]\nnames = '('", "no regular expression"),
        ("[labels]\n'a' = 'b c'", "'b c' is no class"),
        ("[defects]\n'a' = 'good'", "'good' is no defect"),
    ],
)
def test_a_wrong_mapping_is_named_by_key(mapping: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "mapping.toml"
    path.write_text(mapping)
    with pytest.raises(ConfigError) as raised:
        read_mapping(path)
    assert said in str(raised.value)
    assert str(path) in str(raised.value)


def test_one_picture_without_a_column_for_it_is_proposed(tmp_path: Path) -> None:
    write(tmp_path / "export", head=HEAD.replace("image", "name"))
    (tmp_path / "export" / "b.png").unlink()
    (problem,) = imported(tmp_path).problems
    assert "[source] image = 'a.png'" in problem.text


def test_a_folder_that_is_there_is_not_written_to(tmp_path: Path) -> None:
    write(tmp_path / "export")
    (tmp_path / "lot").mkdir()
    with pytest.raises(UsageError, match="exists already"):
        imported(tmp_path)


def test_what_is_there_twice_and_against_itself_is_found(tmp_path: Path) -> None:
    write(tmp_path / "export")
    (tmp_path / "export" / "b.png").write_bytes((tmp_path / "export" / "a.png").read_bytes())
    rows = (*ROWS[:3], ROWS[3].replace("void", "good"))
    (tmp_path / "export" / "joints.csv").write_text("\n".join([HEAD, *rows]) + "\n")
    done = imported(tmp_path)
    assert sorted(sorted(one.joint.found.joint for one in group) for group in done.alike) == [
        ["J1", "J1"],
        ["J2", "J2"],
    ]
    assert [len({one.joint.name for one in group}) for group in done.alike].count(2) == 1
