"""Lots that no simulator made: whatever job folders the device reads, and the truth that a user can fill in."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from convert.lots.graded_truth import read_graded_truth
from convert.lots.reading import load_lot
from convert.lots.splits import split_apart
from edge.core.errors import UsageError
from edge.core.job import Job, Roi
from edge.core.preprocess import PreprocessSpec
from tests.support.builders import make_job, write_job

SPEC = PreprocessSpec(size=16)
XML = """<BoardTestXMLExport testTime="2026-11-21T08:15:30"><BoardXML serialNumber="{serial}" boardType="MB-7"/>
{indictments}</BoardTestXMLExport>"""
INDICTMENT = (
    '<IndictmentXML indictmentType="Insufficient"><ComponentXML designator="{refdes}" pin="{pin}"/></IndictmentXML>'
)


def as_result_xml(parent: Path, job: Job) -> str:
    """The same joints as a V810 would leave them; its job_id."""
    folder = write_job(parent, job)
    (folder / "manifest.json").unlink()
    joints = "".join(INDICTMENT.format(refdes=joint.refdes, pin=joint.pin) for joint in job.joints)
    (folder / "result.xml").write_text(XML.format(serial=job.job_id, indictments=joints))
    rows = [(joint.refdes, joint.pin, joint.view, *joint.roi) for joint in job.joints]
    write_csv(folder / "rois.csv", ("designator", "pin", "view", "xmin", "ymin", "xmax", "ymax"), rows)
    return f"{job.job_id}_2026-11-21T08:15:30"


def as_table(parent: Path, job: Job) -> str:
    """The same joints as a table; its job_id is the folder's name."""
    folder = write_job(parent, job)
    (folder / "manifest.json").unlink()
    slices = {view.id: [part.file for part in view.slices] for view in job.views}
    rows = [
        (joint.refdes, joint.pin, "insufficient", *joint.roi, file)
        for joint in job.joints
        for file in slices[joint.view]
    ]
    write_csv(folder / "joints.csv", ("component", "pin", "defect_type", "xmin", "ymin", "xmax", "ymax", "image"), rows)
    return job.job_id


def as_manifest(parent: Path, job: Job) -> str:
    write_job(parent, job)
    return job.job_id


