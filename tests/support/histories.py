"""A simulated lot, exported as other programs would: what each kind of reader has to bring back."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2

from convert.importing.found import Found
from convert.importing.looking import Seen, content_of, see
from convert.importing.mapping import Mapping
from convert.importing.readers.lots import read_lot
from convert.lots.truth import read_truth
from edge.core.job import Job, Joint, Roi, SliceFile
from edge.jobs.folder import open_folder, read_job

PATH = r"(?P<board_type>[^/]+)/(?P<serial>[^/]+)/(?P<view>\d+)\d\d$"
"""How exported pictures are called that nothing else says the board of."""
CLASSES = '"insufficient" = "insufficient"\n"missing" = "missing"\n"short" = "short"\n"voided" = "voided"\n'


class Known(NamedTuple):
    """A joint of the lot, with its truth."""

    job: Job
    folder: Path
    joint: Joint
    name: str

    @property
    def slices(self) -> list[SliceFile]:
        (view,) = (view for view in self.job.views if view.id == self.joint.view)
        return sorted(view.slices, key=lambda part: part.index)

    @property
    def picture(self) -> str:
        """Where its first slice lies, in folders by board type and serial."""
        return f"{self.job.board.type}/{self.job.board.serial}/{self.slices[0].file}"


def known(lot: Path) -> list[Known]:
    """Every joint."""
    truth, found = read_truth(lot), list[Known]()
    for folder in sorted(path for path in lot.iterdir() if path.is_dir()):
        job, _ = read_job(open_folder(folder))
        found += [Known(job, folder, joint, truth[job.job_id, joint.id].truth) for joint in job.joints]
    return found


class What(NamedTuple):
    """A joint as it must come back, whatever it was exported as."""

    board_type: str
    serial: str
    joint: str
    name: str
    roi: tuple[int, ...]
    content: bytes


def held(lot: Path, *, boxes: bool = True) -> set[What]:
    """What a lot holds. ``boxes``: where they lie matters; not so of cut-outs."""
    found = set[What]()
    for joint in read_lot(lot, Mapping()):
        assert isinstance(joint, Found), joint
        seen = see(joint.slices, joint.image, joint.where, Mapping())
        assert isinstance(seen, Seen), seen
        assert joint.box is not None
        roi = Roi(*(round(corner) for corner in joint.box))
        where = tuple(roi) if boxes else ()
        found.add(What(joint.board_type, joint.serial, joint.joint, joint.label, where, content_of(seen, roi)))
    return found


def _pictures(joints: list[Known], out: Path) -> None:
    for one in joints:
        folder = (out / one.picture).parent
        if not folder.exists():
            folder.mkdir(parents=True)
            for path in one.folder.glob("*.png"):
                shutil.copy(path, folder)


def as_table(joints: list[Known], out: Path) -> str:
    """Semicolons, decimal commas, UTF-16, boxes by middle and size."""
    _pictures(joints, out / "pictures")
    lines = ["Bild;Typ;Serie;Pin;Befund;Mitte X;Mitte Y;Breite;H\u00f6he"]
    for one in joints:
        roi = one.joint.roi
        numbers = ((roi.xmin + roi.xmax) / 2, (roi.ymin + roi.ymax) / 2, roi.xmax - roi.xmin, roi.ymax - roi.ymin)
        written = [f"{number:.1f}".replace(".", ",") for number in numbers]
        board = one.job.board
        lines.append(";".join([one.picture, board.type, board.serial, one.joint.id, one.name, *written]))
    (out / "export.csv").write_bytes(("\r\n".join(lines) + "\r\n").encode("utf-16"))
    columns = {"image": "Bild", "board_type": "Typ", "serial": "Serie", "joint": "Pin", "label": "Befund"}
    columns |= {"cx": "Mitte X", "cy": "Mitte Y", "width": "Breite", "height": "H\u00f6he"}
    named = "\n".join(f'{role} = "{column}"' for role, column in columns.items())
    return f'[source]\nimages = "pictures"\n[image]\nslices = "named"\n[columns]\n{named}\n[labels]\n{CLASSES}'


def as_millimetres(joints: list[Known], out: Path) -> str:
    """Tabs, millimetres, rows counted from below."""
    _pictures(joints, out)
    with (out / "export.tsv").open("w", newline="") as stream:
        writer = csv.writer(stream, delimiter="\t", lineterminator="\n")
        writer.writerow(["image", "board_type", "serial", "joint", "label", "xmin", "ymin", "xmax", "ymax"])
        for one in joints:
            high, roi = cv2.imread(str(out / one.picture), 0).shape[0], one.joint.roi
            corners = [f"{value * 0.0125:.5f}" for value in (roi.xmin, high - roi.ymax, roi.xmax, high - roi.ymin)]
            board = one.job.board
            writer.writerow([one.picture, board.type, board.serial, one.joint.id, one.name, *corners])
    image = '[image]\nslices = "named"\npixel_um = 12.5\n'
    return f'{image}[boxes]\nunits = "millimetres"\norigin = "bottom-left"\n[labels]\n{CLASSES}'


def as_coco(joints: list[Known], out: Path) -> str:
    _pictures(joints, out / "images")
    images = {name: number for number, name in enumerate(dict.fromkeys(one.picture for one in joints), 1)}
    names = {name: number for number, name in enumerate(sorted({one.name for one in joints}), 1)}
    notes = [
        {
            "id": number,
            "image_id": images[one.picture],
            "category_id": names[one.name],
            "bbox": [roi.xmin, roi.ymin, roi.xmax - roi.xmin, roi.ymax - roi.ymin],
            "iscrowd": 0,
            "attributes": {"joint": one.joint.id, "occluded": False},
        }
        for number, one in enumerate(joints, 1)
        for roi in [one.joint.roi]
    ]
    document = {
        "info": {},
        "images": [{"id": number, "file_name": name, "width": 1, "height": 1} for name, number in images.items()],
        "annotations": notes,
        "categories": [{"id": number, "name": name, "supercategory": ""} for name, number in names.items()],
    }
    (out / "annotations").mkdir()
    (out / "annotations" / "instances_default.json").write_text(json.dumps(document))
    return f"[source]\nnames = '{PATH}'\n[image]\nslices = \"named\"\n[labels]\n{CLASSES}"


def as_voc(joints: list[Known], out: Path) -> str:
    _pictures(joints, out / "JPEGImages")
    (out / "Annotations").mkdir()
    for number, picture in enumerate(dict.fromkeys(one.picture for one in joints)):
        objects = [
            f"<object><name>{one.name}</name><joint>{one.joint.id}</joint><bndbox>"
            + "".join(
                f"<{corner}>{value:.2f}</{corner}>" for corner, value in zip(Roi._fields, one.joint.roi, strict=True)
            )
            + "</bndbox></object>"
            for one in joints
            if one.picture == picture
        ]
        text = f"<annotation><filename>{picture}</filename>{''.join(objects)}</annotation>"
        (out / "Annotations" / f"{number}.xml").write_text(text)
    return f"[source]\nnames = '{PATH}'\n[image]\nslices = \"named\"\n[labels]\n{CLASSES}"


def as_folders(joints: list[Known], out: Path) -> str:
    """Cut-outs of each slice, by class."""
    for one in joints:
        board, roi = one.job.board, one.joint.roi
        folder = out / one.name / board.type / board.serial
        folder.mkdir(parents=True, exist_ok=True)
        for part in one.slices:
            grey = cv2.imread(str(one.folder / part.file), cv2.IMREAD_UNCHANGED)
            cut = grey[roi.ymin : roi.ymax, roi.xmin : roi.xmax]
            cv2.imwrite(str(folder / f"{one.joint.id}-{part.index:02d}.png"), cut)
    names = r"[^/]+/(?P<board_type>[^/]+)/(?P<serial>[^/]+)/(?P<joint>[^/]+)-\d\d$"
    return f"[source]\nnames = '{names}'\n[image]\nslices = \"named\"\n[labels]\n{CLASSES}"


def as_lot(joints: list[Known], out: Path) -> str:
    for one in joints:
        if not (out / one.folder.name).exists():
            shutil.copytree(one.folder, out / one.folder.name)
    shutil.copy(joints[0].folder.parent / "truth.csv", out)
    return ""


def _machines(joints: list[Known], out: Path) -> Iterator[tuple[Path, list[Known]]]:
    """A folder for each board with its pictures and boxes."""
    for job in dict.fromkeys(one.job.job_id for one in joints):
        of_job = [one for one in joints if one.job.job_id == job]
        folder = out / job
        folder.mkdir(parents=True)
        for path in of_job[0].folder.glob("*.png"):
            shutil.copy(path, folder)
        with (folder / "rois.csv").open("w", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(["designator", "pin", "view", *Roi._fields])
            writer.writerows([one.joint.refdes, one.joint.pin, one.joint.view, *one.joint.roi] for one in of_job)
        yield folder, of_job


_DEFECTS = f"[defects]\n{CLASSES}"


def as_results(joints: list[Known], out: Path) -> str:
    for folder, of_job in _machines(joints, out):
        job = of_job[0].job
        good = sum(one.name == "normal" for one in of_job)
        event = f'<RepairEventXML numberOfFalseCalled="{good}" numberOfRepaired="{len(of_job) - good}">'
        tests = [
            f'<TestXML><IndictmentXML indictmentType="{one.name}" jointType="PTH">{event}'
            f'<RepairActionXML repairStatus="{"False Call" if one.name == "normal" else "Repaired"}" '
            'repairOperator="op1" repairTime="2026-01-06T10:00:00Z"/></RepairEventXML>'
            f'<ComponentXML designator="{one.joint.refdes}" pin="{one.joint.pin}"/></IndictmentXML></TestXML>'
            for one in of_job
        ]
        board = f'<BoardXML serialNumber="{job.board.serial}" boardType="{job.board.type}"/>'
        text = f'<BoardTestXMLExport testTime="{job.created}">{board}{"".join(tests)}</BoardTestXMLExport>'
        (folder / "result.xml").write_text(text)
    return _DEFECTS


def as_cfx(joints: list[Known], out: Path) -> str:
    for folder, of_job in _machines(joints, out):
        job = of_job[0].job
        defects = [
            {
                "DefectCode": one.name,
                "ComponentOfInterest": {"ReferenceDesignator": f"{one.joint.refdes}.{one.joint.pin}"},
                "Verification": "DefectRejected" if one.name == "normal" else "DefectConfirmed",
            }
            for one in of_job
        ]
        unit = {
            "UnitIdentifier": job.board.serial,
            "Inspections": [{"InspectionStartTime": job.created, "DefectsFound": defects}],
        }
        message = {
            "MessageName": "CFX.Production.TestAndInspection.UnitsInspected",
            "MessageBody": {"InspectionMethod": "AXI", "InspectedUnits": [unit]},
        }
        (folder / "units.json").write_text(json.dumps(message))
    return f'[source]\nboard_type = "MB-0"\n{_DEFECTS}'


EXPORTERS: dict[str, Callable[[list[Known], Path], str]] = {
    "table": as_table,
    "millimetres": as_millimetres,
    "coco": as_coco,
    "voc": as_voc,
    "folders": as_folders,
    "lot": as_lot,
    "results": as_results,
    "cfx": as_cfx,
}
"""By kind; each writes its export and gives the mapping that it needs."""
