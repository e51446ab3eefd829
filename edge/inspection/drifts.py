"""Control charts of every board type: moved on by inspection as boards are done, read by housekeeping."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence

from edge.core.drift import Charts, board_of
from edge.core.payloads import Drift, DriftChart
from edge.core.verdict import Decision

_BOARD_TYPES = 500
"""Whose charts are kept; the one that was not seen for longest goes first."""
_SHOWN = 50


class Drifts:
    """Both sides may use it at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._charts: OrderedDict[str, Charts] = OrderedDict()
        self._judged_by = ""
        self._moved: set[str] = set()
        self._job, self._decisions = "", list[Decision]()

    def restore(self, kept: Mapping[str, Charts]) -> None:
        """Go on where they were before a restart."""
        with self._lock:
            self._charts.update(kept)

    def judge_by(self, judged_by: str) -> None:
        """By what joints are judged from the next job on; charts of anything else begin anew."""
        with self._lock:
            self._judged_by = judged_by

    def note(self, job_id: str, decisions: Sequence[Decision]) -> None:
        """What the network says of joints of the job in hand."""
        if job_id != self._job:
            self._job, self._decisions = job_id, []
        self._decisions.extend(decisions)

    def close(self, job_id: str, board_type: str, joints: int) -> None:
        """The job is done. One of which some joints were decided before a restart is no sample: those were of its
        first views.
        """
        noted = self._decisions if job_id == self._job else []
        self._job, self._decisions = "", []
        if not noted or len(noted) != joints:
            return
        with self._lock:
            before = self._charts.pop(board_type, None)
            if before is None or before.judged_by != self._judged_by:
                before = Charts(judged_by=self._judged_by)
            self._charts[board_type] = before.after(board_of(noted))
            self._moved.add(board_type)
            if len(self._charts) > _BOARD_TYPES:
                self._charts.popitem(last=False)

    def all(self) -> dict[str, Charts]:
        """Those that hold for what is judged by now, the ones seen last at the end."""
        with self._lock:
            return {name: charts for name, charts in self._charts.items() if charts.judged_by == self._judged_by}

    def take_moved(self) -> dict[str, Charts | None]:
        """What moved since this was asked last; None where it is kept no more."""
        with self._lock:
            moved, self._moved = self._moved, set()
            return {name: self._charts.get(name) for name in moved}

    def forget(self, board_types: Collection[str]) -> None:
        """They begin anew."""
        with self._lock:
            for name in board_types:
                self._charts.pop(name, None)
                self._moved.discard(name)


def shown(charts: Mapping[str, Charts]) -> dict[str, Drift]:
    """As metrics have it; no more board types than fit a message, those seen last."""
    return {name: _drift(charts[name]) for name in list(charts)[-_SHOWN:]}


def _drift(charts: Charts) -> Drift:
    normal, unjudged, p_defect = (
        DriftChart(
            lately=round(one.lately, 4), usual=round(one.usual, 4), moved=round(one.moved, 2), drifting=one.drifting
        )
        if one.boards
        else None
        for one in (charts.normal, charts.unjudged, charts.p_defect)
    )
    return Drift(boards=charts.normal.boards, normal=normal, unjudged=unjudged, p_defect=p_defect)
