"""What an export leaves open, or says in words of its own: one small TOML file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from edge.core.card import NORMAL_NAMES
from edge.core.errors import ConfigError
from edge.core.job import Polarity
from edge.toml import load_toml

_SOME_TIME = datetime(2026, 12, 31, 23, 59, 58, tzinfo=UTC)
LEFT_OUT = "left-out"
"""In place of a class: joints with this label are passed over, and counted."""
Kind = Literal["", "results", "cfx", "lot", "table", "folders", "coco", "voc"]
_Positive = Annotated[float, Meta(gt=0)]
_Count = Annotated[int, Meta(ge=1, le=100)]
_Grey = Annotated[int, Meta(ge=0, le=65535)]
_CLASS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PARTS = ("board_type", "serial", "view", "joint", "time")
"""What a file's name may say, as named groups of ``names``."""


class SourceSection(Struct, frozen=True, kw_only=True):
    """``kind``: of export; empty: found out. ``images``: the folder that names of pictures are relative to, itself
    relative to the source; ``image``: the picture that all rows of a table are about. ``names``: a regular expression
    for the picture's path without its ending, whose named groups say board type, serial, view, joint or time where
    nothing else does. ``times``: how times are written, as strftime has it; empty: ISO 8601. ``encoding``: of a table,
    such as cp1252; empty: UTF-8, or UTF-16 with its mark. ``tiles``: boards that one picture shows side by side,
    (columns, rows), each then a board.
    """

    kind: Kind = ""
    board_type: str = ""
    joint_type: Annotated[str, Meta(min_length=1)] = "PTH"
    images: str = ""
    image: str = ""
    tiles: tuple[_Count, _Count] = (1, 1)
    names: str = ""
    times: str = ""
    encoding: str = ""


class ImageSection(Struct, frozen=True, kw_only=True):
    """``window``: grey values of 16-bit pictures that become 0 and 255. ``slices``: "one" picture is a view, or all
    that are named ``<view><two digits>``, or all pages of a TIFF. ``pixel_um``: the side of a pixel. ``colours``:
    pictures may have some; of those the luminance is looked at.
    """

    polarity: Polarity = "solder_dark"
    window: tuple[_Grey, _Grey] | None = None
    slices: Literal["one", "named", "pages"] = "one"
    pixel_um: _Positive | None = None
    colours: bool = False


class BoxesSection(Struct, frozen=True, kw_only=True):
    """``whole``: a table has none, each picture is a joint. ``origin``: the corner that rows are counted from; not
    said: top-left, and the pictures are asked whether boxes lie on something. ``cutout``: by how much the side of a
    cut-out picture exceeds that of the joint's box.
    """

    whole: bool = False
    units: Literal["pixels", "millimetres"] = "pixels"
    origin: Literal["", "top-left", "bottom-left"] = ""
    cutout: Annotated[float, Meta(ge=1, le=10)] = 1.0


class ColumnsSection(Struct, frozen=True, kw_only=True):
    """The names that a table's columns have, for each thing that is read; empty: that of the thing."""

    image: str = ""
    board_type: str = ""
    serial: str = ""
    time: str = ""
    joint: str = ""
    component: str = ""
    pin: str = ""
    joint_type: str = ""
    label: str = ""
    call: str = ""
    xmin: str = ""
    ymin: str = ""
    xmax: str = ""
    ymax: str = ""
    x: str = ""
    y: str = ""
    cx: str = ""
    cy: str = ""
    width: str = ""
    height: str = ""


class Mapping(Struct, frozen=True, kw_only=True):
    """``labels``: the class of what the export calls a joint, ``normal`` or a defect's; ``defects``: of what the
    machine called it, where reviewers only say that it is one. Compared without regard to case.
    """

    source: SourceSection = SourceSection()
    image: ImageSection = ImageSection()
    boxes: BoxesSection = BoxesSection()
    columns: ColumnsSection = ColumnsSection()
    labels: dict[str, str] = field(default_factory=dict)
    defects: dict[str, str] = field(default_factory=dict)


def read_mapping(path: Path | None) -> Mapping:
    """The mapping in a file; without one, what is usual. Raises ConfigError naming file, key and remedy."""
    mapping = load_toml(path, Mapping) if path else Mapping()
    if problems := _problems(mapping):
        raise ConfigError(f"{path}: {'; '.join(f'{key}: {problem}' for key, problem in problems)}")
    return mapping


