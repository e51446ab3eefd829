"""A table, a row a joint: commas, semicolons or tabs between its cells, decimal points or commas, UTF-8 or UTF-16."""

from __future__ import annotations

import difflib
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Mapping_
from pathlib import Path
from typing import NamedTuple

from convert.importing.found import Corners, Finding, Found, Problem, job_named
from convert.importing.mapping import ColumnsSection, Mapping, as_moment
from convert.importing.pictures import is_picture, said_by, slices_at, tile_of
from edge.files import encoding_of, read_plain
from edge.jobs import tables
from edge.jobs.vendors import joined

_MOST_BYTES = 512 * 1024 * 1024
_SEPARATORS = ",;\t"
_ENCODINGS = ("cp1252", "cp1250", "cp1251", "gb18030")
"""Of Excel in Western and Central Europe, in Cyrillic, and in China."""
FORMS = (("xmin", "ymin", "xmax", "ymax"), ("x", "y", "width", "height"), ("cx", "cy", "width", "height"))
"""Corners; a corner and the size; the middle and the size."""
_OF_BOXES = ("xmin", "ymin", "xmax", "ymax", "x", "y", "cx", "cy", "width", "height")
_ROLES = ColumnsSection.__struct_fields__


def read_table(source: Path, mapping: Mapping) -> Iterator[Finding]:
    """Every row of a table. Pictures lie beside it, or where [source] images says."""
    path = source if source.is_file() else _only_table(source)
    if path is None:
        yield Problem(str(source), "holds several tables, or none; name the table itself")
        return
    try:
        raw, doubt = _as_utf8(read_plain(path, _MOST_BYTES), mapping.source.encoding)
    except OSError as error:
        yield Problem(path.name, f"not readable ({error.strerror}); export it again")
        return
    if doubt:
        yield Problem(f"{path.name}: {doubt[0]}", doubt[1], grave=True)
    separator = _separator(raw)
    table = tables.read_table(raw, separator=separator)
    if table.doubt:
        yield Problem(path.name, table.doubt)
        return
    columns = _columns(table.columns, mapping, _only_picture(path.parent))
    if not isinstance(columns, _Columns):
        for problem in columns:
            yield Problem(path.name, problem)
        return
    rows = _Rows(path, columns, separator, mapping)
    for row in table.rows:
        yield rows.read(row)


def _as_utf8(raw: bytes, encoding: str) -> tuple[bytes, tuple[str, str] | None]:
    """The table, and where and what is wrong with all its characters: then all else that is wrong is still to be told.
    Of text that is in UTF-8 but for some of it, its rows tell.
    """
    try:
        return raw.decode(encoding or encoding_of(raw)).encode(), None
    except UnicodeError as error:
        start = getattr(error, "start", 0)
    first, *others = _readings(raw, start)
    guessed, line = raw.decode(first[0], "backslashreplace").encode(), f"line {_line_of(raw, start)}"
    if encoding:
        return guessed, (line, f"no text in {encoding}; correct [source] encoding, or export it as UTF-8")
    if encoding_of(raw) == "utf-16" or not raw.decode("utf-8", "ignore").isascii():
        return raw, None
    remedy = f'say in the mapping how it is written: [source] encoding = "{first[0]}", if {first[1]!r} is right there'
    more = ", ".join(f'"{name}" is {text!r}' for name, text in others)
    return guessed, (line, f"not UTF-8 text; {remedy} ({more}); or export it as UTF-8")


def _line_of(raw: bytes, start: int) -> int:
    return raw[:start].count(b"\n") + 1


def _readings(raw: bytes, start: int) -> list[tuple[str, str]]:
    """The first word that is no ASCII, in each usual encoding, those first that make it one of letters."""
    word = re.match(rb"[\w\x80-\xff]*", raw[start - len(re.split(rb"[^\w\x80-\xff]", raw[:start])[-1]) :])
    readings = [(name, (word[0] if word else b"").decode(name, "replace")) for name in _ENCODINGS]
    return sorted(readings, key=lambda reading: not reading[1].isalpha())


def tables_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in {".csv", ".tsv"} and path.is_file())


def _only_table(folder: Path) -> Path | None:
    found = tables_in(folder)
    return found[0] if len(found) == 1 else None


def _only_picture(folder: Path) -> str:
    """The name of the one picture in a folder; empty where there are none, or several."""
    found = [path.name for path in folder.iterdir() if is_picture(path)]
    return found[0] if len(found) == 1 else ""


def _separator(raw: bytes) -> str:
    """What the first row has most of."""
    head = raw[:65_536]
    first = head.decode(encoding_of(head), "replace").lstrip("\r\n").partition("\n")[0]
    return max(_SEPARATORS, key=first.count)


class _Columns(NamedTuple):
    """``at``: the table's column for each role that it has; ``form``: the roles that say the box; empty: none."""

    at: dict[str, str]
    form: tuple[str, ...]


