"""From what an export calls a joint to its class."""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import Enum

from convert.importing.found import Found, Problem
from convert.importing.mapping import LEFT_OUT, Kind, Mapping
from edge.core.card import NORMAL, NORMAL_NAMES

DEFECT = "defect"
_USUAL: dict[Kind, dict[str, str]] = {
    "results": {"false call": NORMAL, "repaired": DEFECT},
    "cfx": {"defectrejected": NORMAL, "defectconfirmed": DEFECT, "defectrepaired": DEFECT},
}
"""Of the repair station's words, those that public readers of such exports understand."""
_OPEN: dict[Kind, frozenset[str]] = {
    "results": frozenset({"", "active", "none"}),
    "cfx": frozenset({"", "notverified", "notverifiedyet"}),
    "lot": frozenset({""}),
}
"""Nobody has looked at the joint yet."""


class Outside(Enum):
    """Why a joint has no class."""

    OPEN = "nobody has said what they are"
    LEFT_OUT = "left out, as the mapping has it"
    UNKNOWN = "their label has no class"


class Classes:
    """The class of each joint. Labels that nothing maps are kept, with where they stand."""

    def __init__(self, kind: Kind, mapping: Mapping) -> None:
        self._kind = kind
        usual = dict.fromkeys(NORMAL_NAMES, NORMAL) | {DEFECT: DEFECT} | _USUAL.get(kind, {})
        self._known = usual | {label.strip().casefold(): name for label, name in mapping.labels.items()}
        self._defects = {call.strip().casefold(): name for call, name in mapping.defects.items()}
        self._unknown = dict[str, list[str]]()

    def of(self, found: Found) -> str | Outside:
        name = self.called(found.label, found.where)
        if isinstance(name, Outside):
            return name
        if name == LEFT_OUT:
            return Outside.LEFT_OUT
        if name.casefold() in NORMAL_NAMES:
            return NORMAL
        if name.casefold() == DEFECT:
            return self._defects.get(found.call.strip().casefold(), DEFECT)
        return name

    def called(self, label: str, where: str) -> str | Outside:
        """What the mapping makes of a label; one that it does not know is kept."""
        label = label.strip()
        name = self._known.get(label.casefold())
        if name is None and label.casefold() in _OPEN.get(self._kind, ()):
            return Outside.OPEN
        if name is None and self._kind == "lot":
            name = label
        if name is None:
            spelled = next((known for known in self._unknown if known.casefold() == label.casefold()), label)
            self._unknown.setdefault(spelled, []).append(where)
            return Outside.UNKNOWN
        return name

    def problems(self) -> Iterator[Problem]:
        """A sentence for each label that nothing maps, with the line to write."""
        for label, places in sorted(self._unknown.items(), key=lambda item: -len(item[1])):
            line = f'{json.dumps(label, ensure_ascii=False)} = "..."'
            remedy = f'say in the mapping, below [labels]: {line}, with "normal", a defect\'s class or "{LEFT_OUT}"'
            said = f"label {label!r}, of {_joints(len(places))}, has no class; {remedy}"
            yield Problem(places[0], said, grave=True)


def _joints(count: int) -> str:
    return f"{count} joint{'s' * (count != 1)}"
