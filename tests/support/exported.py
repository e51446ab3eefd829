"""Exports in the making, and what became of them."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from convert.importing.mapping import read_mapping
from convert.importing.run import Imported, import_lot
from convert.lots.truth import read_truth

HEAD = "image,board_type,serial,time,joint,label,xmin,ymin,xmax,ymax"
LABELS = '[labels]\n"void" = "voided"\n'
rng = np.random.default_rng(3)


def picture(path: Path, bits: int = 8) -> Path:
    """Noise, no two alike."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grey = rng.integers(60, 200, (120, 100))
    cv2.imwrite(str(path), (grey * 100).astype(np.uint16) if bits == 16 else grey.astype(np.uint8))
    return path


def table(source: Path, *rows: str, head: str = HEAD) -> None:
    source.mkdir(exist_ok=True)
    (source / "joints.csv").write_text("\n".join([head, *rows]) + "\n")


def imported(tmp_path: Path, mapping: str = LABELS, *, leave_out: bool = True) -> Imported:
    (tmp_path / "mapping.toml").write_text(mapping)
    return import_lot(
        tmp_path / "export", read_mapping(tmp_path / "mapping.toml"), tmp_path / "lot", leave_out=leave_out
    )


def truth(tmp_path: Path) -> dict[str, str]:
    """joint -> class, as written."""
    return {joint: row.truth for (_, joint), row in read_truth(tmp_path / "lot").items()}


def board(folder: Path, pins: int = 3, slices: tuple[int, ...] = (0, 1)) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in slices:
        picture(folder / f"10{number:02d}.png")
    rows = [f"J1,{pin},10,{5 + 30 * pin},10,{30 + 30 * pin},40" for pin in range(pins)]
    (folder / "rois.csv").write_text("\n".join(["designator,pin,view,xmin,ymin,xmax,ymax", *rows]) + "\n")


def indicted(pin: int, *statuses: str, call: str = "Void", pins: tuple[str, ...] = ()) -> str:
    actions = "".join(f'<RepairActionXML repairStatus="{status}"/>' for status in statuses)
    inside = "".join(f'<PinXML repairStatus="{status}"/>' for status in pins)
    return (
        f'<TestXML><IndictmentXML indictmentType="{call}">{actions}<ComponentXML designator="J1" pin="{pin}">{inside}'
        "</ComponentXML></IndictmentXML></TestXML>"
    )


def result(folder: Path, *indictments: str, serial: str = "S1", name: str = "r.xml") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    head = f'<BoardTestXMLExport testTime="2026-01-05T06:00:00"><BoardXML serialNumber="{serial}" boardType="MB"/>'
    (folder / name).write_text(f"{head}{''.join(indictments)}</BoardTestXMLExport>")


def unit(*defects: object, serial: object = "S1") -> dict[str, object]:
    return {"UnitIdentifier": serial, "Inspections": [{"DefectsFound": list(defects)}]}


def defect(pin: int, state: object = "DefectConfirmed") -> dict[str, object]:
    return {"DefectCode": "Void", "ComponentOfInterest": {"ReferenceDesignator": f"J1.{pin}"}, "Verification": state}


def cfx(folder: Path, *units: object) -> None:
    board(folder)
    (folder / "u.JSON").write_text(json.dumps({"MessageBody": {"InspectedUnits": list(units)}}))
