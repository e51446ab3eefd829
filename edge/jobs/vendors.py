"""Jobs as machines hand them over in words of their own, as a document of contract axi-job/1.

Two kinds. A *result XML* as ViTrox' V810 exports it (``BoardTestXMLExport``), which names what the machine indicts but
not where it lies, with a side file ``rois.csv``. And a *table of joints*, ``joints.csv``, one row a joint and image, as
in the data sets of the seeds' lineage. In both, slices are files named ``<view><two-digit slice>.<extension>``.

Element and attribute names of the XML follow public programs that read such exports; the side file is our own addition.
Whatever is wrong is said in ``problem``, and the document still names every joint that could be made out, so that none
is lost with a refused job.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from xml.parsers import expat

from edge.core.job import SCHEMA
from edge.jobs.tables import TableError, read_rows

ROIS, TABLE = "rois.csv", "joints.csv"
UNSAID = "unknown"
"""The type of a joint that neither the job nor the configuration names: no bundle judges it."""
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_SLICE_FILE = re.compile(r"(?P<view>.+?)(?P<slice>\d{2})\.(?:png|jpe?g|tiff?|bmp)", re.IGNORECASE)
_DEEPEST = 64


class JobDefaults(NamedTuple):
    """What these formats leave open, from the configuration: type of joint, and which way grey values run."""

    joint_type: str = ""
    polarity: str = "solder_dark"


class Reading(NamedTuple):
    """What a job folder says, as a document of ours.

    ``problem`` is empty, or says which file and what in it keeps the job from being judged.
    """

    document: dict[str, Any]
    problem: str


class _FormatError(ValueError):
    """A problem in plain words."""


def read_result_xml(xml: bytes, rois: bytes | None, files: Sequence[str], defaults: JobDefaults) -> Reading:
    """A result XML with its side file of ROIs; ``files``: the names in the folder."""
    export = _Export()
    problems: list[str] = []
    try:
        export.read(xml)
    except _FormatError as error:
        problems.append(str(error))
    places, wrong = _places(rois) if export.indictments else ({}, [])
    problems += [f"{ROIS}: {problem}" for problem in wrong]
    known: dict[tuple[str, str], str] = {}
    joints: dict[str, dict[str, Any]] = {}
    for indictment in export.indictments:
        pin = indictment["designator"], indictment["pin"]
        if pin in known:
            continue
        name = known[pin] = _unused(_joined(*pin), joints)
        joints[name] = _joint(name, *pin, indictment["jointType"] or defaults.joint_type, indictment["call"])
        place = places.get(pin)
        if place is None:
            problems.append(f"{ROIS}: no row for {name}; export the box of every joint that is indicted")
            continue
        problems += [f"{ROIS}: {problem}" for problem in _placed(joints[name], place["view"], place)]
    board, station = export.board, export.station
    serial, created = board.get("serialNumber", ""), export.root.get("testTime", "")
    document = _document(
        f"{serial}_{created}" if serial and created else "",
        created,
        {"serial": serial, "type": board.get("boardType", "")},
        joints,
        files,
        defaults,
    )
    document["station"] = {"name": station.get("testerName", "")}
    return Reading(document, problems[0] if problems else "")


def _places(rois: bytes | None) -> tuple[dict[tuple[str, str], Mapping[str, str]], list[str]]:
    """(designator, pin) -> the row that says where it lies; and what is wrong with the side file."""
    places: dict[tuple[str, str], Mapping[str, str]] = {}
    if rois is None:
        return places, ["missing; a result XML does not say where its joints lie, export their boxes beside it"]
    problems = []
    try:
        for row in _rows(rois, ("designator", "pin", "view", *_CORNERS)):
            pin = row["designator"], row["pin"]
            if places.setdefault(pin, row) != row:
                problems.append(f"{_joined(*pin)} has two boxes; export one for every joint")
    except _FormatError as error:
        problems.append(str(error))
    return places, problems


def read_joint_table(table: bytes, name: str, files: Sequence[str], defaults: JobDefaults) -> Reading:
    """A table of joints in a folder called ``name``; ``files``: the names in the folder.

    Rows of one component, pin and box are one joint, seen in several slices.
    """
    problems: list[str] = []
    joints: dict[str, dict[str, Any]] = {}
    known: dict[tuple[str, ...], str] = {}
    first: Mapping[str, str] = {}
    named: set[str] = set()  # also what is not there: a slice that is missing must be seen to be
    try:
        for row in _rows(table, ("component", "defect_type", "image", *_CORNERS)):
            first = first or row
            named.add(row["image"])
            found = _SLICE_FILE.fullmatch(row["image"])
            view = found["view"] if found else row["image"]
            component, pin = row["component"], row.get("pin", "")
            box = (component, pin, view, *(row[corner] for corner in _CORNERS))
            if box in known:
                continue
            joint = known[box] = _unused(_joined(component, pin), joints)
            joints[joint] = _joint(
                joint, component, pin, row.get("type", "") or defaults.joint_type, row["defect_type"]
            )
            if found is None:
                problems.append(f"image: {row['image']!r} is not <view><two-digit slice>.<extension>; rename it")
            problems += _placed(joints[joint], view, row)
    except _FormatError as error:
        problems.append(str(error))
    board = {"serial": first.get("serial", "") or name, "type": first.get("board_type", "")}
    document = _document(name, "", board, joints, sorted({*files, *named}), defaults)
    return Reading(document, problems[0] if problems else "")


class _Export:
    """What a result XML says, gathered as it is read: a broken end does not lose what came before."""

    def __init__(self) -> None:
        self.root: dict[str, str] = {}
        self.board: dict[str, str] = {}
        self.station: dict[str, str] = {}
        self.indictments: list[dict[str, str]] = []
        self._open: list[str] = []
        self._indicted: dict[str, str] = {}
        self._named = True

    def read(self, xml: bytes) -> None:
        parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        try:
            parser.Parse(xml, True)  # noqa: FBT003 - expat's own signature
        except _FormatError:
            raise
        except (expat.ExpatError, ValueError, LookupError) as error:  # the latter two: an encoding expat cannot read
            raise _FormatError(f"not well-formed XML ({error}); export it again") from error
        if not self.board.get("serialNumber"):
            raise _FormatError("BoardXML serialNumber: missing; export the board's serial number")
        if not self.root.get("testTime"):  # else a board's second inspection would pass for its first
            raise _FormatError("BoardTestXMLExport testTime: missing; export when the board was inspected")

    def _refuse_doctype(self, *_: object) -> None:
        # Entities are how a small XML file grows without end, or reads other files.
        raise _FormatError("a document type declaration; export plain XML without one")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._open.append(name.rpartition(":")[2])
        if len(self._open) > _DEEPEST:
            raise _FormatError(f"nested deeper than {_DEEPEST}; this is no BoardTestXMLExport")
        match self._open[-1]:
            case "BoardTestXMLExport":
                self.root = attributes
            case "BoardXML":
                self.board = attributes
            case "StationXML":
                self.station = attributes
            case "IndictmentXML":
                self._indicted = attributes
                self._named = False
            case "ComponentXML" if "IndictmentXML" in self._open:
                self._named = True
                self.indictments.append(
                    {
                        "designator": attributes.get("designator", ""),
                        "pin": attributes.get("pin", ""),
                        "jointType": self._indicted.get("jointType", ""),
                        "call": self._indicted.get("indictmentType", ""),
                    }
                )

    def _end(self, _: str) -> None:
        if self._open.pop() == "IndictmentXML" and not self._named:
            raise _FormatError("an IndictmentXML without ComponentXML; export designator and pin of what is indicted")


def _rows(raw: bytes, columns: Sequence[str]) -> Iterator[dict[str, str]]:
    """Raises _FormatError at the first row that cannot be read."""
    try:
        for row in read_rows(raw, columns):
            yield row.cells
    except TableError as error:
        raise _FormatError(str(error)) from error


def _joint(name: str, refdes: str, pin: str, kind: str, call: str) -> dict[str, Any]:
    joint: dict[str, Any] = {"id": name, "refdes": refdes, "pin": pin, "type": kind or UNSAID, "view": ""}
    return joint | ({"machine_call": {"name": call}} if call else {})


def _placed(joint: dict[str, Any], view: str, row: Mapping[str, str]) -> list[str]:
    """Write view and box into the joint; what is wrong with them."""
    joint["view"] = view
    try:
        joint["roi"] = [int(row[corner]) for corner in _CORNERS]
    except ValueError:
        box = ", ".join(row[corner] for corner in _CORNERS)
        return [f"box of {joint['id']}: ({box}) are not whole numbers of pixels; export pixels"]
    return []


def _document(
    job_id: str,
    created: str,
    board: dict[str, str],
    joints: dict[str, dict[str, Any]],
    files: Sequence[str],
    defaults: JobDefaults,
) -> dict[str, Any]:
    views: dict[str, list[dict[str, Any]]] = {joint["view"]: [] for joint in joints.values() if joint["view"]}
    for name in sorted(files):
        found = _SLICE_FILE.fullmatch(name)
        if found and found["view"] in views:
            views[found["view"]].append({"index": int(found["slice"]), "file": name})
    return {
        "schema": SCHEMA,
        "job_id": job_id,
        "created": created,
        "board": board,
        "image": {"polarity": defaults.polarity},
        "views": [{"id": view, "slices": slices} for view, slices in views.items()],
        "joints": list(joints.values()),
    }


def _joined(refdes: str, pin: str) -> str:
    return f"{refdes}.{pin}" if pin else refdes


def _unused(name: str, taken: Mapping[str, object]) -> str:
    """Joints of one component that have no pin numbers are told apart by their order."""
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        candidate = f"{name}#{number}"
    return candidate