def _columns(columns: Sequence[str], mapping: Mapping, only_picture: str) -> _Columns | list[str]:
    """Where each thing stands, or all that are missing, with the column that may be meant."""
    at, missing = dict[str, str](), list[str]()
    for role in _ROLES:
        asked = getattr(mapping.columns, role).strip().lower()
        if asked and asked not in columns:
            missing.append(f"[columns] {role}: there is no column {asked!r}{_nearest(asked, columns)}")
        elif asked or role in columns:
            at[role] = asked or role
    for role in ("image", "label"):
        asked = getattr(mapping.columns, role)
        if role not in at and not asked and not (role == "image" and mapping.source.image):
            said = f'no column {role!r}{_nearest(role, columns)}; name it in the mapping: [columns] {role} = "..."'
            only = f", or of one picture [source] image = {only_picture!r}" if role == "image" and only_picture else ""
            missing.append(f"{said}{only}")
    form = _form(at, mapping)
    unused = [role for role in _OF_BOXES if getattr(mapping.columns, role) and role not in form]
    if unused:
        beside = ", ".join(form) or "so few others"
        missing.append(f"[columns] {unused[0]}: is not used beside {beside}; name one form of box")
    elif not form and not mapping.boxes.whole:
        ways = "xmin, ymin, xmax, ymax; or x, y, width, height; or cx, cy, width, height"
        missing.append(
            f"no columns say where joints lie ({ways}); it has {', '.join(columns)}: name them in the mapping, below "
            "[columns], or say [boxes] whole = true where each picture is a joint"
        )
    return missing or _Columns(at, () if mapping.boxes.whole else form)


def _form(at: Mapping_[str, str], mapping: Mapping) -> tuple[str, ...]:
    """The roles that say the box: those that the mapping names, else the first that are all there."""
    whole = [form for form in FORMS if all(role in at for role in form)]
    named = [form for form in whole if any(getattr(mapping.columns, role) for role in form)]
    return max(
        named, key=lambda form: sum(bool(getattr(mapping.columns, role)) for role in form), default=(*whole, ())[0]
    )


def _nearest(name: str, columns: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, columns, n=1, cutoff=0.6)
    return f"; the nearest is {near[0]!r}" if near else f"; it has {', '.join(columns)}"


class _Rows:
    """Reads one row after the other, of which decimal marks must agree."""

    def __init__(self, path: Path, columns: _Columns, separator: str, mapping: Mapping) -> None:
        self._path, self._columns, self._mapping = path, columns, mapping
        self._commas = separator != ","
        self._folder = path.parent / mapping.source.images
        self._marks = Counter[str]()

    def read(self, row: tables.Row) -> Finding:
        where = f"{self._path.name}: line {row.line}"
        if row.problem or row.short:
            return Problem(where, row.problem or "fewer cells than columns; leave what is not known empty")
        cells = {"image": self._mapping.source.image}
        cells |= {role: row.cells[column] for role, column in self._columns.at.items()}
        found = self._read(where, cells, row.line)
        return found._replace(label=cells["label"] or None) if isinstance(found, Problem) else found

    def _read(self, where: str, cells: dict[str, str], line: int) -> Finding:
        for role in ("image", "label"):
            if not cells[role] and not (role == "label" and "" in self._mapping.labels):
                more = '; or say in the mapping, below [labels]: "" = "left-out"' if role == "label" else ""
                return Problem(where, f"{self._columns.at.get(role, role)}: empty; every joint needs it{more}")
        box = self._box(cells)
        return Problem(where, box) if isinstance(box, str) else self._found(where, cells, box, line)

    def _found(self, where: str, cells: dict[str, str], box: Corners | None, line: int) -> Finding:
        path = self._folder / cells["image"].replace("\\", "/")
        slices = slices_at(path, where, self._mapping)
        if isinstance(slices, Problem):
            return slices
        said = said_by(path, self._folder, where, self._mapping)
        if isinstance(said, Problem):
            return said
        cells["time"] = as_moment(cells.get("time", ""), self._mapping)
        named = {part: cells.get(part) or said.get(part, "") for part in ("board_type", "serial", "time", "joint")}
        view = said.get("view") or Path(cells["image"]).with_suffix("").as_posix()
        tile = tile_of(path, box, where, self._mapping)
        if isinstance(tile, Problem):
            return tile
        serial = f"{named['serial'] or view}{tile}"
        return Found(
            where=where,
            job=job_named(serial, named["time"]),
            serial=serial,
            board_type=named["board_type"] or self._mapping.source.board_type,
            time=named["time"],
            view=view,
            slices=slices,
            joint=named["joint"] or joined(cells.get("component", ""), cells.get("pin", "")) or f"row {line}",
            joint_type=cells.get("joint_type") or self._mapping.source.joint_type,
            box=box,
            label=cells["label"],
            call=cells.get("call", ""),
        )

    def _box(self, cells: dict[str, str]) -> Corners | str | None:
        """None of a whole picture; a text where it cannot be read."""
        if not self._columns.form:
            return None
        numbers = []
        for role in self._columns.form:
            number = self._number(cells[role])
            if isinstance(number, str):
                return f"{self._columns.at[role]}: {number}"
            numbers.append(number)
        return _corners(self._columns.form, numbers)

    def _number(self, text: str) -> float | str:
        mark = next((mark for mark in ",." if mark in text), "")
        if mark == "," and not self._commas:
            return f"{text!r} has a decimal comma in a table with commas between cells; export it with semicolons"
        self._marks[mark] += 1
        if self._marks[","] and self._marks["."]:
            return f"{text!r} has another decimal mark than rows before it; export all numbers with one"
        try:
            number = float(text.replace(",", "."))
        except ValueError:
            number = math.nan
        return number if math.isfinite(number) else f"{text!r} is no number; export one"


def _corners(form: Sequence[str], numbers: Sequence[float]) -> Corners:
    first, second, third, fourth = numbers
    if form[0] == "xmin":
        return Corners(first, second, third, fourth)
    if form[0] == "x":
        return Corners(first, second, first + third, second + fourth)
    return Corners(first - third / 2, second - fourth / 2, first + third / 2, second + fourth / 2)
