"""The kinds of export there are, and how each is told from the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from convert.importing.found import Reader
from convert.importing.mapping import Kind
from convert.importing.pictures import is_picture
from convert.importing.readers.annotations import read_coco, read_voc
from convert.importing.readers.folders import class_folders, read_folders
from convert.importing.readers.lots import read_lot
from convert.importing.readers.machine import read_cfx, read_results
from convert.importing.readers.table import read_table, tables_in
from convert.lots.table import TRUTH
from edge.core.errors import UsageError
from edge.files import as_utf8

_HEAD_BYTES = 65_536


class KindOf(NamedTuple):
    """``words``: for people."""

    words: str
    reader: Reader
    is_it: Callable[[Path], bool]


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return as_utf8(stream.read(_HEAD_BYTES)).lower()


def _first(source: Path, ending: str) -> Path | None:
    if source.is_file():
        return source if source.suffix.lower() == ending else None
    return next(iter(sorted(source.rglob(f"*{ending}"))), None)


def _says(ending: str, *words: bytes) -> Callable[[Path], bool]:
    def says(source: Path) -> bool:
        path = _first(source, ending)
        return path is not None and any(word in _head(path) for word in words)

    return says


def _is_table(source: Path) -> bool:
    if source.is_file():
        return source.suffix.lower() in {".csv", ".tsv", ".txt"}
    return bool(tables_in(source))


def _is_folders(source: Path) -> bool:
    return source.is_dir() and any(is_picture(path) for folder in class_folders(source) for path in folder.rglob("*"))


KINDS: dict[Kind, KindOf] = {
    "lot": KindOf("a lot of ours", read_lot, lambda source: (source / TRUTH).is_file()),
    "results": KindOf("V810 result XML", read_results, _says(".xml", b"boardtestxmlexport")),
    "voc": KindOf("Pascal VOC annotations", read_voc, _says(".xml", b"<annotation")),
    "cfx": KindOf("IPC-CFX UnitsInspected", read_cfx, _says(".json", b'"inspectedunits"')),
    "coco": KindOf("COCO annotations", read_coco, _says(".json", b'"annotations"', b'"images"')),
    "table": KindOf("a table", read_table, _is_table),
    "folders": KindOf("folders of cut-outs by class", read_folders, _is_folders),
}


def kind_of(source: Path, asked: Kind) -> Kind:
    """What kind of export lies there. Raises UsageError where it is none, or is not there."""
    if not source.exists():
        raise UsageError(f"{source}: is not there; name the folder or file that was exported")
    if asked:
        return asked
    try:
        found = next((kind for kind, of in KINDS.items() if of.is_it(source)), None)
    except OSError as error:
        raise UsageError(f"{source}: not readable ({error.strerror})") from error
    if found is None:
        raise UsageError(
            f"{source}: is no kind of export that is known; name one in the mapping: {', '.join(_kinds())}"
        )
    return found


def _kinds() -> Iterator[str]:
    for kind, of in KINDS.items():
        yield f'[source] kind = "{kind}" ({of.words})'
