"""The job contract ``axi-job/1``: what one manifest says, and every reason to refuse it.

Round trip: for every ``Job`` j, ``parse_manifest(encode_manifest(j)).job == j``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

from edge.core.clocks import is_moment
from edge.core.errors import JobRefused
from edge.core.fields import parts
from edge.core.wording import in_words

SCHEMA = "axi-job/1"
MAX_SLICES = 6
MOST_PAGES = 1_000
COORDINATE_LIMIT_PX = 1_000_000
"""Largest absolute ROI coordinate; keeps the area sums of ``preprocess`` exact in 53 bits."""

Polarity = Literal["solder_dark", "solder_bright"]
Name = Annotated[str, Meta(min_length=1, max_length=256)]
Text = Annotated[str, Meta(max_length=256)]
"""Bounded, so that no job can make a message larger than a broker takes."""
Coordinate = Annotated[int, Meta(ge=-COORDINATE_LIMIT_PX, le=COORDINATE_LIMIT_PX)]
_SHA256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", description="64 of 0-9 a-f: the SHA-256 of the file")]


class Roi(NamedTuple):
    """Half-open box [xmin, xmax) x [ymin, ymax) in pixels; may leave the frame, is never empty."""

    xmin: Coordinate
    ymin: Coordinate
    xmax: Coordinate
    ymax: Coordinate


class Station(Struct, frozen=True, kw_only=True):
    name: Text = ""
    vendor: Text = ""
    software: Text = ""


class Board(Struct, frozen=True, kw_only=True):
    serial: Name
    type: Text = ""
    revision: Text = ""
    side: Text = ""


class ImageFormat(Struct, frozen=True, kw_only=True):
    """How grey values are stored: ``window`` (low, high) maps 16-bit values onto 0..255."""

    bit_depth: Literal[8, 16] = 8
    polarity: Polarity = "solder_dark"
    window: tuple[Annotated[int, Meta(ge=0, le=65535)], Annotated[int, Meta(ge=0, le=65535)]] | None = None


class SliceFile(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One slice of a view: its channel ``index`` 0..5 and a plain file name inside the job folder.

    ``page``: which picture of the file, counted from 0, where a TIFF holds several; None: its only one.
    """

    index: Annotated[int, Meta(ge=0, lt=MAX_SLICES)]
    file: Name
    page: Annotated[int, Meta(ge=0, lt=MOST_PAGES)] | None = None
    sha256: _SHA256 | None = None


class View(Struct, frozen=True, kw_only=True):
    id: Name
    slices: Annotated[tuple[SliceFile, ...], Meta(min_length=1, max_length=MAX_SLICES)]


class MachineCall(Struct, frozen=True, kw_only=True):
    """What the AXI machine held against the joint."""

    code: int | None = None
    name: Text = ""


class Joint(Struct, frozen=True, kw_only=True):
    id: Name
    type: Name
    view: Name
    roi: Roi
    refdes: Text = ""
    pin: Text = ""
    machine_call: MachineCall | None = None

    @property
    def named(self) -> NamedJoint:
        """As a verdict names it."""
        return NamedJoint(self.id, self.refdes, self.pin, self.type, self.machine_call, self.view, self.roi)


class Job(Struct, frozen=True, kw_only=True):
    """One board as the machine handed it over: views with slices, and the joints it flagged."""

    schema: Literal["axi-job/1"]
    job_id: Name
    created: str
    board: Board
    views: tuple[View, ...]
    joints: tuple[Joint, ...]
    station: Station = Station()
    image: ImageFormat = ImageFormat()

    def joints_of(self, view: View) -> tuple[Joint, ...]:
        return tuple(joint for joint in self.joints if joint.view == view.id)


class Rejection(Struct, frozen=True, kw_only=True):
    """``reason.json`` beside a refused job. ``job``: its folder's name; ``reason``: what is wrong, and the remedy."""

    schema: Literal["axi-rejection/1"] = "axi-rejection/1"
    job: str
    reason: str


class Manifest(NamedTuple):
    """A parsed manifest and the keys nobody here knows (machines add fields; they belong in the log)."""

    job: Job
    unknown_keys: tuple[str, ...]


class NamedJoint(NamedTuple):
    """A joint as a verdict names it; of a broken manifest, as much of that as it still yields. ``view``, ``roi``: where
    it is in its pictures, where that is known.
    """

    id: str
    refdes: str = ""
    pin: str = ""
    type: str = ""
    machine_call: MachineCall | None = None
    view: str = ""
    roi: Roi | None = None


# ValidationError is a DecodeError; RecursionError is what nesting thousands deep ends in.
_UNDECODABLE = (msgspec.DecodeError, ValueError, RecursionError)


