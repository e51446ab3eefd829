"""An import: everything an export says is read and checked; a lot is written when nothing is wrong, or not at all."""

from __future__ import annotations

import heapq
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from convert.importing.boards import Board, Joint, gather
from convert.importing.boxes import placed
from convert.importing.classes import Classes, Outside
from convert.importing.found import Problem
from convert.importing.frames import Frame, Frames
from convert.importing.kinds import KINDS, kind_of
from convert.importing.looking import Seen, box_in_sample, content_of, sample_of, see
from convert.importing.lying import OnSomething
from convert.importing.mapping import Kind, Mapping
from convert.importing.pictures import named_beside
from convert.importing.writing import as_job, write_job
from convert.lots.truth import TruthRow, read_truth, truth_writer
from edge.core.errors import JobRefused, UsageError
from edge.core.job import Roi

Tick = Callable[[int, int], None]
"""Told how many boards of how many were looked through."""
SAMPLES = 30
"""Joints of each class that people are shown."""
Content = bytes


@dataclass(frozen=True)
class Looked:
    """A joint as its picture shows it. ``side``: mean side of its box in pixels."""

    joint: Joint
    board: Board
    content: Content
    slices: int
    side: float


class Sample(NamedTuple):
    """A joint for people to see, (pixels, pixels). ``number``: no two have the same; ``joint`` of the board ``serial``;
    ``box``: width and height of its box, as shares of the picture's.
    """

    content: Content
    number: int
    joint: str
    serial: str
    picture: NDArray[np.uint8]
    box: tuple[float, float]


@dataclass
class Imported:
    """What an import found. ``samples``: pictures of some joints of each class, with what they are called;
    ``written``: as a lot; ``frames``: some whole pictures with all boxes; ``doubts``: sentences of what may be wrong.
    """

    source: Path
    kind: Kind
    joints: list[Looked] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    outside: dict[Outside, int] = field(default_factory=dict)
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    boards: int = 0
    written: bool = False
    frames: list[Frame] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    @property
    def classes(self) -> Counter[str]:
        return Counter(looked.joint.name for looked in self.joints)

    @property
    def against(self) -> list[Joint]:
        """Joints of which reviewers said two things."""
        return [looked.joint for looked in self.joints if looked.joint.against]

    @property
    def alike(self) -> list[list[Looked]]:
        """Joints that show the very same pixels, by content."""
        groups = dict[Content, list[Looked]]()
        for looked in self.joints:
            groups.setdefault(looked.content, []).append(looked)
        return [group for group in groups.values() if len(group) > 1]


def import_lot(
    source: Path, mapping: Mapping, out: Path | None, *, leave_out: bool = False, tick: Tick = lambda *_: None
) -> Imported:
    """Read an export, and write it to the new folder ``out``; None: only read.

    ``leave_out``: joints with something wrong are left out, else nothing is written. Raises UsageError for a source
    that is no export or a folder that is there already, OSError where ``out`` cannot be written.
    """
    kind = kind_of(source, mapping.source.kind)
    if out:
        require_new(source, out)
    classes = Classes(kind, mapping)
    found = gather(KINDS[kind].reader(source, mapping), classes, mapping.source.times)
    done = Imported(source, kind, problems=list(found.problems), outside=found.outside)
    part = _begin(out) if out else None
    try:
        rows = _boards(found.boards, mapping, part, done, tick)
        if out and part and rows and _may_write(done, leave_out=leave_out):
            with truth_writer(part) as write:
                write(rows)
            require_whole(part, rows)
            part.rename(out)
            done.written = True
    finally:
        if part:
            shutil.rmtree(part, ignore_errors=True)
    return done


def require_new(source: Path, out: Path) -> None:
    """Raises UsageError for a folder that is there, or lies within what is imported."""
    if out.exists():
        raise UsageError(f"{out}: exists already; name a new folder")
    if out.resolve().is_relative_to(source.resolve()):
        raise UsageError(f"{out}: lies within {source}, and would be imported the next time; name a folder elsewhere")


def require_whole(lot: Path, rows: Sequence[TruthRow]) -> None:
    """Raises UsageError where a lot that was just written does not say what it should."""
    if list(read_truth(lot).values()) != list(rows):
        raise UsageError(f"{lot}: what was written does not read the same; keep the export for the maintainers")


def _begin(out: Path) -> Path:
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    return part


def _may_write(done: Imported, *, leave_out: bool) -> bool:
    """What is grave is never left out silently: a label without a class may be the defects."""
    return not done.problems or (leave_out and not any(problem.grave for problem in done.problems))