def moment(text: str, written: str) -> str:
    """A time as ISO 8601 has it; '' where it is not ``written`` so."""
    try:
        return written and datetime.strptime(text, written).isoformat()  # noqa: DTZ007 - exports are in local time, and say no zone
    except (ValueError, re.error):
        return ""


def as_moment(text: str, mapping: Mapping) -> str:
    """A time that an export writes in its own way as ISO 8601 has it; what does not fit as it is."""
    return moment(text, mapping.source.times) or text


def _problems(mapping: Mapping) -> list[tuple[str, str]]:
    found = [*_wrong_classes(mapping), *_wrong_names(mapping.source.names), *_wrong_text(mapping.source)]
    window = mapping.image.window
    if window is not None and window[0] >= window[1]:
        found.append(("[image] window", "low must be below high; give [low, high]"))
    if mapping.boxes.units == "millimetres" and mapping.image.pixel_um is None:
        found.append(("[image] pixel_um", "missing; boxes in millimetres need the side of a pixel in micrometres"))
    if mapping.source.tiles != (1, 1) and mapping.boxes.units != "pixels":
        found.append(("[source] tiles", "need boxes in pixels; export those, or pictures of one board each"))
    return found


def _wrong_classes(mapping: Mapping) -> Iterator[tuple[str, str]]:
    """What is wrong with labels, or with the classes that they stand for."""
    for table, labels in (("labels", mapping.labels), ("defects", mapping.defects)):
        for label, name in labels.items():
            key, plain = f'[{table}] "{label}"', name.casefold().replace("_", "-")
            if not label.strip() and name != LEFT_OUT:
                yield key, f"{name!r}: an empty cell says nothing of a joint; write {LEFT_OUT!r}"
            elif plain.replace("-", "").replace(" ", "") == LEFT_OUT.replace("-", "") and name != LEFT_OUT:
                yield key, f"{name!r}: write {LEFT_OUT!r}"
            elif not _CLASS.fullmatch(name):
                remedy = f"use letters, digits, '.', '_' and '-', or {LEFT_OUT!r} for joints that are passed over"
                yield key, f"{name!r} is no class; {remedy}"
            elif table == "defects" and (plain == LEFT_OUT or plain in NORMAL_NAMES):
                yield key, f"{name!r} is no defect; name the kind of defect"
        for label in _twice(labels):
            if len({name for each, name in labels.items() if each.strip().casefold() == label.strip().casefold()}) > 1:
                yield f'[{table}] "{label}"', "stands there in two spellings, as two classes; keep one"
    for name in _twice(dict.fromkeys([*mapping.labels.values(), *mapping.defects.values()])):
        yield "[labels], [defects]", f"class {name!r} stands there in two spellings; keep one"


def _twice(names: Iterable[str]) -> list[str]:
    """Those that another is, but for case and space round it."""
    seen = set[str]()
    found = list[str]()
    for name in names:
        plain = name.strip().casefold()
        if plain in seen:
            found.append(name)
        seen.add(plain)
    return found


def _wrong_text(source: SourceSection) -> Iterator[tuple[str, str]]:
    """Ways of writing that nobody knows."""
    if source.times and moment(_SOME_TIME.strftime(source.times), source.times)[:10] != f"{_SOME_TIME:%Y-%m-%d}":
        remedy = "no way of writing a time; give it as strftime does, such as %d/%m/%Y %H:%M"
        yield "[source] times", f"{source.times!r}: {remedy}"
    try:
        "".encode(source.encoding or "utf-8")
    except (LookupError, ValueError):
        yield "[source] encoding", f"{source.encoding!r}: no encoding; name one such as cp1252, latin-1 or gb18030"


def _wrong_names(pattern: str) -> list[tuple[str, str]]:
    try:
        groups = re.compile(pattern).groupindex
    except re.error as error:
        return [("[source] names", f"no regular expression ({error})")]
    unknown = [group for group in groups if group not in _PARTS]
    if unknown:
        return [("[source] names", f"group {unknown[0]!r} is unknown; name {', '.join(_PARTS)}")]
    if pattern and not groups:
        return [("[source] names", f"has no named group such as (?P<serial>...); name {', '.join(_PARTS)}")]
    return []
