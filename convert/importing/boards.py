"""Joints as they were found, gathered board by board: what stands there twice, or against itself, is said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from convert.importing.classes import Classes, Outside
from convert.importing.found import Finding, Found, Page, Problem
from edge.core.card import NORMAL


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


def gather(findings: Iterable[Finding], classes: Classes) -> Gathered:
    """Every board that an export tells of. Joints without a class belong to none."""
    jobs, types = dict[str, dict[str, Joint]](), dict[str, Found]()
    problems, outside, twofold = list[Problem](), dict[Outside, int](), set[tuple[str, str]]()
    for finding in findings:
        if isinstance(finding, Problem):
            problems.append(finding)
            continue
        name = classes.of(finding)
        if isinstance(name, Outside):
            outside[name] = outside.get(name, 0) + 1
            continue
        first = types.setdefault(finding.serial, finding)
        if first.board_type != finding.board_type:
            if (finding.serial, finding.board_type) not in twofold:
                problems.append(_two_boards(first, finding))
            twofold.add((finding.serial, finding.board_type))
            continue
        problem = _add(jobs.setdefault(finding.job, {}), Joint(finding, name))
        if problem is not None:
            problems.append(problem)
    problems += classes.problems()
    boards = [_board(job, list(joints.values())) for job, joints in jobs.items()]
    for board in boards:
        problems += _two_views(board)
    return Gathered(boards, problems, outside)


def _two_boards(first: Found, other: Found) -> Problem:
    said = f"board {other.serial} is of type {other.board_type!r} here, and of {first.board_type!r} in {first.where}"
    return Problem(other.where, f"{said}; give each board a serial of its own")


def _add(joints: dict[str, Joint], joint: Joint) -> Problem | None:
    """What the export says of a joint again counts where it is graver."""
    found, before = joint.found, joints.get(joint.found.joint)
    if before is None:
        joints[found.joint] = joint
        return None
    if not found.again:
        where, board = before.found.where, found.serial
        remedy = "keep one of the rows, or tell boards apart by serial or time"
        return Problem(
            found.where, f"joint {found.joint} of board {board} stands there twice, first in {where}; {remedy}"
        )
    if joint.name != before.name:
        graver, other = (joint, before) if before.name == NORMAL else (before, joint)
        joints[found.joint] = graver._replace(against=f"{other.name} ({other.found.where})")
    return None


def _board(job: str, joints: Sequence[Joint]) -> Board:
    first = joints[0].found
    return Board(job, first.serial, first.board_type, first.time, tuple(joints))


def _two_views(board: Board) -> Iterator[Problem]:
    """A view of one name that has two sets of pictures."""
    views = dict[str, Found]()
    for joint in board.joints:
        found = joint.found
        seen = views.setdefault(found.view, found)
        if seen.slices != found.slices:
            said = f"view {found.view} of board {board.serial} has other pictures here than in {seen.where}"
            yield Problem(found.where, f"{said}; give each view a name of its own")
            return
