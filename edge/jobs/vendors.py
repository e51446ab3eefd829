"""Jobs as machines hand them over in words of their own, as a document of contract axi-job/1: what all kinds share.

Slices are files named ``<view><two-digit slice>.<extension>``. Whatever is wrong is said in ``problem``, and the
document still names every joint that could be made out, so that none is lost with a refused job.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from edge.core.job import COORDINATE_LIMIT_PX, SCHEMA

UNSAID = "unknown"
"""The type of a joint that neither the job nor the configuration names: no bundle judges it."""
CORNERS = ("xmin", "ymin", "xmax", "ymax")
_SLICE_FILE = re.compile(r"(?P<view>.+?)(?P<slice>\d{2})\.(?:png|jpe?g|tiff?|bmp)", re.IGNORECASE)
_WHOLE = re.compile(r"[+-]?[0-9]{1,9}")
_LONGEST_CALL = 256
_SHOWN = 3


class JobDefaults(NamedTuple):
    """What these formats leave open, from the configuration: type of joint, and which way grey values run."""

    joint_type: str = ""
    polarity: str = "solder_dark"


class Reading(NamedTuple):
    """What a job folder says, as a document of ours.

    ``problem`` is empty, or says which file and what in it keeps the job from being judged. ``unread``: why joints may
    be missing from the document; empty where all that was sent is named.
    """

    document: dict[str, Any]
    problem: str
    unread: str = ""


class Joints:
    """Joints in the making, each under a name of its own, and what is wrong with them."""

    def __init__(self, defaults: JobDefaults) -> None:
        self.by_id: dict[str, dict[str, Any]] = {}
        self.problems: list[str] = []
        self._defaults = defaults
        self._numbers: dict[str, int] = {}

    def add(self, refdes: str, pin: str, kind: str, call: str, *, name: str = "") -> dict[str, Any]:
        """A joint without a place. ``name``: where designator and pin give none."""
        joint_id = self._unused(joined(refdes, pin) or name)
        joint = {
            "id": joint_id,
            "refdes": refdes,
            "pin": pin,
            "type": kind or self._defaults.joint_type or UNSAID,
            "view": "",
        }
        self.by_id[joint_id] = joint | ({"machine_call": {"name": call}} if call else {})
        return self.by_id[joint_id]

    def _unused(self, name: str) -> str:
        """Joints of one component that have no pin numbers are told apart by their order."""
        candidate, number = name, self._numbers.get(name, 1)
        while candidate in self.by_id:
            number += 1
            candidate = f"{name}#{number}"
        self._numbers[name] = number
        return candidate

    def also(self, joint: dict[str, Any], kind: str, call: str, where: str) -> None:
        """The machine says something of the joint again: calls are gathered, and types must agree."""
        before = joint.get("machine_call", {}).get("name", "")
        if call and call not in before.split(", "):
            joint["machine_call"] = {"name": f"{before}, {call}".strip(", ")[:_LONGEST_CALL]}
        if (kind or self._defaults.joint_type or UNSAID) != joint["type"]:
            self.problems.append(f"{where}: {joint['id']} is of two types, {joint['type']} and {kind}; export one")

    def place(self, joint: dict[str, Any], view: str, row: Mapping[str, str], where: str) -> None:
        """Write view and box into the joint; what is wrong with the box is kept."""
        joint["view"] = view
        corners = [row.get(corner, "") for corner in CORNERS]
        said = f"{where}: box of {joint['id']}: ({', '.join(corners)})"
        if not all(_WHOLE.fullmatch(corner) for corner in corners):
            self.problems.append(f"{said} are not whole numbers of pixels; export pixels")
            return
        box = [int(corner) for corner in corners]
        if box[0] >= box[2] or box[1] >= box[3]:
            self.problems.append(f"{said} is empty; export xmin below xmax and ymin below ymax")
        elif max(map(abs, box)) > COORDINATE_LIMIT_PX:
            self.problems.append(f"{said} lies too far out; export pixels of the picture")
        else:
            joint["roi"] = box


def document(
    job_id: str,
    created: str,
    board: dict[str, str],
    joints: Joints,
    files: Iterable[str],
    defaults: JobDefaults,
) -> dict[str, Any]:
    """The document; a view without pictures, or with two of one slice, is added to the problems."""
    views: dict[str, dict[int, str]] = {joint["view"]: {} for joint in joints.by_id.values() if joint["view"]}
    for view, index, name in _slices(files):
        if view in views and views[view].setdefault(index, name) != name:
            joints.problems.append(f"{views[view][index]} and {name} are the same slice; keep one of them")
    for view, slices in views.items():
        if not slices:
            joints.problems.append(f"view {view}: no picture is named {view}00.png or so; export its slices")
    return {
        "schema": SCHEMA,
        "job_id": job_id,
        "created": created,
        "board": board,
        "image": {"polarity": defaults.polarity},
        "views": [
            {"id": view, "slices": [{"index": index, "file": name} for index, name in sorted(slices.items())]}
            for view, slices in views.items()
        ],
        "joints": list(joints.by_id.values()),
    }


def slice_of(file: str) -> tuple[str, int] | None:
    """View and number that a slice's file name says; None for another kind of name."""
    found = _SLICE_FILE.fullmatch(file)
    return (found["view"], int(found["slice"])) if found else None


def view_of(file: str) -> str | None:
    """The view that a slice's file name says; None for another kind of name."""
    found = slice_of(file)
    return found[0] if found else None


def one_board(serials: Iterable[str], where: str) -> list[str]:
    """What is wrong where more than one board is named: a verdict must not go to the wrong one."""
    named = list(dict.fromkeys(serial for serial in serials if serial))
    return [several_boards(named, where)] if len(named) > 1 else []


def several_boards(named: Sequence[str], where: str) -> str:
    """What is wrong with these boards in one job."""
    more = ", ..." if len(named) > _SHOWN else ""
    return f"{where}: boards {', '.join(named[:_SHOWN])}{more} in one job; export a folder for each"


def joined(refdes: str, pin: str) -> str:
    return f"{refdes}.{pin}" if pin else refdes


def _slices(files: Iterable[str]) -> Iterator[tuple[str, int, str]]:
    for name in sorted(files):
        found = slice_of(name)
        if found is not None:
            yield *found, name


def first_of(problems: Sequence[str]) -> str:
    return problems[0] if problems else ""
