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
TOLD = "by [image] polarity solder is the darker"


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


def test_pictures_in_colours_have_no_polarity(tmp_path: Path) -> None:
    done = grid(tmp_path, f"[image]\ncolours = true\n{LABELS}", 200, 60)
    assert not any(TOLD in fact for fact in facts_of(done))


def test_whole_pictures_as_boxes_are_said_to_be(tmp_path: Path) -> None:
    for number, name in enumerate(("ok", "void")):
        balls(tmp_path / "export" / name / f"{number}.png", 60 + number)
    done = imported(tmp_path)
    assert not done.frames
    assert any("[boxes] cutout" in fact for fact in facts_of(done))


def test_one_fault_in_many_rows_is_said_once() -> None:
    rows = [Problem(f"a.csv: line {n}", f"box ({n}, 1) leaves its picture of {n} x 9 pixels; mend") for n in range(9)]
    faults = folded([*rows, Problem("a.csv", "label 'x' has no class", grave=True), Problem("b", "empty")])
    assert [len(fault.others) for fault in faults] == [0, 8, 0]
    assert faults[0].first.grave
    assert str(faults[1]).endswith("(so are 8 more, a.csv: line 1 to a.csv: line 8)")
    assert sum(1 + len(fault.others) for fault in faults) == 11
