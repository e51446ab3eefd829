"""What readers find, in whichever words an export says it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from convert.importing.mapping import Mapping
from edge.core.job import ImageFormat


class Corners(NamedTuple):
    """A box in pixels of its picture, half open: left, top, right, bottom."""

    xmin: float
    ymin: float
    xmax: float
    ymax: float


class Page(NamedTuple):
    """A picture: a file, and which picture of it where it holds several."""

    path: Path
    number: int | None = None


class Found(NamedTuple):
    """A joint as an export names it. ``where``: file and row, for what is wrong with it.

    ``job``: what is inspected at once, unique in the export; ``serial``, ``board_type``, ``time`` (ISO 8601 or empty):
    of its board. ``slices``: of its view, from the first up; ``box``: None where the whole picture is the joint.
    ``label``: as it is written; ``call``: what the machine held against it, which tells the kind of a confirmed defect.
    ``image``: how its pictures are stored, where the export says so. ``again``: the export named the joint before, and
    says more of it: the graver counts.
    """

    where: str
    job: str
    serial: str
    board_type: str
    time: str
    view: str
    slices: tuple[Page, ...]
    joint: str
    joint_type: str
    box: Corners | None
    label: str
    call: str = ""
    image: ImageFormat | None = None
    again: bool = False


def job_named(serial: str, time: str) -> str:
    """What a board's inspection is called: by its time, too, where that is known."""
    return f"{serial}_{time}" if time else serial


class Problem(NamedTuple):
    """``text``: what is wrong and what to do; ``where``: in which file and row. ``grave``: it says so much against all
    others that nobody can go on without what it is about. ``label``: of the joint that it is about, so that a label
    without a class is said at once with it.
    """

    where: str
    text: str
    grave: bool = False
    label: str | None = None

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"


Finding = Found | Problem


class Reader(Protocol):
    """The port that all kinds of export are read by. Nothing in a file makes it raise; a missing folder does
    (UsageError).
    """

    def __call__(self, source: Path, mapping: Mapping) -> Iterator[Finding]: ...
