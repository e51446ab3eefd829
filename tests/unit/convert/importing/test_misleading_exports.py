"""Exports that could be read wrongly without a word: no joint goes to another picture, board or class by itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from convert.importing.mapping import read_mapping
from convert.importing.run import import_lot
from edge.core.errors import ConfigError
from tests.support.exported import LABELS, imported, picture, table, truth


def test_both_rows_of_a_joint_that_stands_there_twice_are_left_out(tmp_path: Path) -> None:
    picture(tmp_path / "export" / "a.png")
    rows = [
        f"a.png,MB,S1,,{joint},{label},{x},10,{x + 30},40"
        for joint, label, x in (("J1", "good", 5), ("J1", "void", 40), ("J2", "good", 60))
    ]
    table(tmp_path / "export", *rows)
    done = imported(tmp_path)
    assert len(done.problems) == 1
    assert truth(tmp_path) == {"J2": "normal"}


def test_one_box_under_two_names_is_none_of_them(tmp_path: Path) -> None:
    picture(tmp_path / "export" / "a.png")
    table(
        tmp_path / "export",
        *(f"a.png,MB,S1,,{joint},{label},5,10,40,40" for joint, label in (("J1", "good"), ("J2", "void"))),
        "a.png,MB,S1,,J3,good,50,50,90,90",
    )
    assert "are one box on one picture" in imported(tmp_path).problems[0].text
    assert truth(tmp_path) == {"J3": "normal"}


def test_a_view_with_two_sets_of_pictures_is_left_out(tmp_path: Path) -> None:
    for name in ("a.png", "a.bmp", "b.png"):
        picture(tmp_path / "export" / name)
    table(
        tmp_path / "export",
        *(
            f"{name},MB,S1,,{joint},good,5,10,40,40"
            for name, joint in (("a.png", "J1"), ("a.bmp", "J2"), ("b.png", "J3"))
        ),
    )
    assert "other pictures here" in imported(tmp_path).problems[0].text
    assert truth(tmp_path) == {"J3": "normal"}


def test_boards_that_would_have_one_name_are_told_apart_or_refused(tmp_path: Path) -> None:
    picture(tmp_path / "export" / "a.png")
    table(
        tmp_path / "export",
        "a.png,MB,SN,2026-01-05,J1,good,5,10,40,40",
        "a.png,MB,SN_2026-01-05,,J2,good,50,50,90,90",
    )
    assert "would both be called" in imported(tmp_path, leave_out=False).problems[0].text
    assert not (tmp_path / "lot").exists()


@pytest.mark.parametrize("time", ["1/6/2026 8:00", "yesterday"])
def test_a_time_that_is_none_is_refused(time: str, tmp_path: Path) -> None:
    picture(tmp_path / "export" / "a.png")
    table(tmp_path / "export", f"a.png,MB,SN,{time},J1,good,5,10,40,40")
    assert "is not ISO 8601" in imported(tmp_path, leave_out=False).problems[0].text


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ('[labels]\n"Void" = "voided"\n"void" = "normal"', "two spellings"),
        ('[labels]\n"x" = "Left-Out"', "write 'left-out'"),
        ('[labels]\n"x" = "left_out"', "write 'left-out'"),
        ('[labels]\n"x" = "leftout"', "write 'left-out'"),
        ('[labels]\n"x" = "voided"\n"y" = "Voided"', "two spellings"),
        ('[defects]\n"x" = "left-out"', "is no defect"),
    ],
)
def test_a_mapping_that_could_be_read_in_two_ways_is_refused(mapping: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "mapping.toml").write_text(mapping)
    with pytest.raises(ConfigError, match=said):
        read_mapping(tmp_path / "mapping.toml")


def test_the_form_of_box_that_the_mapping_names_counts(tmp_path: Path) -> None:
    picture(tmp_path / "export" / "a.png")
    head = "image,joint,label,xmin,ymin,xmax,ymax,mx,my,w,h"
    table(tmp_path / "export", "a.png,J1,good,1,1,10,10,60,60,20,20", head=head)
    columns = '[columns]\ncx = "mx"\ncy = "my"\nwidth = "w"\nheight = "h"\n'
    done = imported(tmp_path, LABELS + columns)
    manifest = json.loads(next((tmp_path / "lot").glob("*/manifest.json")).read_text())
    assert manifest["joints"][0]["roi"] == [50, 50, 70, 70]
    assert not done.problems
    with_corner = read_mapping_text(tmp_path, columns + 'xmin = "xmin"\n')
    problems = import_lot(tmp_path / "export", with_corner, None).problems
    assert "xmin: is not used" in problems[0].text


def read_mapping_text(tmp_path: Path, text: str) -> Any:
    (tmp_path / "other.toml").write_text(text)
    return read_mapping(tmp_path / "other.toml")


@pytest.mark.parametrize(
    ("columns", "cells", "roi"),
    [("x,y,width,height", "10,20,30,40", [10, 20, 40, 60]), ("cx,cy,width,height", "50,50,30,40", [35, 30, 65, 70])],
)
def test_boxes_by_corner_and_size_and_by_middle(columns: str, cells: str, roi: list[int], tmp_path: Path) -> None:
    picture(tmp_path / "export" / "a.png")
    table(tmp_path / "export", f"a.png,U1,7,good,{cells}", head=f"image,component,pin,label,{columns}")
    imported(tmp_path)
    (joint,) = json.loads(next((tmp_path / "lot").glob("*/manifest.json")).read_text())["joints"]
    assert (joint["id"], joint["roi"]) == ("U1.7", roi)


def test_numbers_with_two_decimal_marks_are_refused(tmp_path: Path) -> None:
    picture(tmp_path / "export" / "a.png")
    (tmp_path / "export" / "joints.csv").write_text(
        "image;joint;label;xmin;ymin;xmax;ymax\na.png;J1;good;1,5;2;30;40\na.png;J2;good;41.5;2;70;40\n"
    )
    (problem,) = imported(tmp_path, leave_out=False).problems
    assert "another decimal mark" in problem.text


# Annotations


ONE = {"id": 1, "file_name": "a.png"}


def coco(source: Path, images: list[dict[str, Any]], notes: list[dict[str, Any]], **more: Any) -> None:
    categories = [{"id": 1, "name": "void"}, {"id": 2, "name": "good"}]
    document = {"images": images, "annotations": notes, "categories": categories} | more
    source.mkdir(exist_ok=True)
    (source / "a.json").write_text(json.dumps(document))


def note(number: int, image: int = 1, category: int = 1, **more: Any) -> dict[str, Any]:
    return {"id": number, "image_id": image, "category_id": category, "bbox": [5, 5 + 30 * (number % 3), 30, 25]} | more


@pytest.mark.parametrize(
    ("images", "notes", "more", "said"),
    [
        ([{"id": 1, "file_name": "S1/a.png"}], [note(1)], {}, "is missing"),
        (
            [ONE, ONE | {"file_name": "b.png"}],
            [note(1)],
            {},
            "images: id 1 stands there twice",
        ),
        (
            [ONE],
            [note(1)],
            {"categories": [{"id": 1, "name": name} for name in ("void", "good")]},
            "categories: id 1",
        ),
        ([ONE], [note(1, image=7)], {}, "names image 7"),
        ([ONE], [note(1, attributes={"rotation": 90})], {}, "turned box"),
        ([ONE], [note(1, bbox=[5, 5, 0, 25])], {}, "is empty"),
        ([ONE], [note(1, attributes={"joint": "J\n1"})], {}, "line break"),
        ([ONE], [note(1, attributes={"joint": "J" * 300})], {}, "longer than 256"),
        ([{"id": 1, "file_name": "a" * 300 + ".png"}], [note(1)], {}, "is missing"),
    ],
)
def test_coco_that_could_mean_another_joint_is_refused(
    images: list[dict[str, Any]], notes: list[dict[str, Any]], more: dict[str, Any], said: str, tmp_path: Path
) -> None:
    for name in ("a.png", "b.png"):
        picture(tmp_path / "export" / name)
    coco(tmp_path / "export", images, notes, **more)
    done = imported(tmp_path, leave_out=False)
    assert said in done.problems[0].text
    assert not (tmp_path / "lot").exists()
    checked = import_lot(tmp_path / "export", read_mapping(tmp_path / "mapping.toml"), None)
    assert checked.problems == done.problems


def test_joints_with_space_round_their_names_are_read_back(tmp_path: Path) -> None:
    picture(tmp_path / "export" / "a .png")
    coco(tmp_path / "export", [{"id": 1, "file_name": "a .png"}], [note(1, attributes={"joint": "J1 "})])
    imported(tmp_path)
    assert truth(tmp_path) == {"J1": "voided"}


def test_tiles_make_boards_of_one_picture(tmp_path: Path) -> None:
    picture(tmp_path / "export" / "a.png")
    coco(
        tmp_path / "export",
        [ONE],
        [note(1, bbox=[5, 5, 20, 20]), note(2, bbox=[60, 70, 20, 20])],
    )
    done = imported(tmp_path, LABELS + "[source]\ntiles = [2, 2]\n")
    assert {looked.board.serial for looked in done.joints} == {"a-1.1", "a-2.2"}


def voc(path: Path, file: str, inside: str = "") -> None:
    box = "<bndbox><xmin>5</xmin><ymin>5</ymin><xmax>40</xmax><ymax>40</ymax></bndbox>"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"<annotation><filename>{file}</filename><object><name>void</name>{inside or box}</object></annotation>"
    )


def test_an_annotation_means_the_picture_beside_it(tmp_path: Path) -> None:
    export = tmp_path / "export"
    picture(export / "a.png"), picture(export / "l1" / "a.png"), picture(export / "l2" / "a.png")
    voc(export / "l1" / "a.xml", "a.png")
    voc(export / "l2" / "a.XML", "a.png")
    done = imported(tmp_path, LABELS + "[source]\nnames = '(?P<serial>l.)/'\n")
    assert not done.problems
    assert [looked.joint.found.slices[0].path.parent.name for looked in done.joints] == ["l1", "l2"]


@pytest.mark.parametrize(
    "inside",
    [
        "<bndbox><xmin>nan</xmin><ymin>5</ymin><xmax>40</xmax><ymax>40</ymax></bndbox>",
        "<name>good</name><bndbox><xmin>1</xmin><ymin>5</ymin><xmax>40</xmax><ymax>40</ymax></bndbox>",
        "<bndbox><xmin>1</xmin></bndbox>",
    ],
)
def test_voc_that_could_mean_another_box_is_refused(inside: str, tmp_path: Path) -> None:
    picture(tmp_path / "export" / "a.png")
    voc(tmp_path / "export" / "a.xml", "a.png", inside)
    assert imported(tmp_path, leave_out=False).problems
