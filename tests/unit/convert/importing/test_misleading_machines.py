"""Exports of machines that could be read wrongly without a word: the graver counts, and no slice is closed up."""

from __future__ import annotations

from pathlib import Path

import pytest

from convert.importing.classes import Outside
from tests.support.exported import board, cfx, defect, imported, indicted, picture, result, truth, unit

DEFECTS = '[defects]\n"Void" = "voided"\n"Insufficient" = "insufficient"\n'


@pytest.mark.parametrize(
    ("indictments", "said"),
    [
        ([indicted(0, "False Call")], {"J1.0": "normal"}),
        ([indicted(0, "Repaired")], {"J1.0": "voided"}),
        ([indicted(0, "Active")], {}),
        ([indicted(0)], {}),
        ([indicted(0, "Repaired", "False Call")], {"J1.0": "voided"}),
        ([indicted(0, "Repaired", "")], {"J1.0": "voided"}),
        ([indicted(0, "False Call", pins=("Repaired", "False Call"))], {"J1.0": "voided"}),
        ([indicted(0, "Repaired", pins=("False Call",))], {"J1.0": "normal"}),
        ([indicted(0, "Active"), indicted(0, "False Call")], {}),
        ([indicted(0, "Active"), indicted(0, "Repaired")], {"J1.0": "voided"}),
        ([indicted(0, "Repaired"), indicted(0, "False Call", call="Insufficient")], {"J1.0": "voided"}),
        ([indicted(0, "False Call", call="Insufficient"), indicted(0, "Repaired")], {"J1.0": "voided"}),
    ],
)
def test_what_the_repair_station_said_counts_by_the_graver(
    indictments: list[str], said: dict[str, str], tmp_path: Path
) -> None:
    board(tmp_path / "export" / "b1")
    result(tmp_path / "export" / "b1", *indictments, indicted(1, "False Call"))
    done = imported(tmp_path, DEFECTS)
    assert not done.problems
    assert truth(tmp_path) == said | {"J1.1": "normal"}
    assert sum(done.outside.values()) == sum("Active" in text or "RepairAction" not in text for text in indictments)


def test_an_outcome_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    board(tmp_path / "export")
    result(tmp_path / "export", indicted(0, "VariationOk"), indicted(1, "Repaired"))
    assert '"VariationOk" = "..."' in imported(tmp_path, DEFECTS).problems[0].text
    assert not (tmp_path / "lot").exists()


@pytest.mark.parametrize(
    ("counts", "wrong"),
    [
        ('numberOfFalseCalled="1" numberOfRepaired="1" numberOfActive="1"', ""),
        ('Repaired="2"', "Repaired 2, but 1 are named"),
        ('numberOfRepaired="1" numberOfRepairLater="1"', "numberofrepairlater 1, but 0 are named"),
        ('numberOfActive="2"', "numberofactive 2, but 1 are named"),
        ('numberOfRepaired="some" repairedBy="op1"', ""),
    ],
)
def test_a_station_that_counts_more_than_it_names_is_said(counts: str, wrong: str, tmp_path: Path) -> None:
    board(tmp_path / "export")
    event = f"<RepairEventXML {counts}/>"
    result(tmp_path / "export", indicted(0, "Repaired"), indicted(1, "False Call"), indicted(2, "Active") + event)
    said = [problem.text.casefold() for problem in imported(tmp_path, DEFECTS).problems]
    assert len(said) == bool(wrong)
    assert all(wrong.casefold() in text for text in said)
    assert truth(tmp_path) == {"J1.0": "voided", "J1.1": "normal"}


def test_two_boards_in_a_folder_are_refused(tmp_path: Path) -> None:
    board(tmp_path / "export")
    result(tmp_path / "export", indicted(0, "Repaired"))
    result(tmp_path / "export", indicted(0, "False Call"), serial="S2", name="s.xml")
    assert "have their pictures in one folder" in imported(tmp_path, DEFECTS).problems[0].text
    assert not (tmp_path / "lot").exists()


def test_a_missing_slice_is_not_closed_up(tmp_path: Path) -> None:
    board(tmp_path / "export", slices=(0, 2))
    result(tmp_path / "export", indicted(0, "Repaired"), indicted(1, "Repaired"))
    (problem,) = imported(tmp_path, DEFECTS).problems
    assert "number them from 00 up" in problem.text
    assert "all 2 joints of the board are missing" in problem.text


def test_pictures_lie_where_the_export_says(tmp_path: Path) -> None:
    board(tmp_path / "export" / "data7")
    (tmp_path / "export" / "data7" / "rois.csv").rename(tmp_path / "export" / "rois.csv")
    result(tmp_path / "export", indicted(0, "Repaired"))
    path = tmp_path / "export" / "r.xml"
    path.write_text(path.read_text().replace("<TestXML>", '<TestXML dataFolderName="D:\\out\\data7">'))
    done = imported(tmp_path, DEFECTS)
    assert [looked.slices for looked in done.joints] == [2]


def test_16_bits_of_a_machine_take_the_window(tmp_path: Path) -> None:
    board(tmp_path / "export", slices=())
    for number in (0, 1):
        picture(tmp_path / "export" / f"10{number:02d}.png", bits=16)
    result(tmp_path / "export", indicted(0, "Repaired"))
    assert "[image] window = [low, high]" in imported(tmp_path, DEFECTS, leave_out=False).problems[0].text
    assert not imported(tmp_path, DEFECTS + "[image]\nwindow = [6000, 20000]\n").problems


@pytest.mark.parametrize(
    ("units", "said"),
    [
        ([unit(defect(0, "DefectAccepted"))], '"DefectAccepted" = "..."'),
        ([unit(defect(0, 2.5))], "Verification is no text"),
        ([unit("J1.0", defect(1))], "DefectsFound is no list"),
        ([unit(defect(0)), "B"], "InspectedUnits is no list"),
        ([unit({"DefectCode": "Void"})], "ReferenceDesignator"),
        ([unit(defect(7))], "no row for J1.7"),
        ([unit(defect(0)), unit(defect(0, "DefectRejected"), serial="S2")], "in one folder"),
    ],
)
def test_cfx_that_could_lose_a_joint_is_refused(units: list[object], said: str, tmp_path: Path) -> None:
    cfx(tmp_path / "export", *units)
    done = imported(tmp_path, DEFECTS, leave_out=False)
    assert said in done.problems[0].text
    assert not (tmp_path / "lot").exists()


def test_cfx_numbers_its_boards_and_leaves_open_what_is(tmp_path: Path) -> None:
    cfx(tmp_path / "export", unit(defect(0), defect(1, "NotVerified"), defect(2, "DefectRejected"), serial=4711))
    done = imported(tmp_path, DEFECTS)
    assert truth(tmp_path) == {"J1.0": "voided", "J1.2": "normal"}
    assert done.outside == {Outside.OPEN: 1}
    assert {looked.board.serial for looked in done.joints} == {"4711"}
