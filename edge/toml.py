"""TOML files into frozen structs, and back: an unknown key is an error that names the nearest valid one."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from edge.core.errors import ConfigError
from edge.core.fields import Part, declared, parts
from edge.core.wording import in_words
from edge.files import as_utf8

_DEVICES_OWN = frozenset({"device", "model", "mqtt", "spool", "journal"})
"""Sections of a device's configuration, which is often given where another file is due."""
S = TypeVar("S", bound=Struct)


def load_toml(path: Path, kind: type[S], over: Sequence[Path] = ()) -> S:
    """Read a TOML file into the struct ``kind``; it is whole by itself. What the files ``over`` it say, each over those
    before it, is in force in its place. Raises ConfigError naming file, key and remedy.
    """
    document = _document(_content(path, kind), kind, path)
    found = _converted(document, kind, path)
    for above in over:
        document = _merged(document, _document(_content(above, kind), kind, above))
        found = _converted(document, kind, above)
    return found


def parse_toml(raw: bytes, kind: type[S], source: str) -> S:
    """The same of what was read elsewhere; ``source``: where, as errors name it."""
    return _converted(_document(raw, kind, source), kind, source)


def _content(path: Path, kind: type[Struct]) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        remedy = "name a readable TOML file"
        if isinstance(error, FileNotFoundError) and "device" in declared(kind):
            remedy = f"{remedy}; axi-edge setup writes a device's configuration"
        raise ConfigError(f"{path}: {error.strerror or error}; {remedy}") from error


def _document(raw: bytes, kind: type[Struct], path: Path | str) -> dict[str, Any]:
    try:
        text = as_utf8(raw).decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: no text in UTF-8; save it as such") from error
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # of text, and of numbers that Python does not read
        raise ConfigError(
            f"{path}: not valid TOML: {error}; text stands in quotes, a table in [brackets], a list in [ ]"
        ) from error
    _require_text(document, path)
    for part in parts(document, kind):
        _check(part, path)
    return document


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Table by table; a value that is no table is taken whole."""
    both = {
        key: _merged(below[key], value)
        for key, value in above.items()
        if isinstance(value, dict) and isinstance(below.get(key), dict)
    }
    return below | above | both


def _require_text(value: Any, path: Path | str, where: str = "") -> None:
    """Raises ConfigError for a zero character, which no path and no name may have."""
    if isinstance(value, str) and "\0" in value:
        raise ConfigError(f"{path}: [{where}]: a zero character; remove it")
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        _require_text(each, path, f"{where}.{key}".strip("."))


def toml_text(document: Mapping[str, Mapping[str, str | float | bool | Sequence[str | float]]]) -> str:
    """A TOML file of these tables: text, numbers, truth values and lists, as ``load_toml`` reads them."""
    tables = (
        [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
        for name, table in document.items()
    )
    return "\n\n".join("\n".join(lines) for lines in tables) + "\n"


def _check(part: Part, path: Path | str) -> None:
    """Raises ConfigError for an unknown key, and for what is no table where each name is free to choose."""
    if not isinstance(part.table, dict) or part.path.endswith(".(empty)"):
        raise ConfigError(f"{path}: [{part.path}]: a table with a name is expected, its keys below it")
    for key in part.unknown:
        where = f"[{part.path}] {key}" if part.path else f"[{key}]"
        raise ConfigError(f"{path}: {where}: unknown; {_nearest(key, part)}")
    if part.named_freely:  # where msgspec would not say in which of the tables
        _converted(part.table, part.kind, path, part.path)


def _nearest(key: str, part: Part) -> str:
    """What was probably meant: a name like it, or the table that it was written outside of."""
    names = list(declared(part.kind))
    if not part.path and not isinstance(part.table.get(key), dict):
        for section, types in declared(part.kind).items():
            if isinstance(types, type) and issubclass(types, Struct) and key in declared(types):
                return f"it stands outside any table; put it below [{section}]"
    near = difflib.get_close_matches(key, names, n=1, cutoff=0.5)
    if near and (part.path or key not in _DEVICES_OWN):
        return f"the nearest valid name is {near[0]!r}"
    other = " this is another kind of file;" if not part.path and set(names).isdisjoint(part.table) else ""
    return f"{other} valid are: {', '.join(names)}".strip()


def _converted(document: Any, kind: type[S], path: Path | str, section: str = "") -> S:
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {_plain(str(error), kind, section)}") from error


def _plain(problem: str, kind: type[Struct], within: str) -> str:
    """'[section] key: problem'; ``within``: the section that was read."""
    what, where = in_words(problem, kind)
    where = where.replace("[...]", "")  # in which entry of a table with free names, msgspec does not say
    missing = re.fullmatch(r"(\w+) is missing", what)
    if missing:
        where = f"{where}.{missing.group(1)}" if where else missing.group(1)
        what = "missing; add it"
    section, _, key = f"{within}.{where}".strip(".").rpartition(".")
    return f"[{section}] {key}: {what}" if section else f"[{key}]: {what}"
