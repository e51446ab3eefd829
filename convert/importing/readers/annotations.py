"""Annotations as CVAT and Label Studio write them: COCO (one JSON) and Pascal VOC (an XML a picture).

Both name a picture, boxes in it and a class for each. Of which board a picture is, only its name can say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from xml.parsers import expat

import msgspec

from convert.importing.found import Corners, Finding, Found, Problem, job_named
from convert.importing.mapping import Mapping
from convert.importing.pictures import files_with, is_there, said_by, slices_at, tile_of
from edge.files import as_utf8, read_plain

_MOST_BYTES = 1024 * 1024 * 1024


class _Box(NamedTuple):
    where: str
    name: str
    label: str
    box: Corners


class _Place(NamedTuple):
    """Where pictures lie: beside the annotation, in [source] images, or in a folder that labelling tools call so."""

    source: Path
    beside: Path
    mapping: Mapping

    def picture(self, file: str) -> Path:
        name = Path(file.replace("\\", "/"))
        asked = self.mapping.source.images
        roots = [self.source / asked] if asked else [self.beside, self.source]
        roots += [root / below for root in (self.source, self.source.parent) for below in ("images", "JPEGImages")]
        places = [root / name for root in roots]
        return next((place for place in places if is_there(place)), places[0])

    def joints(self, file: str, where: str, boxes: list[_Box]) -> Iterator[Finding]:
        path = self.picture(file)
        slices = slices_at(path, where, self.mapping)
        said = slices if isinstance(slices, Problem) else said_by(path, self.source, where, self.mapping)
        if isinstance(slices, Problem) or isinstance(said, Problem):
            yield said  # type: ignore[misc]  # the problem
            return
        if "joint" in said and len(boxes) > 1:
            remedy = "leave it out of [source] names, or give each box an attribute joint"
            yield Problem(where, f"{len(boxes)} boxes, but its name says one joint; {remedy}")
            return
        name = Path(file.replace("\\", "/")).with_suffix("").as_posix()
        for box in boxes:
            tile = tile_of(path, box.box, box.where, self.mapping)
            if isinstance(tile, Problem):
                yield tile
                continue
            serial = f"{said.get('serial', name)}{tile}"
            yield Found(
                where=box.where,
                job=job_named(serial, said.get("time", "")),
                serial=serial,
                board_type=said.get("board_type", self.mapping.source.board_type),
                time=said.get("time", ""),
                view=said.get("view", name),
                slices=slices,
                joint=said.get("joint", box.name),
                joint_type=self.mapping.source.joint_type,
                box=box.box,
                label=box.label,
            )


def read_coco(source: Path, mapping: Mapping) -> Iterator[Finding]:
    """One JSON with images, annotations and categories, or a folder with such files."""
    for path in files_with(source, ".json"):
        try:
            document = msgspec.json.decode(as_utf8(read_plain(path, _MOST_BYTES)), type=_Coco)
        except (OSError, ValueError, RecursionError) as error:
            yield Problem(path.name, f"no COCO annotations ({error}); export images, annotations and categories")
            continue
        yield from _of_coco(document, path, mapping)


class _CocoImage(msgspec.Struct):
    id: int
    file_name: str


class _CocoCategory(msgspec.Struct):
    id: int
    name: str


class _CocoAnnotation(msgspec.Struct):
    id: int
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    attributes: dict[str, Any] = {}


class _Coco(msgspec.Struct):
    images: list[_CocoImage]
    annotations: list[_CocoAnnotation]
    categories: list[_CocoCategory]


def _of_coco(document: _Coco, path: Path, mapping: Mapping) -> Iterator[Finding]:
    for what, ids in (("images", document.images), ("categories", document.categories)):
        twice = next((one for one, count in Counter(each.id for each in ids).items() if count > 1), None)
        if twice is not None:
            yield Problem(path.name, f"{what}: id {twice} stands there twice; export each set of annotations by itself")
            return
    files = {image.id: image.file_name for image in document.images}
    names = {category.id: category.name for category in document.categories}
    boxes = dict[int, list[_Box]]()
    for note in document.annotations:
        where = f"{path.name}: annotation {note.id}"
        if note.image_id not in files or note.category_id not in names:
            what = "image" if note.image_id not in files else "category"
            yield Problem(where, f"names {what} {getattr(note, what + '_id')}, which is not listed; export it whole")
        elif note.attributes.get("rotation"):
            yield Problem(where, "is a turned box; draw it upright")
        else:
            x, y, width, height = note.bbox
            name = note.attributes.get("joint")
            box = _Box(where, str(name or note.id), names[note.category_id], Corners(x, y, x + width, y + height))
            boxes.setdefault(note.image_id, []).append(box)
    folder = path.parent
    place = _Place(folder.parent if folder.name == "annotations" else folder, folder, mapping)
    for image, found in boxes.items():
        yield from place.joints(files[image], f"{path.name}: image {image}", found)


def read_voc(source: Path, mapping: Mapping) -> Iterator[Finding]:
    """An XML a picture, in one folder or in folders below it."""
    root = source.parent if source.is_file() else source
    for path in files_with(source, ".xml"):
        where = path.relative_to(root).as_posix()
        try:
            read = _Voc(read_plain(path, _MOST_BYTES))
        except (OSError, expat.ExpatError, ValueError) as error:
            remedy = "export Pascal VOC, or move other files away"
            yield Problem(where, f"no Pascal VOC annotation ({error}); {remedy}")
            continue
        boxes, problems = _boxes(read, path, where)
        yield from problems
        yield from _Place(root, path.parent, mapping).joints(read.file or f"{path.stem}.png", where, boxes)


class _Voc:
    """What an annotation says: the picture's name, and of each object its texts by element."""

    def __init__(self, raw: bytes) -> None:
        """Raises ExpatError or ValueError."""
        self.file, self.objects = "", list[dict[str, str]]()
        self._open, self._text = list[str](), ""
        parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler = self._add
        parser.Parse(raw, True)  # noqa: FBT003 - expat's own signature

    def _refuse(self, *_: object) -> None:
        raise ValueError("a document type declaration")

    def _start(self, name: str, _: dict[str, str]) -> None:
        if not self._open and name != "annotation":
            raise ValueError(f"begins with <{name}>")
        self._open.append(name)
        self._text = ""
        if self._open == ["annotation", "object"]:
            self.objects.append({})

    def _add(self, text: str) -> None:
        self._text += text

    def _end(self, name: str) -> None:
        text, within = self._text.strip(), self._open[:-1]
        if within == ["annotation"] and name == "filename":
            self.file = text
        elif within in (["annotation", "object"], ["annotation", "object", "bndbox"]):
            if name in self.objects[-1]:
                raise ValueError(f"an object with two {name}")
            self.objects[-1][name] = text
        self._open.pop()
        self._text = ""


def _boxes(read: _Voc, path: Path, within: str) -> tuple[list[_Box], list[Problem]]:
    boxes, problems = list[_Box](), list[Problem]()
    for number, said in enumerate(read.objects, 1):
        where = f"{within}: object {number}"
        try:
            corners = Corners(*(float(said[corner]) for corner in Corners._fields))
        except (KeyError, ValueError):
            problems.append(Problem(where, "its bndbox has no four numbers xmin, ymin, xmax, ymax; export boxes"))
            continue
        if said.get("name"):
            boxes.append(_Box(where, said.get("joint") or f"{path.stem}#{number}", said["name"], corners))
        else:
            problems.append(Problem(where, "has no name; export the class of every object"))
    return boxes, problems
