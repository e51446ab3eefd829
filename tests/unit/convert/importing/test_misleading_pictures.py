"""Pictures, names and kinds that could be mistaken for others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from convert.cli import main
from convert.importing.mapping import read_mapping
from convert.importing.run import import_lot
from edge.core.errors import UsageError
from tests.support.exported import (
    LABELS,
    board,
    cfx,
    defect,
    imported,
    indicted,
    picture,
    result,
    rng,
    table,
    truth,
    unit,
)


def test_pages_are_slices_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "export").mkdir()
    pages = [
        np.full((120, 100), 50 * number, np.uint8) + rng.integers(0, 9, (120, 100), np.uint8) for number in (1, 2, 3)
    ]
    cv2.imwritemulti(str(tmp_path / "export" / "a.tif"), pages)
    table(tmp_path / "export", "a.tif,MB,S1,,J1,good,5,10,40,40")
    assert 'slices = "pages"' in imported(tmp_path, leave_out=False).problems[0].text
    imported(tmp_path, LABELS + '[image]\nslices = "pages"\n')
    manifest = json.loads(next((tmp_path / "lot").glob("*/manifest.json")).read_text())
    assert [part["page"] for part in manifest["views"][0]["slices"]] == [0, 1, 2]


def test_named_slices_must_be_without_a_gap_and_alike(tmp_path: Path) -> None:
    picture(tmp_path / "export" / "a00.png"), picture(tmp_path / "export" / "a02.png")
    table(tmp_path / "export", "a00.png,MB,S1,,J1,good,5,10,40,40")
    named = LABELS + '[image]\nslices = "named"\n'
    assert "without a gap" in imported(tmp_path, named, leave_out=False).problems[0].text
    cv2.imwrite(str(tmp_path / "export" / "a01.png"), np.zeros((50, 50), np.uint8))
    assert "export them alike" in imported(tmp_path, named, leave_out=False).problems[0].text


def test_a_cut_out_is_larger_than_its_joint_as_the_mapping_says(tmp_path: Path) -> None:
    picture(tmp_path / "export" / "void" / "a.png")
    imported(tmp_path, LABELS + "[boxes]\ncutout = 2.0\n[image]\npolarity = 'solder_bright'\n")
    manifest = json.loads(next((tmp_path / "lot").glob("*/manifest.json")).read_text())
    assert manifest["joints"][0]["roi"] == [25, 30, 75, 90]
    assert manifest["image"]["polarity"] == "solder_bright"


@pytest.mark.parametrize(
    ("beside", "said"),
    [
        (lambda export: picture(export / "c.png"), "outside the classes' folders"),
        (lambda export: (export / "void" / "b.webp").write_bytes(b"x"), "no PNG, JPEG, TIFF or BMP"),
        (lambda export: cv2.imwrite(str(export / "void" / "t.png"), np.zeros((3, 3), np.uint8)), "fewer than 4 pixels"),
    ],
)
def test_pictures_that_would_be_passed_over_are_named(
    beside: Callable[[Path], object], said: str, tmp_path: Path
) -> None:
    picture(tmp_path / "export" / "void" / "a.png")
    beside(tmp_path / "export")
    assert said in imported(tmp_path, leave_out=False).problems[0].text


def test_names_that_do_not_fit_are_said(tmp_path: Path) -> None:
    picture(tmp_path / "export" / "void" / "S1_J1.png"), picture(tmp_path / "export" / "void" / "other.png")
    names = "[source]\nnames = '(?P<serial>S[0-9]+)_(?P<joint>J[0-9]+)'\n"
    (problem,) = imported(tmp_path, LABELS + names).problems
    assert "does not fit [source] names" in problem.text
    assert truth(tmp_path) == {"J1": "voided"}


def test_a_file_beside_does_not_make_another_kind(tmp_path: Path) -> None:
    export = tmp_path / "export"
    picture(export / "void" / "a.png")
    (export / "readme.txt").write_text("hello\n")
    (export / "Config.xml").write_text("<config/>")
    assert imported(tmp_path).kind == "folders"
    board(tmp_path / "machine" / "b1")
    (tmp_path / "machine" / "Config.xml").write_text("<config/>")
    result(tmp_path / "machine" / "b1", indicted(0, "Repaired"))
    assert import_lot(tmp_path / "machine", read_mapping(None), None).kind == "results"
    cfx(tmp_path / "machine" / "b2", unit(defect(0)))
    with pytest.raises(UsageError, match="several kinds"):
        import_lot(tmp_path / "machine", read_mapping(None), None)


def test_a_name_that_is_no_text_is_imported(tmp_path: Path) -> None:
    folder = tmp_path / "export" / "void"
    path = picture(folder / "a.png")
    path.rename(Path(bytes(folder / "M").decode() + b"\xfcller.png".decode("utf-8", "surrogateescape")))
    done = imported(tmp_path)
    assert not done.problems
    assert list(truth(tmp_path)) == ["M\\xfcller"]


def test_the_report_lies_elsewhere_than_lot_and_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture(tmp_path / "export" / "a.png")
    table(tmp_path / "export", "a.png,MB,S1,,J1,tilted,5,10,40,40")
    lot, words = tmp_path / "lot", ["import", str(tmp_path / "export"), "--out"]
    assert main([*words, str(lot), "--report", str(lot / "report")]) == 2
    assert "lies within the lot" in capsys.readouterr().err
    assert main([*words, str(tmp_path / "export" / "lot")]) == 2
    assert main([*words, str(lot), "--leave-out"]) == 1
    assert "Nothing was written: 1 problem" in capsys.readouterr().err
    assert not lot.exists()