def parse_manifest(raw: bytes, *, source: str = "manifest.json") -> Manifest:
    """Decode and check a manifest.

    Raises JobRefused with ``source``, the field and the remedy in its text.
    """
    if not raw:
        raise JobRefused(
            f"{source}: missing, empty or no regular file; a job folder holds one (contract {SCHEMA}), or a result XML "
            "with rois.csv, or joints.csv"
        )
    try:
        document = msgspec.json.decode(raw)
        json.loads(raw, object_pairs_hook=_distinct)
        job = msgspec.convert(document, Job)
    except _UNDECODABLE as error:
        raise JobRefused(_plain(source, str(error))) from error
    _check(job, source)
    return Manifest(job, _unknown(document))


def encode_manifest(job: Job) -> bytes:
    """The manifest of ``job`` as indented UTF-8 JSON."""
    return msgspec.json.format(msgspec.json.encode(job), indent=1) + b"\n"


def printable(name: str) -> str:
    """A folder name as text that can be sent: bytes that are no UTF-8 are written out."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


class _RepeatedKeyError(ValueError):
    """An object names a key twice: one of the values, perhaps with joints in it, would be dropped silently."""


def _distinct(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise _RepeatedKeyError(f"key {key!r} appears twice in one object")
        seen.add(key)


def _plain(source: str, problem: str) -> str:
    """Source, place, what is wrong there, and the remedy."""
    what, where = in_words(problem, Job)
    if not where:
        return f"{source}: {what}; the file must be one JSON object of contract {SCHEMA}"
    return f"{source}: {where}: {what}; correct this field in the exporter (contract {SCHEMA})"


def _unknown(document: Any) -> tuple[str, ...]:
    """Paths of the keys that the contract does not know, array positions folded to ``[]``; and a ``created`` that says
    nothing: it is handed on, and nobody else would ever notice.
    """
    found = [f"{part.path}.{key}".lstrip(".") for part in parts(document, Job) for key in part.unknown]
    if not is_moment(document["created"]):
        found.append(f"created ({document['created'][:40]!r} is no time, such as 2026-11-30T22:31:00Z)")
    return tuple(dict.fromkeys(found))


def _check(job: Job, source: str) -> None:
    """The rules that no type can say."""
    for field, problem in (*_image_problems(job.image), *_view_problems(job.views), *_joint_problems(job)):
        raise JobRefused(f"{source}: {field}: {problem} (contract {SCHEMA})")


Problems = Iterator[tuple[str, str]]


def _image_problems(image: ImageFormat) -> Problems:
    if image.bit_depth == 16 and image.window is None:
        yield "image.window", "16-bit images need a window; add [low, high]"
    if image.window is not None and image.window[0] >= image.window[1]:
        yield "image.window", "low must be below high; give [low, high]"


def _view_problems(views: Sequence[View]) -> Problems:
    seen: set[str] = set()
    for i, view in enumerate(views):
        if view.id in seen:
            yield f"views[{i}].id", f"{view.id!r} is used twice; give each view its own id"
        seen.add(view.id)
        indices = [part.index for part in view.slices]
        if len(set(indices)) != len(indices):
            yield f"views[{i}].slices", f"slice indices {indices} repeat; number each slice once, 0 to 5"
        pages: dict[str, list[int | None]] = {}
        for part in view.slices:
            pages.setdefault(part.file, []).append(part.page)
        if any(len(named) > len({*named} - {None}) for named in pages.values() if len(named) > 1):
            yield f"views[{i}].slices", "two slices name the same file; give each its own, or its own page of a TIFF"
        for k, part in enumerate(view.slices):
            if not _is_plain_file_name(part.file):
                field = f"views[{i}].slices[{k}].file"
                yield field, f"{part.file!r} must be a plain file name inside the job folder"


def _joint_problems(job: Job) -> Problems:
    views = {view.id for view in job.views}
    seen: set[str] = set()
    for i, joint in enumerate(job.joints):
        if joint.id in seen:
            yield f"joints[{i}].id", f"{joint.id!r} is used twice; give each joint its own id"
        seen.add(joint.id)
        if joint.view not in views:
            yield f"joints[{i}].view", f"{joint.view!r} is not among the views; name one of views[].id"
        if joint.roi.xmin >= joint.roi.xmax or joint.roi.ymin >= joint.roi.ymax:
            yield f"joints[{i}].roi", f"{list(joint.roi)} is empty; give [xmin, ymin, xmax, ymax] with min < max"


def _is_plain_file_name(name: str) -> bool:
    return not (set(name) & {"/", "\\", "\0"}) and name not in {".", "..", "manifest.json"}
