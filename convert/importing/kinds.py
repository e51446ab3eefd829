"""The kinds of export there are, and how each is told from the others."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from convert.importing.found import Reader
from convert.importing.mapping import Kind
from convert.importing.pictures import files_with, is_picture
from convert.importing.readers.annotations import read_coco, read_voc
from convert.importing.readers.folders import class_folders, read_folders
from convert.importing.readers.lots import read_lot
from convert.importing.readers.machine import read_cfx, read_results
from convert.importing.readers.table import read_table, tables_in
from convert.lots.table import TRUTH
from edge.core.errors import UsageError
from edge.files import as_utf8
from edge.jobs.result_xml import ROIS

_HEAD_BYTES, _MOST_HEADS = 65_536, 200


class KindOf(NamedTuple):
    """``words``: for people."""

    words: str
    reader: Reader
    is_it: Callable[[Path], bool]


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return as_utf8(stream.read(_HEAD_BYTES)).lower()


def _says(ending: str, *words: bytes) -> Callable[[Path], bool]:
    """Does one of the first files with that ending say one of these?"""

    def says(source: Path) -> bool:
        files = [path for path in files_with(source, ending) if path.suffix.lower() == ending][:_MOST_HEADS]
        return any(word in _head(path) for path in files for word in words)

    return says


def _is_table(source: Path) -> bool:
    if source.is_file():
        return source.suffix.lower() in {".csv", ".tsv", ".txt"}
    return any(path.name.casefold() != ROIS for path in tables_in(source))


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
    """What kind of export lies there. Raises UsageError where it is none, several, or not there."""
    if not source.exists():
        remedy = "name the folder or file that was exported"
        if re.match(r"\w{2,}:/", str(source)):
            remedy = "an address: fetch what lies there first, and name the folder that it was fetched to"
        raise UsageError(f"{source}: is not there; {remedy}")
    if asked in _OF_FOLDERS and not source.is_dir():
        raise UsageError(f"{source}: is a file; {KINDS[asked].words} lie in a folder, name that")
    if asked:
        return asked
    try:
        found = [kind for kind, of in KINDS.items() if of.is_it(source)]
    except OSError as error:
        raise UsageError(f"{source}: not readable ({error.strerror}); let this user read it") from error
    if "lot" in found:  # whatever its job folders hold
        return "lot"
    sure = [kind for kind in found if kind not in _LOOSE] or found[:1]
    if len(sure) == 1:
        return sure[0]
    what = "holds several kinds of export" if sure else "is no kind of export that is known"
    raise UsageError(f"{source}: {what}; name the one that is meant in the mapping: {', '.join(_kinds(sure))}")


_OF_FOLDERS = frozenset({"lot", "folders"})
_LOOSE = frozenset({"table", "folders"})
"""Any folder may look like them; what says so itself comes first."""


def _kinds(some: Sequence[Kind]) -> Iterator[str]:
    for kind, of in KINDS.items():
        if kind in some or not some:
            yield f'[source] kind = "{kind}" ({of.words})'
