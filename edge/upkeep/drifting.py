"""Charts of what X-rays show: kept over restarts, and an alarm for each board type that is on the move."""

from __future__ import annotations

from collections.abc import Sequence

from edge.core.drift import BOARDS_A_FALSE_ALARM
from edge.core.job import printable
from edge.inspection.drifts import Drifts
from edge.upkeep.alarms import Alarms
from edge.upkeep.ports import KeptCharts

_CODE = "xray_drift"


class Drifting:
    """One ``step`` an interval. Whoever drops a board type's charts from the journal has them begin anew."""

    def __init__(self, drifts: Drifts, book: KeptCharts, alarms: Alarms) -> None:
        self._drifts, self._book, self._alarms = drifts, book, alarms
        self._written = book.names()

    def step(self) -> None:
        held = self._book.names()
        self._drifts.forget(self._written - held)
        moved = self._drifts.take_moved()
        self._book.keep(moved)
        self._written = held.union(moved) - {name for name, one in moved.items() if one is None}
        charts = self._drifts.all()
        for board_type in self._alarms.about(_CODE) - charts.keys():
            text = f"board type {_named(board_type)} is charted anew"
            self._alarms.set(_CODE, text, on=False, about=board_type)
        for board_type, one in charts.items():
            moving = one.moving
            self._alarms.set(_CODE, _text(board_type, moving), on=bool(moving), about=board_type)


def _text(board_type: str, moving: Sequence[str]) -> str:
    if not moving:
        return f"board type {_named(board_type)}: joints look as usual again"
    chance = f"by chance less than once in {BOARDS_A_FALSE_ALARM:,} boards"
    remedy = "look at the machine's tube, detector and exposure"
    return f"board type {_named(board_type)}: {'; '.join(moving)} ({chance}); {remedy}"


def _named(board_type: str) -> str:
    return printable(board_type) or "unnamed"
