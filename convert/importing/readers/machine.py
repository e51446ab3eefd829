"""What a machine and its repair station export of a board: V810 result XML, or UnitsInspected messages of IPC-CFX.

Neither says where joints lie in which picture: ``rois.csv`` beside it does, as for jobs. Pictures lie there, too, named
``<view><two digits>``, or in the folder that a result XML calls ``dataFolderName``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Mapping as Table
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from convert.importing.found import Corners, Finding, Found, Page, Problem, job_named
from convert.importing.mapping import Mapping
from convert.importing.pictures import files_with, gapless
from edge.files import as_utf8, read_plain
from edge.jobs.export_xml import Indictment, export_of
from edge.jobs.repairs import read_repairs
from edge.jobs.result_xml import ROIS, place, places_in, read_result_xml
from edge.jobs.vendors import JobDefaults, Joints, document

_UNITS, _BODY = "InspectedUnits", "MessageBody"


def read_results(source: Path, mapping: Mapping) -> Iterator[Finding]:
    """Every result XML in a folder or below it, with what the repair station said of its joints."""
    root, boards = source.parent if source.is_file() else source, _OneEach()
    for path in files_with(source, ".xml"):
        where = path.relative_to(root).as_posix()
        try:
            yield from boards.checked(_of_result(path, where, root, mapping), where)
        except OSError as error:
            yield Problem(where, f"not readable ({error.strerror}); export it again")


def _of_result(path: Path, where: str, root: Path, mapping: Mapping) -> Iterator[Finding]:
    raw = read_plain(path)
    export, _ = export_of(raw)
    folder = _pictures(path.parent, export.data_folder, root, mapping)
    names = [entry.name for entry in folder.iterdir()]
    reading = read_result_xml(raw, _rois(path.parent, folder), names, _defaults(mapping))
    repairs = read_repairs(raw)
    said = [_Word(repair.joint, repair.status, repair.call) for repair in repairs.repairs]
    if reading.problem:
        yield Problem(where, f"{reading.problem}{_all_of(said)}")
        return
    if repairs.miscounted:
        yield Problem(where, repairs.miscounted)
    yield from _joints(reading.document, where, folder, said, mapping)


def read_cfx(source: Path, mapping: Mapping) -> Iterator[Finding]:
    """Every JSON in a folder or below it that holds a UnitsInspected message, alone or in its envelope."""
    root, boards = source.parent if source.is_file() else source, _OneEach()
    for path in files_with(source, ".json"):
        where = path.relative_to(root).as_posix()
        try:
            message = msgspec.json.decode(as_utf8(read_plain(path)))
            units = units_of(message)
            if not units:
                yield Problem(
                    where, f"no UnitsInspected message ({_UNITS} is missing); export that one, or move it away"
                )
            for unit in units:
                told = _of_unit(unit, _text(message, "TimeStamp"), path.parent, where, root, mapping)
                yield from boards.checked(told, where)
        except OSError as error:
            yield Problem(where, f"not readable ({error.strerror}); export it again")
        except (ValueError, RecursionError) as error:
            yield Problem(where, f"cannot be read ({error}); export it again")


class _OneEach:
    """Each board has pictures of its own: no two may lie in one folder."""

    def __init__(self) -> None:
        self._board_of = dict[Path, str]()

    def checked(self, findings: Iterable[Finding], where: str) -> Iterator[Finding]:
        for finding in findings:
            if isinstance(finding, Found):
                folder = finding.slices[0].path.parent
                first = self._board_of.setdefault(folder, finding.job)
                if first != finding.job:
                    said = f"boards {first} and {finding.job} have their pictures in one folder"
                    yield Problem(where, f"{said}; export a folder for each", grave=True)
                    return
            yield finding


class _Word(NamedTuple):
    """What somebody said of an indicted joint."""

    joint: str
    status: str
    call: str


def _all_of(said: Sequence[_Word]) -> str:
    joints = len({word.joint for word in said})
    return f"; with it all {joints} joints of the board are missing" if joints else ""


def units_of(message: Any) -> list[dict[str, Any]]:
    """The inspected units of a message; none where it is another kind of document. Raises ValueError."""
    body = message.get(_BODY, message) if isinstance(message, dict) else {}
    return _dicts(body, _UNITS) if isinstance(body, dict) else []


def _of_unit(
    unit: dict[str, Any], sent: str, folder: Path, where: str, root: Path, mapping: Mapping
) -> Iterator[Finding]:
    """Raises ValueError for what no UnitsInspected says."""
    serial = _text(unit, "UnitIdentifier")
    if not serial:
        yield Problem(where, "UnitIdentifier: missing; export the board's serial number")
        return
    pictures = _pictures(folder, "", root, mapping)
    joints, known, said = Joints(_defaults(mapping)), dict[tuple[str, str], dict[str, Any]](), list[_Word]()
    places, time = places_in(_rois(folder, pictures), joints), sent
    for inspection in _dicts(unit, "Inspections"):
        time = _text(inspection, "InspectionStartTime") or time
        for defect in _dicts(inspection, "DefectsFound"):
            refdes, pin = _named(defect, places)
            call = _text(defect, "DefectCode") or _text(defect, "Description")
            if (refdes, pin) not in known:
                joint = known[refdes, pin] = joints.add(refdes, pin, "", call, name=f"defect {len(known) + 1}")
                place(Indictment(0, {"designator": refdes, "pin": pin}, {}), joint, joints, places)
            state = _text(defect, "Verification") or _text(inspection, "Verification")
            said.append(_Word(known[refdes, pin]["id"], state, call))
    names = [entry.name for entry in pictures.iterdir()]
    board = {"serial": serial, "type": ""}
    read = document(job_named(serial, time), time, board, joints, names, _defaults(mapping))
    if joints.problems:
        yield Problem(f"{where}: unit {serial}", f"{joints.problems[0]}{_all_of(said)}")
        return
    yield from _joints(read, where, pictures, said, mapping)


def _named(defect: dict[str, Any], places: Table[tuple[str, str], Any]) -> tuple[str, str]:
    """Designator and pin: CFX writes "U34.1" or "U34". Raises ValueError where it names none."""
    interest = defect.get("ComponentOfInterest")
    name = _text(interest, "ReferenceDesignator") if isinstance(interest, dict) else ""
    if not name:
        raise ValueError("a defect without ComponentOfInterest ReferenceDesignator")
    refdes, _, pin = name.rpartition(".")
    return (refdes, pin) if refdes and (name, "") not in places else (name, "")


def _joints(
    read: dict[str, Any], where: str, folder: Path, said: Sequence[_Word], mapping: Mapping
) -> Iterator[Finding]:
    """What was said of each joint of a document of ours."""
    for view in read["views"]:
        gap = gapless([part["index"] for part in view["slices"]], view["id"])
        if gap:
            yield Problem(where, f"{gap}{_all_of(said)}")
            return
    views = {
        view["id"]: tuple(Page(folder / part["file"]) for part in sorted(view["slices"], key=lambda one: one["index"]))
        for view in read["views"]
    }
    joints, named = {joint["id"]: joint for joint in read["joints"]}, set[str]()
    for number, word in enumerate(said, 1):
        joint = joints[word.joint]
        yield Found(
            where=f"{where}: {word.joint}, entry {number}",
            job=read["job_id"],
            serial=read["board"]["serial"],
            board_type=read["board"]["type"] or mapping.source.board_type,
            time=read["created"],
            view=joint["view"],
            slices=views[joint["view"]],
            joint=word.joint,
            joint_type=joint["type"],
            box=Corners(*joint["roi"]),
            label=word.status,
            call=word.call,
            again=word.joint in named,
        )
        named.add(word.joint)


def _pictures(folder: Path, named: str, root: Path, mapping: Mapping) -> Path:
    """Where pictures lie: where the mapping says, from the board's folder or the export's; in the folder that the
    export names; or beside it.
    """
    asked, last = mapping.source.images, named.replace("\\", "/").rstrip("/").rpartition("/")[2]
    places = [folder / asked, root / asked] if asked else []
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
    """Raises ValueError where it is neither text nor a whole number."""
    found = document.get(key) if isinstance(document, dict) else None
    if found is None:
        return ""
    if isinstance(found, bool) or not isinstance(found, str | int):
        raise ValueError(f"{key} is no text")  # noqa: TRY004 - of a file, not of an argument
    return str(found).strip()


def _dicts(document: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """Raises ValueError for what is no list of objects."""
    found = document.get(key)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ValueError(f"{key} is no list of objects")
    return found
