"""Joints as they were found, gathered board by board: what stands there twice, or against itself, is said.

A joint that something is wrong with belongs to no board, and neither does the one that it contradicts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from convert.importing.classes import Classes, Outside
from convert.importing.found import Finding, Found, Page, Problem
from convert.importing.mapping import moment
from edge.core.card import NORMAL
from edge.core.clocks import is_moment
from edge.core.job import MAX_SLICES, printable

_LONGEST = 256
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_TEXTS = ("job", "serial", "board_type", "time", "view", "joint", "joint_type", "label", "call")
_DAYS = tuple(
    mark.join(parts)
    for year in ("%Y", "%y")
    for parts in (("%d", "%m", year), ("%m", "%d", year), (year, "%m", "%d"))
    for mark in "./-"
)
_WAYS = (
    *(
        f"{day}{clock}"
        for day in _DAYS
        for clock in ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %H:%M:%S,%f", " %I:%M %p", " %I:%M:%S %p")
    ),
    *("%Y%m%d%H%M%S", "%Y%m%d_%H%M%S", "%Y%m%d%H%M", "%y%m%d%H%M%S"),
)
_NEEDED = ("serial", "view", "joint", "joint_type")


class Joint(NamedTuple):
    """``name``: its class. ``against``: where a reviewer said otherwise."""

    found: Found
    name: str
    against: str = ""


class Board(NamedTuple):
    """What was inspected at once."""

    job: str
    serial: str
    board_type: str
    time: str
    joints: tuple[Joint, ...]

    @property
    def views(self) -> dict[str, tuple[Page, ...]]:
        return {joint.found.view: joint.found.slices for joint in self.joints}


class Gathered(NamedTuple):
    """``outside``: how many joints have no class, by why."""

    boards: list[Board]
    problems: list[Problem]
    outside: dict[Outside, int]


def gather(findings: Iterable[Finding], classes: Classes, times: str = "") -> Gathered:
    """Every board that an export tells of. Joints without a class belong to none. ``times``: how the mapping says that
    they are written.
    """
    gathering = _Gathering(classes)
    for finding in findings:
        tidied = _tidied(finding, times) if isinstance(finding, Found) else finding
        if isinstance(tidied, Problem):
            gathering.problems.append(tidied)
            if tidied.label is not None:
                classes.called(tidied.label, tidied.where)
        else:
            gathering.add(tidied)
    return gathering.done()


def _tidied(found: Found, times: str) -> Found | Problem:
    """As a manifest and a table can say it; or what keeps it from that."""
    tidied = _as_said(found, times)
    return tidied._replace(label=found.label) if isinstance(tidied, Problem) else tidied


def _as_said(found: Found, times: str) -> Found | Problem:
    texts = {name: printable(getattr(found, name)).strip() for name in _TEXTS}
    where = printable(found.where)
    for name, text in texts.items():
        if _CONTROLS.search(text):
            return Problem(where, f"{name} {text[:40]!r}: a line break or the like in it; export it without")
        if len(text) > _LONGEST:
            return Problem(where, f"{name} {text[:40]!r}...: longer than {_LONGEST} characters; shorten it")
        if name in _NEEDED and not text:
            return Problem(where, f"{name}: empty; every joint has one")
    if texts["time"] and found.image is None and not is_moment(texts["time"]):
        neither = f"neither ISO 8601 nor as [source] times = {times!r}" if times else "not ISO 8601"
        return Problem(where, f"time {texts['time']!r} is {neither}; {_how_written(texts['time'])}")
    if len(found.slices) > MAX_SLICES:
        return Problem(where, f"view {found.view} has {len(found.slices)} slices; {MAX_SLICES} are the most")
    return Found(**{**found._asdict(), **texts, "where": where})


def _how_written(time: str) -> str:
    """The remedy, with the ways of writing that this one fits."""
    fit = [way for way in _WAYS if moment(time, way)]
    if not fit:
        return "write it as 2026-01-06T08:00:00, or say in the mapping how it is written: [source] times"
    several = ", whichever it is" if len(fit) > 1 else ""
    return f"say in the mapping how it is written: [source] times = {' or '.join(map(json.dumps, fit))}{several}"


_Key = tuple[str, str]
"""A job, and a joint of it."""


class _Gathering:
    """What was found so far."""

    def __init__(self, classes: Classes) -> None:
        self.problems = list[Problem]()
        self._classes = classes
        self._joints = dict[_Key, Joint]()
        self._wrong, self._open = set[_Key](), set[_Key]()
        self._outside = dict[Outside, int]()
        self._boards, self._types = dict[str, Found](), dict[str, Found]()
        self._boxes = dict[object, Found]()

    def add(self, found: Found) -> None:
        name, key = self._classes.of(found), (found.job, found.joint)
        if isinstance(name, Outside):
            self._outside[name] = self._outside.get(name, 0) + 1
            if name is Outside.OPEN:
                self._open.add(key)
            return
        problem = self._wrong_board(found) or (None if found.again else self._said_before(found))
        if problem is not None:
            self.problems.append(problem)
            self._wrong.add(key)
            return
        before = self._joints.get(key)
        self._joints[key] = Joint(found, name) if before is None else _graver(before, Joint(found, name))

    def _wrong_board(self, found: Found) -> Problem | None:
        """Another board has the serial or the job's name."""
        first = self._types.setdefault(found.serial, found)
        if first.board_type != found.board_type:
            said = f"board {found.serial} is of type {found.board_type!r} here, and of {first.board_type!r} in "
            return Problem(found.where, said + f"{first.where}; give each board a serial of its own")
        first = self._boards.setdefault(found.job, found)
        if (first.serial, first.time) != (found.serial, found.time):
            said = f"boards {first.serial!r} ({first.where}) and {found.serial!r} would both be called {found.job}"
            return Problem(found.where, f"{said}; write serial or time otherwise")
        return None

    def _said_before(self, found: Found) -> Problem | None:
        """Its name, or its very box, stands there already."""
        key = found.job, found.joint
        if key in self._joints:
            self._wrong.add(key)
            first, remedy = self._joints[key].found, "keep one of the rows, or tell boards apart by serial or time"
            said = f"joint {found.joint} of board {found.serial} stands there twice, first in {first.where}"
            return Problem(found.where, f"{said}; {remedy}")
        first = self._boxes.setdefault((found.slices, found.box, found.job), found)
        if found.box is not None and first is not found:
            self._wrong.add((first.job, first.joint))
            said = f"joints {first.joint} ({first.where}) and {found.joint} are one box on one picture"
            return Problem(found.where, f"{said}; keep one row for each joint, of several slices, too")
        return None

    def done(self) -> Gathered:
        """Of a joint that somebody has not looked at yet only a defect is known for sure."""
        jobs = dict[str, list[Joint]]()
        for key, joint in self._joints.items():
            if key in self._wrong or (key in self._open and joint.name == NORMAL):
                continue
            jobs.setdefault(key[0], []).append(joint)
        self.problems += self._classes.problems()
        boards = list[Board]()
        for job, joints in jobs.items():
            twofold = _two_views(joints)
            self.problems += twofold.values()
            kept = tuple(joint for joint in joints if joint.found.view not in twofold)
            if kept:
                first = kept[0].found
                boards.append(Board(job, first.serial, first.board_type, first.time, kept))
        return Gathered(boards, self.problems, self._outside)


def _graver(before: Joint, joint: Joint) -> Joint:
    """What two people said of a joint: a defect counts more than none, and one with a name more than one without."""
    if joint.name == before.name:
        return before
    first, second = sorted((before, joint), key=lambda one: (one.name != NORMAL, one.name != "defect"), reverse=True)
    return first._replace(against=f"{second.name} ({second.found.where})")


def _two_views(joints: Sequence[Joint]) -> dict[str, Problem]:
    """Views of one name that have two sets of pictures, by name."""
    views, problems = dict[str, Found](), dict[str, Problem]()
    for joint in joints:
        found = joint.found
        seen = views.setdefault(found.view, found)
        if seen.slices != found.slices:
            text = f"view {found.view} of board {found.serial} has other pictures here than in {seen.where}"
            problems.setdefault(found.view, Problem(found.where, f"{text}; give each view a name of its own"))
    return problems