def write_csv(path: Path, columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(rows)


def write_truth(lot: Path, rows: list[tuple[object, ...]], columns: str = "job_id,joint,board_type,label") -> None:
    write_csv(lot / "truth.csv", tuple(columns.split(",")), rows)


@pytest.mark.parametrize("form", [as_result_xml, as_table])
def test_a_lot_of_any_job_folders_holds_the_same_joints_as_one_of_manifests(form: object, tmp_path: Path) -> None:
    lots = []
    for name, leave in (("manifests", as_manifest), ("other", form)):
        lot = tmp_path / name
        jobs = [make_job(f"L-{i}", joints=2, slices=3) for i in range(2)]
        ids = [leave(lot, job) for job in jobs]  # type: ignore[operator]
        write_truth(lot, [(ids[i], f"J0.{k}", f"MB-{i}", (i + k) % 2) for i in range(2) for k in range(2)])
        lots.append(load_lot(lot, SPEC))
    for lot in lots:
        assert lot.labels.tolist() == [0, 1, 1, 0]
        assert [row.slices for row in lot.rows] == [3] * 4
        assert lot.left_out == ()
    np.testing.assert_array_equal(lots[0].patches, lots[1].patches)
    assert len(split_apart(lots[1], 0.5, 0)[0].rows) == 2


def test_job_joint_type_and_label_are_enough_and_more_is_kept(tmp_path: Path) -> None:
    as_manifest(tmp_path, make_job("L1", joints=2))
    write_truth(tmp_path, [("L1", "J0.0", "MB-1", 0), ("L1", "J0.1", "MB-1", 1)])
    rows = load_lot(tmp_path, SPEC).defect_rows
    assert [row.truth for row in rows] == ["normal", "defect"]
    assert {row.fill for row in rows} == {row.roi_right for row in rows} == {row.disputed for row in rows} == {None}
    reviewed = [("L1", "J0.0", "MB-1", 0, "OK", "r17"), ("L1", "J0.1", "MB-1", 1, "short", "r17")]
    write_truth(tmp_path, reviewed, "job_id,joint,board_type,label,truth,reviewer")
    assert [row.truth for row in load_lot(tmp_path, SPEC).defect_rows] == ["normal", "short"]


def test_what_is_left_out_is_said_with_its_number_and_the_first_name(tmp_path: Path) -> None:
    as_manifest(tmp_path, make_job("L1", joints=3))
    write_truth(tmp_path, [("L1", "J0.0", "MB-1", 0), ("L9", "J1", "MB-1", 1), ("L9", "J2", "MB-1", 1)])
    lot = load_lot(tmp_path, SPEC)
    assert len(lot.rows) == 1
    assert [sentence.partition(": ")[2] for sentence in lot.left_out] == [
        "2 rows of truth.csv name a joint that no job folder has, J1 of L9 first; they are left out",
        "2 joints have no row in truth.csv, J0.1 of L1 first; they are left out",
    ]
    assert lot.subset(np.arange(1), "half").left_out == lot.left_out


@pytest.mark.parametrize(
    ("columns", "rows", "problem"),
    [
        ("job_id,label", [("L1", 0)], "column 'joint' is missing; the first row"),
        ("job_id;joint;board_type;label", [("L1;J0.0;MB-1;0",)], "missing; its columns are separated by ';'"),
        ("job_id,joint,board_type,Label,label", [("L1", "J0.0", "MB-1", 1, 0)], "column 'label' stands there twice"),
        ("job_id,joint,board_type,label", [("L1", "J0.0", "MB-1")], "line 2: fewer cells than columns"),
        (
            "job_id,joint,board_type,label,truth",
            [("L1", "J0.0", "MB-1", 0, "missing")],
            "truth: 'missing', but label is 0",
        ),
        (
            "job_id,joint,board_type,label,truth",
            [("L1", "J0.0", "MB-1", 1, "Good")],
            "truth: 'Good', but label is 1",
        ),
        ("job_id,joint,board_type,label", [("L1", "J0.0", "MB-1", "")], r"line 2: label: empty"),
        ("job_id,joint,board_type,label", [("", "J0.0", "MB-1", 1)], r"line 2: job_id: empty"),
        ("job_id,joint,board_type,label", [("L1", "J0.0", "MB-1", "yes")], r"line 2: label: 'yes' is neither 0"),
        ("job_id,joint,board_type,label", [("L1", "J0.0", "MB-1", 1, 2)], r"line 2: more cells than columns"),
        ("job_id,joint,board_type,label,fill", [("L1", "J0.0", "MB-1", 1, "0,5")], r"fill: '0,5' is not a number"),
        ("job_id,joint,board_type,label,fill", [("L1", "J0.0", "MB-1", 1, "nan")], r"fill: 'nan' is not a number"),
        ("job_id,joint,board_type,label,slices", [("L1", "J0.0", "MB-1", 1, "inf")], r"slices: 'inf' is not a number"),
        ("job_id,joint,board_type,label,fill", [("L1", "J0.0", "MB-1", 1, "7.5")], r"fill: '7\.5' is not from 0 to 1"),
        ("job_id,joint,board_type,label,slices", [("L1", "J0.0", "MB-1", 1, "7")], r"slices: '7' is not a whole"),
        ("job_id,joint,board_type,label,grade", [("L1", "J0.0", "MB-1", 1, "good")], "has both 'label' and 'grade'"),
        (
            "job_id,joint,board_type,grade,votes",
            [("L1", "J0.0", "MB-1", "good", "poor|poor")],
            "grade: 'good' is none of the votes",
        ),
        ("job_id,joint,board_type,label,slices", [("L1", "J0.0", "MB-1", 1, "2.5")], r"slices: '2\.5' is not a whole"),
        ("job_id,joint,board_type,label,disputed", [("L1", "J0.0", "MB-1", 1, 2)], r"disputed: '2' is neither 0 nor 1"),
        (
            "job_id,joint,board_type,label",
            [("L1", "J0.0", "MB-1", 1)] * 2,
            r"line 3: joint: J0\.0 of L1 stands there twice",
        ),
        ("job_id,joint,board_type,grade", [("L1", "J0.0", "MB-1", "fine")], r"grade: 'fine' is no grade; use poor"),
    ],
)
def test_wrong_truth_is_named_by_file_line_and_column(
    columns: str, rows: list[tuple[object, ...]], problem: str, tmp_path: Path
) -> None:
    as_manifest(tmp_path, make_job("L1"))
    write_truth(tmp_path, rows, columns)
    with pytest.raises(UsageError, match=rf"truth\.csv: .*{problem}"):
        load_lot(tmp_path, SPEC)


def test_a_lot_without_truth_and_a_folder_that_is_no_job_are_refused_by_name(tmp_path: Path) -> None:
    as_manifest(tmp_path, make_job("L1"))
    with pytest.raises(UsageError, match=r"truth\.csv: not readable"):
        load_lot(tmp_path, SPEC)
    write_truth(tmp_path, [("L1", "J0.0", "MB-1", 1)])
    (tmp_path / "notes").mkdir()
    with pytest.raises(UsageError, match="notes: holds no job that the device reads"):
        load_lot(tmp_path, SPEC)


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    as_manifest(tmp_path, make_job("L1"))
    write_truth(tmp_path, [("L1", "J0.0", "MB-1", 1)])
    text = (tmp_path / "truth.csv").read_text()
    (tmp_path / "truth.csv").write_text(text, encoding="utf-8-sig")
    assert len(load_lot(tmp_path, SPEC).rows) == 1


def test_what_spreadsheets_and_desktops_leave_behind_is_no_matter(tmp_path: Path) -> None:
    """A byte order mark, spaces and capitals in the first row, rows of nothing but commas, hidden folders."""
    as_manifest(tmp_path, make_job("L1", joints=1))
    (tmp_path / ".cache").mkdir()
    (tmp_path / "truth.csv").write_bytes("\ufeffJob_ID, Joint,board_type ,LABEL\r\nL1,J0.0,MB-1,1\r\n,,,\r\n".encode())
    assert load_lot(tmp_path, SPEC).labels.tolist() == [1]


def test_truth_in_another_encoding_is_named_by_its_line(tmp_path: Path) -> None:
    as_manifest(tmp_path, make_job("L1", joints=1))
    (tmp_path / "truth.csv").write_bytes("job_id,joint,board_type,label\nL1,J0.0,Gerät,1\n".encode("latin-1"))
    with pytest.raises(UsageError, match=r"truth\.csv: line 2: not UTF-8 text"):
        load_lot(tmp_path, SPEC)


def test_a_job_that_lies_there_twice_refuses_the_lot_by_both_names(tmp_path: Path) -> None:
    as_manifest(tmp_path, make_job("L1"))
    shutil.copytree(tmp_path / "L1", tmp_path / "copy")
    write_truth(tmp_path, [("L1", "J0.0", "MB-1", 1)])
    with pytest.raises(UsageError, match="copy: job_id 'L1' is that of L1, too"):
        load_lot(tmp_path, SPEC)


def test_joints_that_the_device_judges_nowhere_are_left_out_and_said(tmp_path: Path) -> None:
    job = make_job("L1", joints=2)
    outside = msgspec.structs.replace(job.joints[1], roi=Roi(90_000, 90_000, 90_060, 90_060))
    as_manifest(tmp_path, msgspec.structs.replace(job, joints=(job.joints[0], outside)))
    write_truth(tmp_path, [("L1", "J0.0", "MB-1", 1), ("L1", "J0.1", "MB-1", 1)])
    lot = load_lot(tmp_path, SPEC)
    assert [row.joint for row in lot.rows] == ["J0.0"]
    assert "1 joints lie outside their pictures" in lot.left_out[0]
    write_truth(tmp_path, [("L1", "J0.1", "MB-1", 1)])
    with pytest.raises(UsageError, match="every joint lies outside its picture"):
        load_lot(tmp_path, SPEC)


def test_votes_may_have_spaces_around_them(tmp_path: Path) -> None:
    write_truth(tmp_path, [("L1", "J0.0", "MB-1", "good", "good | poor|good")], "job_id,joint,board_type,grade,votes")
    ((_, row),) = read_graded_truth(tmp_path).items()
    assert row.votes == ("good", "poor", "good")
