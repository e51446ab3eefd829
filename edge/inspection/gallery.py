"""Is a view what it claims to be? Its look is compared with what was learnt of that view of its board type."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from edge.core.job import Joint
from edge.core.looks import Boxes, Look, Sight
from edge.core.reference import Known, Reference
from edge.inspection.ports import References

log = logging.getLogger(__name__)

_HELD = 64
"""References that are ready to compare with; one takes half a megabyte."""


class Compared(NamedTuple):
    """``doubt``: why the view is not what it claims to be. ``unknown``: nothing is known of it, but of others of its
    board type. ``sight``: what there is to learn from it.
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
        own = self._known(learnt.get(view, ()))
        others = {
            name: found[0] for name, numbers in learnt.items() if name != view and (found := self._known(numbers))
        }
        doubt = ""
        for known in own:
            doubt = known.doubt(sight, others)
            if not doubt:
                return Compared()
        keep = sight if self._references.wanted(board_type, view) else None
        return Compared(doubt, unknown=bool(learnt) and not own, sight=keep)

    def _known(self, numbers: Sequence[int]) -> list[Known]:
        return [known for number in numbers if (known := self._ready(number)) is not None]

    def _ready(self, number: int) -> Known | None:
        """None where it was written by another version, and cannot be read."""
        if number not in self._held:
            self._held[number] = _readable(self._references.reference(number))
            if len(self._held) > _HELD:
                self._held.popitem(last=False)
        self._held.move_to_end(number)
        return self._held[number]


def boxes_of(joints: Sequence[Joint]) -> Boxes:
    """Where the joints of a view lie."""
    rois = [joint.roi for joint in joints]
    places = tuple(
        ((roi.xmin + roi.xmax) / 2, (roi.ymin + roi.ymax) / 2, (roi.xmax - roi.xmin + roi.ymax - roi.ymin) / 2)
        for roi in rois
    )
    return Boxes(tuple(joint.id for joint in joints), places)


def _readable(raw: bytes) -> Known | None:
    try:
        return Known(msgspec.msgpack.decode(raw, type=Reference))
    except (msgspec.DecodeError, ValueError) as error:
        log.warning("reference not readable", extra={"problem": str(error)})
        return None