def _boards(boards: Sequence[Board], mapping: Mapping, part: Path | None, done: Imported, tick: Tick) -> list[TruthRow]:
    rows, lying, frames = list[TruthRow](), OnSomething(), Frames()
    for number, board in enumerate(boards):
        seen = _views(board, mapping, done)
        good = list(_placed(board, seen, mapping, done))
        try:
            written = as_job(board, next(iter(seen.values())).image, good) if good else None
        except JobRefused as error:
            done.problems.append(Problem(board.joints[0].found.where, str(error)))
            written = None
        if written is not None:
            for view, slices in seen.items():
                boxed = [(joint, roi) for joint, roi in good if joint.found.view == view and joint.found.box]
                middle, way = slices.slices[len(slices.slices) // 2], slices.image.polarity
                lying.add(middle, [roi for _, roi in boxed], way, board.board_type)
                frames.add(board, slices, boxed)
                for joint, roi in good:
                    if joint.found.view == view and not joint.found.box:
                        lying.add_whole(middle, roi, way, board.board_type)
            _look(board, good, seen, done)
            done.boards += 1
            rows += written.rows
            if part:
                write_job(part, number, written)
        tick(number + 1, len(boards))
    done.frames = frames.shown
    doubt = lying.doubt(asserted=bool(mapping.boxes.origin))
    if doubt and doubt.grave:
        done.problems.append(Problem(str(done.source), doubt.text, grave=True))
    done.doubts = [] if doubt and doubt.grave else [doubt.text] if doubt else list(_doubts(mapping, lying, done))
    return rows


_OF_PICTURES: frozenset[Kind] = frozenset({"table", "coco", "voc"})
"""Kinds of export whose rows name a picture each."""


def _doubts(mapping: Mapping, lying: OnSomething, done: Imported) -> Iterator[str]:
    """What may be wrong, of boxes that lie right."""
    said = "" if mapping.image.colours else lying.wrong_way_round(mapping.image.polarity)
    if said:
        yield said
    whole = sum(looked.joint.found.box is None for looked in done.joints)
    if whole and mapping.boxes.cutout == 1:
        yield (
            f"{whole} whole pictures are taken for their joints' boxes: where they show more than the joint, say by "
            "how much with [boxes] cutout"
        )
    boards = {looked.board.serial for looked in done.joints}
    if len(boards) > 1 and all(looked.board.serial == looked.joint.found.view for looked in done.joints):
        yield "each picture counts as a board of its own: where names say which it is of, read that by [source] names"
    used = {page.path for looked in done.joints for page in looked.joint.found.slices}
    beside = named_beside(used) if mapping.image.slices == "one" and done.kind in _OF_PICTURES else 0
    if beside:
        yield (
            f"{beside} pictures that nothing names are called like further slices of the views that are read: if they "
            'are, say [image] slices = "named"'
        )
    if mapping.source.tiles != (1, 1):
        tiles = list(mapping.source.tiles)
        yield f"boards are told by [source] tiles = {tiles}: look whether the lines lie between them"


def _views(board: Board, mapping: Mapping, done: Imported) -> dict[str, Seen]:
    """The board's views that can be read; all as the first is stored."""
    seen, named = dict[str, Seen](), dict[str, Joint]()
    for joint in board.joints:
        named.setdefault(joint.found.view, joint)
    for view, joint in named.items():
        found = see(joint.found.slices, joint.found.image, joint.found.where, mapping)
        first = next(iter(seen.values()), found)
        if isinstance(found, Seen) and isinstance(first, Seen) and found.image != first.image:
            said = f"view {view} has {found.image.bit_depth} bits a pixel, others of its board {first.image.bit_depth}"
            found = Problem(joint.found.where, f"{said}; export all pictures of a board alike")
        if isinstance(found, Seen):
            seen[view] = found
        else:
            done.problems.append(found)
    return seen


def _placed(board: Board, seen: dict[str, Seen], mapping: Mapping, done: Imported) -> Iterator[tuple[Joint, Roi]]:
    """Joints that lie on their pictures, and where."""
    for joint in board.joints:
        if joint.found.view in seen:
            height, width = seen[joint.found.view].size
            roi = placed(joint.found.box, height, width, mapping, ours=joint.found.image is not None)
            if isinstance(roi, str):
                done.problems.append(Problem(joint.found.where, roi))
            else:
                yield joint, roi


def _look(board: Board, good: Sequence[tuple[Joint, Roi]], seen: dict[str, Seen], done: Imported) -> None:
    for joint, roi in good:
        view = seen[joint.found.view]
        content = content_of(view, roi)
        side = (roi.xmax - roi.xmin + roi.ymax - roi.ymin) / 2
        done.joints.append(Looked(joint, board, content, len(view.slices), side))
        samples = done.samples.setdefault(joint.name, [])
        # Which joints are shown is as good as drawn, and the same each time: those of the greatest digests.
        if len(samples) < SAMPLES or content > samples[0].content:
            named = joint.found.joint, board.serial
            shown = Sample(content, len(done.joints), *named, sample_of(view, roi), box_in_sample(roi))
            (heapq.heappush if len(samples) < SAMPLES else heapq.heapreplace)(samples, shown)
