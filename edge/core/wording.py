"""What is wrong with a document, in words that need no knowledge of Python or of regular expressions."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from msgspec import Struct, inspect

from edge.core.fields import place_of

_KINDS = {
    "str": "text, in quotes",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table of keys",
    "null": "nothing",
}
_GOT = {**_KINDS, "str": "text", "float": "a number with a fraction"}
_LIMITS = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}


def in_words(problem: str, kind: type[Struct]) -> tuple[str, str]:
    """What msgspec says of a document that is no ``kind``, as (what is wrong, where); ``where`` is empty when the whole
    document is meant.
    """
    what, where = place_of(problem)
    return _plain(what, kind, where), where


def _plain(what: str, kind: type[Struct], where: str) -> str:
    if what.startswith("Expected `str` matching regex"):
        described = _description(_types_at(kind, where))
        return f"must be {described}" if described else what
    if what.startswith("Invalid enum value "):
        allowed = _choices(_types_at(kind, where))
        return f"{what.removeprefix('Invalid enum value ')} is none of {', '.join(allowed)}" if allowed else what
    for pattern, words in _PATTERNS:
        if match := re.fullmatch(pattern, what):
            return words(match)
    return what


def _of_length(match: re.Match[str]) -> str:
    if match.group(2, 3) == (">=", "1"):
        return "is empty"
    counted = "characters" if match[1] == "str" else "entries"
    return f"has {'fewer' if match[2] == '>=' else 'more'} than {match[3]} {counted}"


_PATTERNS: tuple[tuple[str, Callable[[re.Match[str]], str]], ...] = (
    (
        r"Expected `([\w |]+)`, got `(\w+)`",
        lambda match: f"{_named(match[1])} is expected, not {_GOT.get(match[2], match[2])}",
    ),
    (
        r"Expected `\w+` (>=|<=|>|<) (\S+)",
        lambda match: f"must be {_LIMITS[match[1]]} {match[2].removesuffix('.0')}",
    ),
    (r"Expected `(\w+)` of length (>=|<=) (\d+)", _of_length),
    (r"Expected `array` of length (\d+), got (\d+)", lambda match: f"has {match[2]} entries instead of {match[1]}"),
    (r"Expected `array` of length (\d+) to (\d+), got (\d+)", lambda match: f"has {match[3]} entries"),
    (r"Object missing required field `(.*)`", lambda match: f"{match[1]} is missing"),
)


def _named(kinds: str) -> str:
    return " or ".join(_KINDS.get(one, one) for one in kinds.split(" | ") if one != "null")


@cache
def _described(kind: type[Struct]) -> inspect.Type:
    return inspect.type_info(kind)


def _types_at(kind: type[Struct], where: str) -> list[inspect.Type]:
    """Whatever may stand there, descriptions of it included; empty where that cannot be followed."""
    found = [_described(kind)]
    for step in re.findall(r"\[[^\]]*\]|[^.\[\]]+", where):
        found = [inner for one in _flat(found) for inner in _below(one, step)]
    return _flat(found, keep=True)


def _flat(types: list[Any], *, keep: bool = False) -> list[Any]:
    """Without unions and, unless they are to be kept, what is only said about a type."""
    flat = list[Any]()
    for one in types:
        if isinstance(one, inspect.UnionType):
            flat += _flat(list(one.types), keep=keep)
        elif isinstance(one, inspect.Metadata):
            flat += [one, *_flat([one.type], keep=keep)] if keep else _flat([one.type])
        else:
            flat.append(one)
    return flat


def _below(one: Any, step: str) -> list[Any]:
    if isinstance(one, inspect.StructType):
        return [field.type for field in one.fields if field.encode_name == step]
    if isinstance(one, inspect.DictType):
        return [one.value_type]
    if isinstance(one, inspect.VarTupleType | inspect.ListType):
        return [one.item_type]
    if isinstance(one, inspect.TupleType):
        return list(one.item_types)
    return []


def _description(types: list[Any]) -> str:
    said = (one.extra_json_schema or {} for one in types if isinstance(one, inspect.Metadata))
    return next((str(one["description"]) for one in said if "description" in one), "")


def _choices(types: list[Any]) -> list[str]:
    found = list[str]()
    for one in types:
        if isinstance(one, inspect.LiteralType):
            found += [repr(value) for value in one.values]
        elif isinstance(one, inspect.EnumType):
            found += [repr(member.value) for member in one.cls]
    return found
