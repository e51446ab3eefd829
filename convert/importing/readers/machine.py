"""What a machine and its repair station export of a board: V810 result XML, or UnitsInspected messages of IPC-CFX.

Neither says where joints lie in which picture: ``rois.csv`` beside it does, as for jobs. Pictures lie there, too, named
``<view><two digits>``, or in the folder that a result XML calls ``dataFolderName``.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as Table
from pathlib import Path
from typing import Any

import msgspec

from convert.importing.found import Corners, Finding, Found, Page, Problem
from convert.importing.mapping import Mapping
from edge.core.job import ImageFormat
from edge.files import as_utf8, read_plain
from edge.jobs.export_xml import Indictment, export_of
from edge.jobs.repairs import read_repairs
from edge.jobs.result_xml import ROIS, place, places_in, read_result_xml
from edge.jobs.vendors import JobDefaults, Joints, document

_UNITS, _BODY = "InspectedUnits", "MessageBody"


def read_results(source: Path, mapping: Mapping) -> Iterator[Finding]:
    """Every result XML in a folder or below it, with what the repair station said of its joints."""
    for path in [source] if source.is_file() else sorted(source.rglob("*.xml")):
        where = path.name if source.is_file() else path.relative_to(source).as_posix()
        try:
            yield from _of_result(path, where, mapping)
        except OSError as error:
            yield Problem(where, f"not readable ({error.strerror}); export it again")


def _of_result(path: Path, where: str, mapping: Mapping) -> Iterator[Finding]:
    raw = read_plain(path)
    export, _ = export_of(raw)
    folder = _pictures(path.parent, export.data_folder, mapping)
    names = [entry.name for entry in folder.iterdir()]
    reading = read_result_xml(raw, _rois(path.parent, folder), names, _defaults(mapping))
    if reading.problem:
        yield Problem(where, reading.problem)
        return
    said = read_repairs(raw).repairs
    yield from _joints(reading.document, where, folder, [(repair.joint, repair.status) for repair in said], mapping)


def read_cfx(source: Path, mapping: Mapping) -> Iterator[Finding]:
    """Every JSON in a folder or below it that holds a UnitsInspected message, alone or in its envelope."""
    for path in [source] if source.is_file() else sorted(source.rglob("*.json")):
        where = path.name if source.is_file() else path.relative_to(source).as_posix()
        try:
            message = msgspec.json.decode(as_utf8(read_plain(path)))
            units = units_of(message)
            if not units:
                yield Problem(
                    where, f"no UnitsInspected message ({_UNITS} is missing); export that one, or move it away"
                )
            for unit in units:
                yield from _of_unit(unit, _text(message, "TimeStamp"), path.parent, where, mapping)
        except OSError as error:
            yield Problem(where, f"not readable ({error.strerror}); export it again")
        except (ValueError, RecursionError) as error:
            yield Problem(where, f"no JSON ({error}); export it again")


def units_of(message: Any) -> list[dict[str, Any]]:
    """The inspected units of a message; none where it is another kind of document."""
    body = message.get(_BODY, message) if isinstance(message, dict) else {}
    units = body.get(_UNITS) if isinstance(body, dict) else None
    return [unit for unit in units if isinstance(unit, dict)] if isinstance(units, list) else []


def _of_unit(unit: dict[str, Any], sent: str, folder: Path, where: str, mapping: Mapping) -> Iterator[Finding]:
    serial = _text(unit, "UnitIdentifier")
    if not serial:
        yield Problem(where, "UnitIdentifier: missing; export the board's serial number")
        return
    pictures = _pictures(folder, "", mapping)
    joints, known, said = Joints(_defaults(mapping)), dict[tuple[str, str], dict[str, Any]](), list[tuple[str, str]]()
    places, time = places_in(_rois(folder, pictures), joints), sent
    for inspection in _dicts(unit, "Inspections"):
        time = _text(inspection, "InspectionStartTime") or time
        for defect in _dicts(inspection, "DefectsFound"):
            refdes, pin = _named(defect, places)
            call = _text(defect, "DefectCode") or _text(defect, "Description")
            indicted = Indictment(0, {"designator": refdes, "pin": pin}, {"indictmenttype": call})
            if (refdes, pin) in known:
                joints.also(known[refdes, pin], "", call, where)
            else:
                known[refdes, pin] = joints.add(refdes, pin, "", call, name=f"defect {len(known) + 1}")
                place(indicted, known[refdes, pin], joints, places)
            state = _text(defect, "Verification") or _text(inspection, "Verification")
            said.append((known[refdes, pin]["id"], state))
    names = [entry.name for entry in pictures.iterdir()]
    board = {"serial": serial, "type": ""}
    read = document(f"{serial}_{time}" if time else serial, time, board, joints, names, _defaults(mapping))
    if joints.problems:
        yield Problem(f"{where}: unit {serial}", joints.problems[0])
        return
    yield from _joints(read, where, pictures, said, mapping)


def _named(defect: dict[str, Any], places: Table[tuple[str, str], Any]) -> tuple[str, str]:
    """Designator and pin: CFX writes "U34.1" or "U34"."""
    interest = defect.get("ComponentOfInterest")
    name = _text(interest, "ReferenceDesignator") if isinstance(interest, dict) else ""
    refdes, _, pin = name.rpartition(".")
    return (refdes, pin) if refdes and (name, "") not in places else (name, "")


def _joints(
    read: dict[str, Any], where: str, folder: Path, said: list[tuple[str, str]], mapping: Mapping
) -> Iterator[Found]:
    """What was said of each joint of a document of ours."""
    views = {
        view["id"]: tuple(Page(folder / part["file"]) for part in sorted(view["slices"], key=lambda one: one["index"]))
        for view in read["views"]
    }
    joints, named = {joint["id"]: joint for joint in read["joints"]}, set[str]()
    for number, (name, state) in enumerate(said, 1):
        joint = joints[name]
        yield Found(
            where=f"{where}: {name}, entry {number}",
            job=read["job_id"],
            serial=read["board"]["serial"],
            board_type=read["board"]["type"] or mapping.source.board_type,
            time=read["created"],
            view=joint["view"],
            slices=views[joint["view"]],
            joint=name,
            joint_type=joint["type"],
            box=Corners(*joint["roi"]),
            label=state,
            call=joint.get("machine_call", {}).get("name", ""),
            image=ImageFormat(polarity=mapping.image.polarity) if mapping.image.window is None else None,
            again=name in named,
        )
        named.add(name)


def _pictures(folder: Path, named: str, mapping: Mapping) -> Path:
    """Where pictures lie: where the mapping says, in the folder that the export names, or beside it."""
    last = named.replace("\\", "/").rstrip("/").rpartition("/")[2]
    places = [folder / mapping.source.images] if mapping.source.images else []
    places += [folder / last, folder.parent / last] if last else []
    return next((place for place in places if place.is_dir()), folder)


def _rois(*folders: Path) -> bytes | None:
    for folder in folders:
        for path in folder.iterdir():
            if path.name.casefold() == ROIS:
                return read_plain(path)
    return None


def _defaults(mapping: Mapping) -> JobDefaults:
    return JobDefaults(mapping.source.joint_type, mapping.image.polarity)


def _text(document: Any, key: str) -> str:
    found = document.get(key, "") if isinstance(document, dict) else ""
    return found.strip() if isinstance(found, str) else ""


def _dicts(document: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = document.get(key)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
