"""Folders of cut-out joints, one for each class: a whole picture is the joint's box."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from convert.importing.found import Finding, Found, Problem, job_named
from convert.importing.mapping import Mapping
from convert.importing.pictures import ENDINGS, files_with, is_picture, said_by, slices_at

_UNREAD = (".webp", ".gif", ".dcm", ".jp2")


def read_folders(source: Path, mapping: Mapping) -> Iterator[Finding]:
    """``source``/<label>/.../<picture>; what a name says of its board is read by [source] names."""
    for path in sorted(source.iterdir()):
        if is_picture(path) and path.is_file():
            yield Problem(path.name, "a picture outside the classes' folders; move it into one, or away")
    for folder in class_folders(source):
        pictures = sorted({path for ending in ENDINGS for path in files_with(folder, ending)})
        if not pictures:
            yield Problem(folder.name, "a class without a picture; remove the folder, or export what belongs into it")
        for path in (other for ending in _UNREAD for other in files_with(folder, ending)):
            yield Problem(path.relative_to(source).as_posix(), "no PNG, JPEG, TIFF or BMP; export it as one of them")
        seen = set[Path]()
        for path in pictures:
            if path not in seen:
                found = _joint(path, folder.name, source, mapping)
                if isinstance(found, Found):
                    seen |= {page.path for page in found.slices}
                yield found


def class_folders(source: Path) -> list[Path]:
    return sorted(path for path in source.iterdir() if path.is_dir() and path.name[0] != ".")


def _joint(path: Path, label: str, source: Path, mapping: Mapping) -> Finding:
    relative = path.relative_to(source)
    slices = slices_at(path, relative.as_posix(), mapping)
    if isinstance(slices, Problem):
        return slices
    said = said_by(path, source, relative.as_posix(), mapping)
    if isinstance(said, Problem):
        return said
    name = relative.with_suffix("").as_posix()
    serial = said.get("serial", name)
    return Found(
        where=relative.as_posix(),
        job=job_named(serial, said.get("time", "")),
        serial=serial,
        board_type=said.get("board_type", mapping.source.board_type),
        time=said.get("time", ""),
        view=said.get("view", name),
        slices=slices,
        joint=said.get("joint", path.stem),
        joint_type=mapping.source.joint_type,
        box=None,
        label=label,
    )
