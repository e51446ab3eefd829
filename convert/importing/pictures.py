"""Pictures of an export: which files are the slices of a view, and what names say."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from convert.importing.found import Corners, Page, Problem
from convert.importing.mapping import Mapping
from edge.core.job import MAX_SLICES
from edge.jobs.vendors import slice_of

ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"})


def is_picture(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS


def slices_at(path: Path, where: str, mapping: Mapping) -> tuple[Page, ...] | Problem:
    """The slices of the view that a picture stands for, from the first up, or what is wrong with them."""
    try:
        if not path.is_file():
            return Problem(where, f"picture {path} is missing; export it, or correct the name or [source] images")
    except (OSError, ValueError) as error:  # a name that no file can have
        return Problem(where, f"picture {path.name[:80]!r} cannot be a file ({error}); correct the name")
    match mapping.image.slices:
        case "named":
            return _named(path, where)
        case "pages":
            return _pages(path, where)
    return (Page(path),)


def _named(path: Path, where: str) -> tuple[Page, ...] | Problem:
    found = slice_of(path.name)
    if found is None:
        remedy = 'rename it, or say [image] slices = "one"'
        return Problem(where, f"picture {path.name} is not called <view><two digits>; {remedy}")
    numbered = dict[int, Path]()
    for number, other in _beside(path.parent).get(found[0], ()):
        if numbered.setdefault(number, other) != other:
            return Problem(where, f"{numbered[number].name} and {other.name} are the same slice; keep one of them")
    if sorted(numbered) != list(range(len(numbered))):
        return Problem(where, f"slices {sorted(numbered)} of view {found[0]}: number them from 00 up, without a gap")
    if len(numbered) > MAX_SLICES:
        return Problem(where, f"view {found[0]} has {len(numbered)} slices; {MAX_SLICES} are the most")
    return tuple(Page(numbered[number]) for number in sorted(numbered))


@lru_cache(maxsize=64)
def _beside(folder: Path) -> dict[str, tuple[tuple[int, Path], ...]]:
    """By view, the slices in a folder."""
    found = dict[str, list[tuple[int, Path]]]()
    for path in sorted(folder.iterdir()):
        named = slice_of(path.name)
        if named is not None:
            found.setdefault(named[0], []).append((named[1], path))
    return {view: tuple(slices) for view, slices in found.items()}


def _pages(path: Path, where: str) -> tuple[Page, ...] | Problem:
    try:
        with TiffImageFile(path) as picture:
            count = int(getattr(picture, "n_frames", 1))
    except (OSError, SyntaxError, ValueError, TypeError, LookupError) as error:
        return Problem(where, f"{path.name} is no TIFF whose pages could be counted ({error}); export it again")
    if count > MAX_SLICES:
        return Problem(where, f"{path.name} has {count} pages; {MAX_SLICES} slices are the most")
    return tuple(Page(path, number if count > 1 else None) for number in range(count))


def tile_of(path: Path, box: Corners | None, mapping: Mapping) -> str:
    """Which of the boards that a picture shows side by side a box lies on, as an ending of its serial."""
    columns, rows = mapping.source.tiles
    if box is None or columns == rows == 1:
        return ""
    wide, high = _size_of(path)
    column = min(columns - 1, max(0, int((box.xmin + box.xmax) / 2 * columns / wide)))
    row = min(rows - 1, max(0, int((box.ymin + box.ymax) / 2 * rows / high)))
    return f"-{row + 1}.{column + 1}"


@lru_cache(maxsize=64)
def _size_of(path: Path) -> tuple[int, int]:
    """Width and height; (1, 1) of what is no picture, which is said when it is looked at."""
    try:
        with Image.open(path) as picture:
            return picture.size
    except (OSError, ValueError, SyntaxError):
        return 1, 1


def said_by(path: Path, source: Path, mapping: Mapping) -> dict[str, str]:
    """What a picture's path says by the mapping's ``names``: of board type, serial, view, joint and time."""
    if not mapping.source.names:
        return {}
    relative = path.relative_to(source) if path.is_relative_to(source) else Path(path.name)
    found = re.search(mapping.source.names, relative.with_suffix("").as_posix())
    return {part: text for part, text in found.groupdict().items() if text} if found else {}
