"""Is a view what it claims to be? Its look is compared with what was learnt of that view of its board type."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from edge.core.job import Joint
from edge.core.looks import Boxes, Look, Sight
from edge.core.reference import Doubt, Known, known_of
from edge.inspection.ports import References

log = logging.getLogger(__name__)

_HELD = 24
"""References that are ready to compare with; one of four slices takes some five megabytes, of six eight."""
_MOST_OTHERS = 8
"""Views of the board type that one is compared with, those learnt last."""
_MOST_BOXES = 300
"""Of a view: others are not learnt, or a sight could be of any size."""


class Compared(NamedTuple):
    """``doubt``: why the view is not what it claims to be. ``unknown``: nothing is known of it, but of others of its
    board type. ``sight``: what there is to learn from it; nothing from a mistake that is known as one.
    """

    doubt: str = ""
    unknown: bool = False
    sight: Sight | None = None


class Gallery:
    """Use it from one thread. Raises JournalError where ``references`` do."""

    def __init__(self, references: References) -> None:
        self._references = references
        self._held: OrderedDict[int, Known | None] = OrderedDict()

    def compare(self, board_type: str, view: str, look: Look | None, joints: Sequence[Joint]) -> Compared:
        """A view of a board, with all its joints. A board without a type, or that shows nothing, is not compared."""
        if not board_type or look is None:
            return Compared()
        sight, learnt = Sight(look, boxes_of(joints)), self._references.learnt(board_type)
        doubt = Doubt()
        own = self._known(learnt.get(view, ()))
        for known in own:
            doubt = known.doubt(sight, self._told_from(view, known, learnt))
            if not doubt.text:
                return Compared()
        learns = not doubt.mistake and self._references.wanted(board_type, view)
        return Compared(doubt.text, unknown=bool(learnt) and not own, sight=sight if learns else None)

    def _told_from(self, view: str, known: Known, learnt: Mapping[str, Sequence[int]]) -> dict[str, Known]:
        """Other views of the board type that a view is surely told from: some look alike, as boards of a panel do."""
        newest = sorted(((numbers[0], name) for name, numbers in learnt.items() if name != view), reverse=True)
        found = {}
        for number, name in newest[:_MOST_OTHERS]:
            other = self._ready(number)
            if other is not None and (name in known.reference.told_views or view in other.reference.told_views):
                found[name] = other
        return found

    def _known(self, numbers: Sequence[int]) -> list[Known]:
        return [known for number in numbers if (known := self._ready(number)) is not None]

    def _ready(self, number: int) -> Known | None:
        """None where it was written by another version, and cannot be read."""
        if number not in self._held:
            known = self._held[number] = known_of(self._references.reference(number))
            if known is None:
                log.warning("reference not readable", extra={"number": number})
            if len(self._held) > _HELD:
                self._held.popitem(last=False)
        self._held.move_to_end(number)
        return self._held[number]


def boxes_of(joints: Sequence[Joint]) -> Boxes:
    """Where the joints of a view lie."""
    joints = joints[:_MOST_BOXES]
    rois = [joint.roi for joint in joints]
    places = tuple(
        ((roi.xmin + roi.xmax) / 2, (roi.ymin + roi.ymax) / 2, (roi.xmax - roi.xmin + roi.ymax - roi.ymin) / 2)
        for roi in rois
    )
    return Boxes(tuple(joint.id for joint in joints), places)
