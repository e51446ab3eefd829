"""What tells one job folder from another: what was sent in it, wherever it lies and whatever it is called by then."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge.adapters.spool import FolderSpool
from edge.jobs.folder import MAX_MANIFEST_BYTES, open_folder, read_job

TABLE = "component,defect_type,xmin,ymin,xmax,ymax,image\nJ5,short,1,2,30,40,01015400.png\n"
ROIS = "designator,pin,view,xmin,ymin,xmax,ymax\nJ5,1,010154,1,2,30,40\n"
XML = (
    '<BoardTestXMLExport testTime="1"><BoardXML serialNumber="S"/><TestXML><IndictmentXML>'
    '<ComponentXML designator="J5" pin="1"/></IndictmentXML></TestXML></BoardTestXMLExport>'
)


def folder(path: Path, **files: str | bytes) -> Path:
    path.mkdir(parents=True)
    for name, content in files.items():
        (path / name.replace("_", ".")).write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def too_large(serial: str) -> bytes:
    return XML.replace('"S"', f'"{serial}"').encode() + bytes(MAX_MANIFEST_BYTES)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {}),
        ({"01_png": b"a"}, {"01_png": b"b"}),
        ({"r_xml": too_large("S"), "rois_csv": ROIS}, {"r_xml": too_large("OTHER"), "rois_csv": ROIS}),
    ],
    ids=["empty", "pictures alone", "too large"],
)
def test_folders_of_one_name_that_cannot_be_read_are_two_jobs(
    first: dict[str, str | bytes], second: dict[str, str | bytes], tmp_path: Path
) -> None:
    one, other = folder(tmp_path / "a" / "export", **first), folder(tmp_path / "b" / "export", **second)
    opened = open_folder(one), open_folder(other)
    assert opened[0].content != opened[1].content
    moved = one.rename(tmp_path / "export.2")
    (moved / "reason.json").write_text("{}")
    assert open_folder(moved).content == opened[0].content


def test_a_document_that_is_too_large_is_said_to_be(tmp_path: Path) -> None:
    job = open_folder(folder(tmp_path / "J", r_xml=too_large("S"), rois_csv=ROIS))
    assert job.problem == job.unread == "r.xml: larger than 16777216 bytes; send a regular file of at most 16 MiB"
    (tmp_path / "K" / "manifest.json").mkdir(parents=True)
    assert "manifest.json: not a regular file" in open_folder(tmp_path / "K").problem


def test_what_is_put_beside_a_filed_job_makes_it_no_other(tmp_path: Path) -> None:
    job = folder(tmp_path / "J", joints_csv=TABLE)
    (job / "01015400.png").write_bytes(b"picture")
    before = open_folder(job).content
    (job / "Thumbs.db").write_bytes(b"x")
    (job / "reason.json").write_text("{}")
    assert open_folder(job).content == before
    (job / "01015401.png").write_bytes(b"picture")
    assert open_folder(job).content != before


def test_boxes_that_are_there_in_two_spellings_are_refused(tmp_path: Path) -> None:
    job = folder(tmp_path / "J", r_xml=XML, rois_csv=ROIS, ROIS_CSV=ROIS.replace("30", "90"))
    assert "rois.csv lies beside it" in open_folder(job).problem


def test_a_board_that_is_called_by_its_folder_keeps_its_name_when_it_is_handed_back(tmp_path: Path) -> None:
    spool = FolderSpool(tmp_path / "spool")
    folder(spool.incoming / "X", joints_csv=TABLE)
    job = spool.claim()
    assert job is not None
    spool.reject(job, "another has this id")
    folder(spool.incoming / "X", joints_csv=TABLE + "J6,short,1,2,30,40,01015400.png\n")
    spool.hand_back()
    found = {path.name: read_job(open_folder(path)).job for path in spool.incoming.iterdir()}
    assert {name: (job.job_id, job.board.serial) for name, job in found.items()} == {"X": ("X", "X"), "X.2": ("X", "X")}
    assert json.loads((spool.incoming / "X.2" / "reason.json").read_text())["job"] == "X"


@pytest.mark.parametrize("said", ['{"job": "SN001"}', "[" * 200_000, '{"job": 7}', '{"job": "SN"}', ""])
def test_a_board_is_not_called_by_what_somebody_left_in_its_folder(said: str, tmp_path: Path) -> None:
    job = folder(tmp_path / "SN002", joints_csv=TABLE, reason_json=said)
    assert read_job(open_folder(job)).job.board.serial == "SN002"
