"""A result XML as ViTrox' V810 exports it (``BoardTestXMLExport``): it names what the machine indicts, but not where
it lies, which a side file ``rois.csv`` says: our own addition.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from edge.jobs.export_xml import Export, Indictment, export_of
from edge.jobs.tables import read_table
from edge.jobs.vendors import CORNERS, JobDefaults, Joints, Reading, document, first_of, joined

ROIS = "rois.csv"


def read_result_xml(xml: bytes, rois: bytes | None, files: Sequence[str], defaults: JobDefaults) -> Reading:
    """A result XML with its side file of ROIs; ``files``: the names in the folder."""
    export, problem = export_of(xml)
    joints = Joints(defaults)
    joints.problems += [problem] if problem else list(export.wrong())
    places = places_in(rois, joints) if export.indictments else {}
    for indictment, joint, new in named(export, joints):
        if new:
            place(indictment, joint, joints, places)
    unread = problem or export.unread(len(joints.by_id))
    if unread:
        joints.problems.append(unread)
    told = document(
        export.job_id,
        export.created,
        {"serial": export.serial, "type": export.board.get("boardtype", "")},
        joints,
        files,
        defaults,
    )
    told["station"] = {"name": export.station.get("testername", "")}
    return Reading(told, first_of(joints.problems), unread)


def named(export: Export, joints: Joints) -> Iterator[tuple[Indictment, dict[str, Any], bool]]:
    """Every indictment, the joint that it is about, and whether that was not named before."""
    known: dict[tuple[int, str, str], dict[str, Any]] = {}
    for said in export.indictments:
        key = said.board, said.refdes, said.pin
        if said.refdes and said.pin and key in known:  # without pins a component's joints cannot be told apart
            joints.also(known[key], said.kind, said.call, "IndictmentXML")
            yield said, known[key], False
            continue
        joint = joints.add(said.refdes, said.pin, said.kind, said.call, name=f"indictment {len(joints.by_id) + 1}")
        known[key if said.refdes else (said.board, joint["id"], "")] = joint
        yield said, joint, True


def place(
    said: Indictment, joint: dict[str, Any], joints: Joints, places: Mapping[tuple[str, str], Mapping[str, str]]
) -> None:
    """Write into the joint where the side file says that it lies."""
    row = places.get((said.refdes, said.pin))
    if not said.refdes:
        joints.problems.append("ComponentXML designator: missing; export what the joint belongs to")
    elif row is None:
        joints.problems.append(f"{ROIS}: no row for {joint['id']}; export the box of every joint that is indicted")
    else:
        joints.place(joint, row["view"], row, ROIS)


def places_in(rois: bytes | None, joints: Joints) -> dict[tuple[str, str], Mapping[str, str]]:
    """Of the side file: (designator, pin) -> the row that says where it lies."""
    if rois is None:
        remedy = "a result XML does not say where its joints lie, export their boxes beside it"
        joints.problems.append(f"{ROIS}: missing; {remedy}")
        return {}
    table = read_table(rois, ("designator", "pin", "view", *CORNERS))
    if table.doubt:
        joints.problems.append(f"{ROIS}: {table.doubt}")
        return {}
    places: dict[tuple[str, str], Mapping[str, str]] = {}
    for row in table.rows:
        pin = row.cells["designator"], row.cells["pin"]
        if row.problem:
            joints.problems.append(f"{ROIS}: line {row.line}: {row.problem}")
        elif places.setdefault(pin, row.cells) != row.cells:
            joints.problems.append(f"{ROIS}: {joined(*pin)} has two boxes; export one for every joint")
    return places
