"""Documents against the structs that describe them: what is in them, what is unknown, where something is wrong.

One walk serves every document people or machines write: manifests, configuration files, recipes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple, get_args, get_origin

import msgspec
from msgspec import Struct


class Part(NamedTuple):
    """A table of a document, the path to it (array positions folded to ``[]``), and the struct that describes it.

    ``named_freely``: its own name is for the writer to choose. ``table`` may then be anything; elsewhere it is a dict.
    """

    path: str
    table: Any
    kind: type[Struct]
    named_freely: bool = False

    @property
    def unknown(self) -> list[str]:
        """Keys that the struct does not declare."""
        return [key for key in self.table if key not in declared(self.kind)] if isinstance(self.table, dict) else []


def parts(table: Any, kind: type[Struct], path: str = "", *, named_freely: bool = False) -> Iterator[Part]:
    """The table itself and, depth first, every table in it that a struct describes."""
    if not isinstance(table, dict) and not named_freely:
        return
    yield Part(path, table, kind, named_freely)
    if not isinstance(table, dict):
        return
    for key, kinds in _inner(kind).items():
        if key in table:
            yield from _within(table[key], kinds, f"{path}.{key}" if path else key)


class _Inner(NamedTuple):
    """Structs in a field: of the values of a mapping, and of anything else. At least one of the two."""

    valued: type[Struct] | None
    other: type[Struct] | None


def _within(value: Any, kinds: _Inner, path: str) -> Iterator[Part]:
    if kinds.valued is not None and isinstance(value, dict):
        for name, table in value.items():
            yield from parts(table, kinds.valued, f"{path}.{name or '(empty)'}", named_freely=True)
    elif kinds.other is not None and isinstance(value, list):
        for item in value:
            yield from parts(item, kinds.other, f"{path}[]")
    elif kinds.other is not None:
        yield from parts(value, kinds.other, path)


@cache
def _inner(kind: type[Struct]) -> Mapping[str, _Inner]:
    """Key -> what lies in it, of those fields of a struct in which there are structs."""
    found = {}
    for key, types in declared(kind).items():
        mapping = get_origin(types) is dict
        inside = _Inner(_struct_in(get_args(types)[1]) if mapping else None, _struct_in(types))
        if any(inside):
            found[key] = inside
    return found


@cache
def declared(kind: type[Struct]) -> Mapping[str, Any]:
    """Key -> type of every field of a struct, as documents spell it."""
    return {field.encode_name: field.type for field in msgspec.structs.fields(kind)}


@cache
def _struct_in(types: Any) -> type[Struct] | None:
    """The Struct inside a field's declared type (``X``, ``X | None``, ``tuple[X, ...]``, ``Annotated``)."""
    if isinstance(types, type) and issubclass(types, Struct):
        return types
    for argument in getattr(types, "__args__", ()):
        inner = _struct_in(argument)
        if inner is not None:
            return inner
    return None


def place_of(problem: str) -> tuple[str, str]:
    """msgspec's 'what - at `$.where`' as (what, where); ``where`` is empty when the whole document is meant."""
    match = re.fullmatch(r"(.*?) - at `(?:key in )?\$\.?(.*)`", problem, re.DOTALL)
    return (match[1], match[2]) if match else (problem, "")
