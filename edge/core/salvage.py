"""What a manifest that was refused still names: enough to send each of its joints to the specialist."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from edge.core.job import NamedJoint

_JOINTS, _ENTRY = re.compile(r'"joints"\s*:\s*\['), re.compile(r"[\s,]*(?=\{)")
_JOB_ID, _SERIAL = re.compile(r'"job_id"\s*:\s*"([^"\\]*)"'), re.compile(r'"serial"\s*:\s*"([^"\\]*)"')
_LONGEST_NAME = 240


class Salvage(NamedTuple):
    """What can be read from a manifest that was refused: enough to name its joints to the specialist."""

    job_id: str | None
    serial: str | None
    joints: tuple[NamedJoint, ...]
    whole: bool = True
    """Whether these are all that it names."""


def salvage(raw: bytes) -> Salvage:
    """Name every joint that a refused manifest still names; never raises."""
    text = raw.decode("utf-8", "surrogateescape")  # merely to name: what cannot be read is not judged by
    keys = _Keys()
    try:
        document = json.loads(text, object_pairs_hook=keys.merged)
    except (ValueError, RecursionError):
        return _before_the_break(text)
    if not isinstance(document, dict):
        return Salvage(None, None, (), whole=False)
    board, joints = document.get("board"), document.get("joints")
    serial = _text(board.get("serial")) if isinstance(board, dict) else None
    entries = joints if isinstance(joints, list) else []
    whole = isinstance(joints, list) and all(isinstance(entry, dict) for entry in entries) and not keys.lost
    return Salvage(_text(document.get("job_id")), serial, _named(entries), whole=whole)


def _before_the_break(text: str) -> Salvage:
    """What a document that is cut or broken says up to there."""
    entries: list[Any] = []
    start, reader = _JOINTS.search(text), json.JSONDecoder(object_pairs_hook=_Keys().merged)
    place = start.end() if start else len(text)
    while (found := _ENTRY.match(text, place)) is not None:
        try:
            entry, place = reader.raw_decode(text, found.end())
        except (ValueError, RecursionError):
            break
        entries.append(entry)
    job_id, serial = (match and _text(match[1]) for match in (_JOB_ID.search(text), _SERIAL.search(text)))
    return Salvage(job_id or None, serial or None, _named(entries), whole=False)


def _named(entries: Sequence[object]) -> tuple[NamedJoint, ...]:
    """Each entry under a name of its own: one without is called by its place, the second of a name by its number."""
    found, numbers = dict[str, NamedJoint](), dict[str, int]()
    for i, entry in enumerate(entries):
        says = entry if isinstance(entry, dict) else {}
        name = first = _text(says.get("id")) or f"joints[{i}]"
        stem = first[:_LONGEST_NAME]
        number = numbers.get(stem, 1)
        while name in found:
            number += 1
            name = f"{stem}#{number}"
        numbers[stem] = number
        found[name] = NamedJoint(name, _text(says.get("refdes")) or "", _text(says.get("pin")) or "")
    return tuple(found.values())


def _text(value: object) -> str | None:
    """A usable name: a non-empty string, or a number that a careless exporter left unquoted."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    return str(value).encode("utf-8", "backslashreplace").decode()[:256] or None


class _Keys:
    """Keeps every joint of a key that appears twice. ``lost``: something else was said twice, and its first is gone."""

    def __init__(self) -> None:
        self.lost = False

    def merged(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        together: dict[str, Any] = {}
        for key, value in pairs:
            before = together.get(key)
            if isinstance(before, list) and isinstance(value, list):
                before.extend(value)
                continue
            self.lost |= key in together
            together[key] = value
        return together
