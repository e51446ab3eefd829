"""A table of joints, ``joints.csv``, one row a joint and image, as in the data sets of the seeds' lineage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edge.jobs.tables import Row, Table, read_table
from edge.jobs.vendors import CORNERS, JobDefaults, Joints, Reading, document, first_of, one_board, view_of

TABLE = "joints.csv"
_SHORT = "fewer cells than columns; leave what is not known empty"
_NEEDED = ("component", "defect_type", "image", *CORNERS)


def read_joint_table(table: bytes, name: str, files: Sequence[str], defaults: JobDefaults) -> Reading:
    """A table of joints in a folder called ``name``; ``files``: the names in the folder.

    Rows of one component, pin and box are one joint, seen in several slices. A row that cannot be read rightly is
    still a joint with a name, if only that of its line.
    """
    read = read_table(table, _NEEDED)
    joints = Joints(defaults)
    if read.doubt:
        joints.problems.append(read.doubt)
    rows = list(read.rows)
    known: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in rows:
        _read_row(row, joints, known, trusted=not read.problem)
    said = [row.cells for row in rows]
    joints.problems += _one_serial([cells.get("serial", "") for cells in said])
    joints.problems += one_board((cells.get("board_type", "") for cells in said), "board_type")
    board = {"serial": _first(said, "serial") or name, "type": _first(said, "board_type")}
    named = {cells["image"] for cells in said if cells.get("image")}  # also what is not there: it must be seen to be
    told = document(name, "", board, joints, {*files, *named}, defaults)
    return Reading(told, first_of(joints.problems), _unread(read, rows))


def _first(rows: Sequence[Mapping[str, str]], column: str) -> str:
    return next((cells[column] for cells in rows if cells.get(column)), "")


def _unread(read: Table, rows: Sequence[Row]) -> str:
    """A row that cannot be read may be two, a short one the last of a table that was cut, and a wrong first row a
    joint's. No row at all: a board without joints.
    """
    if read.doubt:
        return read.doubt
    return next((f"line {row.line}: {row.problem or _SHORT}" for row in rows if row.problem or row.short), "")


def _one_serial(said: Sequence[str]) -> list[str]:
    """Rows without a serial beside others that have one: of which board are they?"""
    if any(said) and not all(said):
        return ["serial: empty in some rows; name the board in every row, or in none"]
    return one_board(said, "serial")


def _read_row(row: Row, joints: Joints, known: dict[tuple[str, ...], dict[str, Any]], *, trusted: bool) -> None:
    cells = row.cells
    component, pin, image = cells.get("component", ""), cells.get("pin", ""), cells.get("image", "")
    kind, call = cells.get("type", ""), cells.get("defect_type", "")
    view = view_of(image)
    key = (component, pin, view or image, *(cells.get(corner, "") for corner in CORNERS))
    good = trusted and not row.problem and not row.short and component
    if good and key in known:
        joints.also(known[key], kind, call, f"line {row.line}")
        return
    joint = joints.add(component, pin, kind, call, name=f"line {row.line}")
    problem = row.problem or (_SHORT if row.short else "")
    if problem:
        joints.problems.append(f"line {row.line}: {problem}")
    elif not trusted:
        return
    elif not component:
        joints.problems.append(f"line {row.line}: component: empty; name what the joint belongs to")
    elif view is None:
        joints.problems.append(
            f"line {row.line}: image: {image!r} is not <view><two-digit slice>.<extension>; rename it"
        )
    else:
        known[key] = joint
        joints.place(joint, view, cells, f"line {row.line}")
