"""Pictures of an export: which files are the slices of a view, and what names say."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Collection, Sequence
from functools import lru_cache
from pathlib import Path

from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from convert.importing.found import Corners, Page, Problem
from convert.importing.mapping import Mapping, as_moment
from edge.core.job import printable
from edge.jobs.vendors import slice_of

ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"})


def is_picture(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS


def slices_at(path: Path, where: str, mapping: Mapping) -> tuple[Page, ...] | Problem:
    """The slices of the view that a picture stands for, from the first up, or what is wrong with them."""
    if not is_there(path):
        shown = printable(str(path))[-200:]
        return Problem(where, f"picture {shown} is missing; export it, or correct the name or [source] images")
    match mapping.image.slices:
        case "named":
            return _named(path, where)
        case "pages":
            return _pages(path, where)
    return (Page(path),)


def is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def gapless(indices: Sequence[int], view: str) -> str:
    """What is wrong with the numbers of a view's slices; empty where nothing is."""
    if sorted(indices) != list(range(len(indices))):
        return f"slices {sorted(indices)} of view {view}: number them from 00 up, without a gap"
    return ""


def files_with(source: Path, ending: str) -> list[Path]:
    """Every file with an ending, however it is written, in a folder or below it, links followed; or the file itself."""
    if source.is_file():
        return [source]
    found, seen = list[Path](), set[str]()
    for folder, below, names in os.walk(source, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:  # links that run in circles
            below.clear()
            continue
        seen.add(real)
        found += [Path(folder) / name for name in names if name.lower().endswith(ending) and name[0] != "."]
    return sorted(path for path in found if is_there(path))


def _named(path: Path, where: str) -> tuple[Page, ...] | Problem:
    found = slice_of(path.name)
    if found is None:
        remedy = 'rename it, or say [image] slices = "one"'
        return Problem(where, f"picture {path.name} is not called <view><two digits>; {remedy}")
    numbered = dict[int, Path]()
    for number, other in _beside(path.parent, path.parent.stat().st_mtime_ns).get(found[0], ()):
        if numbered.setdefault(number, other) != other:
            return Problem(where, f"{numbered[number].name} and {other.name} are the same slice; keep one of them")
    gap = gapless(list(numbered), found[0])
    if gap:
        return Problem(where, gap)
    return tuple(Page(numbered[number]) for number in sorted(numbered))


@lru_cache(maxsize=64)
def _beside(folder: Path, _: int) -> dict[str, tuple[tuple[int, Path], ...]]:
    """By view, the slices in a folder, as it is at that time."""
    found = dict[str, list[tuple[int, Path]]]()
    for path in sorted(folder.iterdir()):
        named = slice_of(path.name)
        if named is not None:
            found.setdefault(named[0], []).append((named[1], path))
    return {view: tuple(slices) for view, slices in found.items()}


def named_beside(used: Collection[Path]) -> int:
    """Pictures that no row names, beside those that are named, and called like further slices of their views."""
    found = set[Path]()
    for path in used:
        named = slice_of(path.name)
        if named is not None and is_there(path):
            beside = _beside(path.parent, path.parent.stat().st_mtime_ns).get(named[0], ())
            found |= {other for _, other in beside}
    return len(found - set(used))


def _pages(path: Path, where: str) -> tuple[Page, ...] | Problem:
    try:
        with TiffImageFile(path) as picture:
            count = int(getattr(picture, "n_frames", 1))
    except (OSError, SyntaxError, ValueError, TypeError, LookupError) as error:
        return Problem(where, f"{path.name} is no TIFF whose pages could be counted ({error}); export it again")
    return tuple(Page(path, number if count > 1 else None) for number in range(count))


def tile_of(path: Path, box: Corners | None, where: str, mapping: Mapping) -> str | Problem:
    """Which of the boards that a picture shows side by side a box lies on, as an ending of its serial."""
    columns, rows = mapping.source.tiles
    if box is None or columns == rows == 1:
        return ""
    wide, high = _size_of(path, path.stat().st_mtime_ns if is_there(path) else 0)
    column, row = _tile(box.xmin, box.xmax, columns / wide), _tile(box.ymin, box.ymax, rows / high)
    if column is None or row is None:
        said = f"box ({', '.join(f'{value:g}' for value in box)}) lies across the line between two boards"
        return Problem(where, f"{said} of [source] tiles = [{columns}, {rows}]; correct columns and rows")
    return f"-{min(rows, row + 1)}.{min(columns, column + 1)}"


def _tile(low: float, high: float, per_pixel: float) -> int | None:
    """The one that holds all of the span but its last quarters; None where it lies on two."""
    quarter = (high - low) / 4
    first, last = (max(0, math.floor(edge * per_pixel)) for edge in (low + quarter, high - quarter))
    return first if first == last else None


@lru_cache(maxsize=64)
def _size_of(path: Path, _: int) -> tuple[int, int]:
    """Width and height; (1, 1) of what is no picture, which is said when it is looked at."""
    try:
        with Image.open(path) as picture:
            return picture.size
    except (OSError, ValueError, SyntaxError):
        return 1, 1


def said_by(path: Path, source: Path, where: str, mapping: Mapping) -> dict[str, str] | Problem:
    """What a picture's path says by the mapping's ``names``: of board type, serial, view, joint and time. Nothing where
    nobody asked; a path that they do not fit would be a board of its own.
    """
    if not mapping.source.names:
        return {}
    relative = path.relative_to(source) if path.is_relative_to(source) else Path(path.name)
    name = relative.with_suffix("").as_posix()
    found = re.search(mapping.source.names, name)
    if found is None:
        return Problem(where, f"{printable(name)} does not fit [source] names; correct the expression, or the name")
    said = {part: text for part, text in found.groupdict().items() if text}
    return said | {"time": as_moment(said["time"], mapping)} if "time" in said else said
