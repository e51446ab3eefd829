"""What a person is shown of an import, and told of it, so that what no program can know is seen at once."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from convert.importing.folding import folded
from convert.importing.found import Problem
from convert.importing.run import Imported
from convert.reports.importing import facts_of, write_import
from tests.support.exported import LABELS, imported, table

WIDE, HIGH, PITCH = 240, 160, 40
TOLD = "joints come out brighter than what is round them"


def balls(path: Path, solder: int = 60, ground: int = 200) -> list[tuple[int, int]]:
    """A picture of a grid of balls; their middles."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grey = np.full((HIGH, WIDE), ground, np.uint8)
    middles = [(x, y) for y in range(PITCH // 2, HIGH, PITCH) for x in range(PITCH // 2, WIDE, PITCH)]
    for middle in middles:
        cv2.circle(grey, middle, 10, solder, -1)
    cv2.imwrite(str(path), grey)
    return middles


def grid(tmp_path: Path, mapping: str = LABELS, solder: int = 60, ground: int = 200) -> Imported:
    export = tmp_path / "export"
    middles = balls(export / "a.png", solder, ground)
    labels = ["ok" if number % 5 else "void" for number in range(len(middles))]
    boxes = [f"{x - 12},{y - 12},{x + 12},{y + 12}" for x, y in middles]
    table(export, *(f"a.png,MB,,,J{n},{label},{box}" for n, (label, box) in enumerate(zip(labels, boxes, strict=True))))
    return imported(tmp_path, mapping)


def test_a_whole_picture_is_shown_with_every_box(tmp_path: Path) -> None:
    done = grid(tmp_path)
    (frame,) = done.frames
    assert frame.picture.shape == (HIGH, WIDE)
    assert [boxed.name for boxed in frame.boxes].count("voided") == 5
    assert len(frame.boxes) == len(done.joints) == 24
    assert frame.boxes[0] == ((8, 8, 32, 32), "voided")
    pages = write_import(done, tmp_path / "lot", tmp_path / "report")
    assert "frame-0.png" in pages[0].read_text()
    assert (tmp_path / "report" / "frame-0.png").stat().st_size > 2000


def test_boards_that_one_picture_shows_are_on_one_frame(tmp_path: Path) -> None:
    done = grid(tmp_path, "[source]\ntiles = [2, 2]\n" + LABELS)
    (frame,) = done.frames
    assert done.boards == 4
    assert len(frame.boxes) == 24


def test_boxes_across_the_lines_between_boards_are_said_once(tmp_path: Path) -> None:
    done = grid(tmp_path, "[source]\ntiles = [5, 1]\n" + LABELS)
    (fault,) = folded(done.problems)
    assert "lies across the line between two boards of [source] tiles = [5, 1]" in str(fault)
    assert str(fault).endswith("(so are 7 more, joints.csv: line 5 to joints.csv: line 23)")


@pytest.mark.parametrize(
    ("polarity", "solder", "ground", "told"),
    [
        ("solder_dark", 60, 200, False),
        ("solder_dark", 200, 60, True),
        ("solder_bright", 200, 60, False),
        ("solder_bright", 60, 200, True),
    ],
)
def test_the_wrong_polarity_is_doubted(polarity: str, solder: int, ground: int, told: bool, tmp_path: Path) -> None:
    done = grid(tmp_path, f'[image]\npolarity = "{polarity}"\n{LABELS}', solder, ground)
    assert any(TOLD in fact for fact in facts_of(done)) == told
    assert done.written


def test_what_people_see_is_what_the_network_sees(tmp_path: Path) -> None:
    """Solder that would be taken for ground is bright on the joints' pictures, too."""
    for polarity, dark in (("solder_dark", True), ("solder_bright", False)):
        (tmp_path / polarity).mkdir()
        done = grid(tmp_path / polarity, f'[image]\npolarity = "{polarity}"\n{LABELS}')
        pictures = [sample.picture for samples in done.samples.values() for sample in samples]
        assert all((picture[48, 48] < picture[2, 2]) == dark for picture in pictures)


@pytest.mark.parametrize("polarity", ["solder_dark", "solder_bright"])
def test_the_polarity_of_cut_outs_is_doubted_too(polarity: str, tmp_path: Path) -> None:
    for number in range(24):
        balls(tmp_path / "export" / ("void" if number % 3 else "ok") / f"{number}.png", 60 + number)
    for path in (tmp_path / "export").rglob("*.png"):  # a ball in the middle of each
        cv2.imwrite(str(path), cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)[40:80, 40:80])
    done = imported(tmp_path, f'[image]\npolarity = "{polarity}"\n{LABELS}')
    assert any(TOLD in fact for fact in facts_of(done)) == (polarity == "solder_bright")


def shifted(tmp_path: Path, right: int, down: int, mapping: str = LABELS) -> Imported:
    """Balls here and there, their boxes so many pixels off."""
    export, rng = tmp_path / "export", np.random.default_rng(4)
    export.mkdir()
    grey, rows = np.full((400, 600), 200, np.uint8), []
    for number, cell in enumerate(rng.permutation(96)[:30]):
        x, y = 60 + 44 * (cell % 12) + int(rng.integers(-5, 5)), 60 + 36 * (cell // 12) + int(rng.integers(-5, 5))
        cv2.circle(grey, (x, y), 10, 60, -1)
        x, y = x + right, y + down
        rows.append(f"a.png,MB,,,J{number},ok,{x - 12},{y - 12},{x + 12},{y + 12}")
    cv2.imwrite(str(export / "a.png"), grey)
    table(export, *rows)
    return imported(tmp_path, mapping)


@pytest.mark.parametrize(
    ("right", "down", "told"),
    [(0, 0, ""), (30, 0, "pixels further left"), (0, -30, "pixels further down"), (40, 30, "further left and")],
)
def test_boxes_that_lie_beside_their_joints_are_said_to(right: int, down: int, told: str, tmp_path: Path) -> None:
    done = shifted(tmp_path, right, down)
    said = " ".join([*facts_of(done), *(problem.text for problem in done.problems)])
    assert ("boxes lie beside what their pictures show" in said) == bool(told)
    assert told in said
    assert done.written == (not any(problem.grave for problem in done.problems))


def test_whoever_says_the_corner_is_told_and_not_stopped(tmp_path: Path) -> None:
    done = shifted(tmp_path, 30, 0, '[boxes]\norigin = "top-left"\n' + LABELS)
    assert done.written
    assert any("boxes lie beside" in fact for fact in facts_of(done))


def test_pictures_in_colours_have_no_polarity(tmp_path: Path) -> None:
    done = grid(tmp_path, f"[image]\ncolours = true\n{LABELS}", 200, 60)
    assert not any(TOLD in fact for fact in facts_of(done))


def test_whole_pictures_as_boxes_are_said_to_be(tmp_path: Path) -> None:
    for number, name in enumerate(("ok", "void")):
        balls(tmp_path / "export" / name / f"{number}.png", 60 + number)
    done = imported(tmp_path)
    assert not done.frames
    assert any("[boxes] cutout" in fact for fact in facts_of(done))
    assert any("[source] names" in fact for fact in facts_of(done))


def test_two_labels_without_a_class_are_two_faults(tmp_path: Path) -> None:
    export = tmp_path / "export"
    balls(export / "a.png")
    table(export, "a.png,MB,,,J1,cold,8,8,32,32", "a.png,MB,,,J2,cold,48,8,72,32", "a.png,MB,,,J3,odd,88,8,112,32")
    assert [str(fault).partition(",")[0] for fault in folded(imported(tmp_path).problems)] == [
        "joints.csv: line 2: label 'cold'",
        "joints.csv: line 4: label 'odd'",
    ]


def test_one_fault_in_many_rows_is_said_once() -> None:
    rows = [Problem(f"a.csv: line {n}", f"box ({n}, 1) leaves its picture of {n} x 9 pixels; mend") for n in range(9)]
    faults = folded([*rows, Problem("a.csv", "label 'x' has no class", grave=True), Problem("b", "empty")])
    assert [len(fault.others) for fault in faults] == [0, 8, 0]
    assert faults[0].first.grave
    assert str(faults[1]).endswith("(so are 8 more, a.csv: line 1 to a.csv: line 8)")
    assert sum(1 + len(fault.others) for fault in faults) == 11


def test_pictures_that_look_like_further_slices_are_told_of(tmp_path: Path) -> None:
    for number in range(3):
        balls(tmp_path / "export" / f"top{number:02d}.png", 60 + number)
    table(tmp_path / "export", "top00.png,MB,,,J1,ok,8,8,32,32")
    assert any("2 pictures that nothing names" in fact for fact in facts_of(imported(tmp_path)))
    again = tmp_path / "again"
    again.mkdir()
    balls(again / "export" / "top00.png")
    balls(again / "export" / "top01.png")
    table(again / "export", "top00.png,MB,,,J1,ok,8,8,32,32")
    assert not any(
        "nothing names" in fact for fact in facts_of(imported(again, '[image]\nslices = "named"\n' + LABELS))
    )


def test_a_board_type_of_another_polarity_is_told_among_others(tmp_path: Path) -> None:
    """As of a second machine that stores its pictures the other way round."""
    export, lines = tmp_path / "export", list[str]()
    for name, board_type, solder, ground in (("a", "MB", 60, 200), ("b", "MC", 200, 60), ("c", "MD", 70, 190)):
        for number, (x, y) in enumerate(balls(export / f"{name}.png", solder, ground)):
            label = "ok" if number % 5 else "void"
            lines.append(f"{name}.png,{board_type},,,J{number},{label},{x - 12},{y - 12},{x + 12},{y + 12}")
    table(export, *lines)
    (doubt,) = [said for said in imported(tmp_path, LABELS).doubts if "brighter" in said]
    assert doubt.startswith("of board type MC (24 of 24) joints come out brighter than what is round them")
    assert "with the other [image] polarity" in doubt
