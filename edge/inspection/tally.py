"""What was judged lately: counted by the inspection loop, read by housekeeping."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

import numpy as np

from edge.core.payloads import Drift, LatencyMs, QualityTrend
from edge.core.trend import Trend
from edge.core.verdict import Verdict
from edge.core.wire import VerdictMessage
from edge.inspection.drifts import Drifts, shown

_KEPT = 2_000
_BOARD_TYPES = 500
"""Whose trends are kept; the one that was not seen for longest goes first."""
_SHOWN = 50
_LATELY = 360
"""Of how many board types metrics tell, those seen last, and for how many intervals after."""


class _Board(NamedTuple):
    """One board type. ``joints``, ``total``: graded since the last interval; ``idle``: intervals without any since."""

    trend: Trend = Trend()
    joints: int = 0
    total: float = 0.0
    idle: int = 0

    def after(self, indices: Sequence[float]) -> _Board:
        return _Board(self.trend.after(fmean(indices)), self.joints + len(indices), self.total + sum(indices))

    def rested(self) -> _Board:
        """As it is at the beginning of the next interval."""
        return _Board(self.trend, idle=self.idle + 1)

    def as_payload(self) -> QualityTrend:
        low, high = self.trend.limits or (None, None)
        return QualityTrend(
            joints=self.joints,
            mean=round(self.total / self.joints, 4) if self.joints else None,
            trend=round(self.trend.value, 4),
            usual=None if low is None else round(self.trend.usual, 4),
            low=None if low is None else round(low, 4),
            high=None if high is None else round(high, 4),
            drifting=self.trend.drifting,
        )


class Interval(NamedTuple):
    """Since the interval before: verdicts by call, and by board type how the quality index does, and what X-rays show.

    ``latency``: of the last joints that were scored.
    """

    joints: dict[str, int]
    latency: LatencyMs | None
    quality: dict[str, QualityTrend]
    drift: dict[str, Drift]


class Tally:
    """Counts verdicts; both sides may use it at once."""

    def __init__(self, drifts: Drifts | None = None) -> None:
        self.drifts = drifts or Drifts()
        self._lock = threading.Lock()
        self._joints: Counter[str] = Counter()
        self.judged = 0
        """Joints since the start."""
        self._reasons: Counter[tuple[str, str]] = Counter()
        self._latencies: deque[float] = deque(maxlen=_KEPT)
        self._trends: OrderedDict[str, _Board] = OrderedDict()
        self._slices: OrderedDict[str, tuple[int, bool]] = OrderedDict()
        self._going_on: OrderedDict[tuple[str, str], bool] = OrderedDict()

    def fewer_slices(self, board_type: str, view: str, slices: int) -> str:
        """What to say where a view has fewer slices than its board type had before, the first time; else nothing."""
        with self._lock:
            most, said = self._slices.pop(board_type, (0, False))
            fewer = slices < most
            self._slices[board_type] = max(most, slices), fewer
            if len(self._slices) > _BOARD_TYPES:
                self._slices.popitem(last=False)
        return f"board type {board_type}: view {view} has {slices} slices, others had {most}" if fewer > said else ""

    def begins(self, what: str, whose: str, *, on: bool = True) -> bool:
        """Is this news? It is the first time, and again once it was told to be over."""
        with self._lock:
            before = self._going_on.pop((what, whose), False)
            if on:
                self._going_on[what, whose] = True
            if len(self._going_on) > _BOARD_TYPES:
                self._going_on.popitem(last=False)
        return on and not before

    def note(self, verdicts: Sequence[Verdict], board_type: str = "") -> None:
        """Count the verdicts on a view of a board of this type."""
        with self._lock:
            self.judged += len(verdicts)
            for verdict in verdicts:
                self._joints[verdict.decision.call.value] += 1
                if verdict.decision.scored:
                    self._latencies.append(verdict.latency_ms)
            graded = (verdict.decision.quality_index for verdict in verdicts)
            indices = [index for index in graded if index is not None]
            if indices:
                board = self._trends.pop(board_type, _Board())
                self._trends[board_type] = board.after(indices)  # at the end: the longest unseen comes first
                if len(self._trends) > _BOARD_TYPES:
                    self._trends.popitem(last=False)

    def note_reasons(self, messages: Sequence[VerdictMessage]) -> None:
        """Count them by bundle."""
        with self._lock:
            for message in messages:
                said = message.payload
                self._reasons[said.model.digest if said.model else "", said.reason or ""] += 1

    def reasons(self, digest: str) -> Counter[str]:
        """Joints since the start that this bundle answers for, by their reason, '' where they have none."""
        with self._lock:
            return Counter({reason: count for (whose, reason), count in self._reasons.items() if whose == digest})

    def take(self) -> Interval:
        """What was counted since this was asked last."""
        with self._lock:
            joints, latencies = dict(self._joints), list(self._latencies)
            lately = [name for name, board in self._trends.items() if board.idle < _LATELY][-_SHOWN:]
            quality = {name: self._trends[name].as_payload() for name in lately}
            self._joints.clear()
            for name, board in self._trends.items():
                self._trends[name] = board.rested()
        drift = shown(self.drifts.all())
        if not latencies:
            return Interval(joints, None, quality, drift)
        p50, p99 = np.percentile(latencies, (50, 99))
        return Interval(joints, LatencyMs(p50=round(float(p50), 3), p99=round(float(p99), 3)), quality, drift)

    def forget_trends(self) -> None:
        """Another bundle grades by another measure."""
        with self._lock:
            self._trends.clear()
