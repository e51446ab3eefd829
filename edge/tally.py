"""What was judged lately: counted by the inspection loop, read by housekeeping."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

import numpy as np

from edge.core.payloads import LatencyMs, QualityTrend
from edge.core.trend import Trend
from edge.core.verdict import Verdict

_KEPT = 2_000
_BOARD_TYPES = 500
"""Whose trends are kept; the one that was not seen for longest goes first."""


class Interval(NamedTuple):
    """Since the interval before: verdicts by call, and by board type how the quality index does.

    ``latency``: of the last joints that were scored.
    """

    joints: dict[str, int]
    latency: LatencyMs | None
    quality: dict[str, QualityTrend]


class Tally:
    """Counts verdicts; both sides may use it at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._joints: Counter[str] = Counter()
        self._latencies: deque[float] = deque(maxlen=_KEPT)
        self._trends: OrderedDict[str, Trend] = OrderedDict()
        self._indices: defaultdict[str, list[float]] = defaultdict(list)

    def note(self, verdicts: Sequence[Verdict], board_type: str = "") -> None:
        """Count the verdicts on a view of a board of this type."""
        with self._lock:
            for verdict in verdicts:
                self._joints[verdict.call.value] += 1
                if verdict.scored:
                    self._latencies.append(verdict.latency_ms)
            indices = [one.quality_index for one in verdicts if one.quality_index is not None]
            if indices:
                self._indices[board_type] += indices
                trend = self._trends.pop(board_type, Trend()).after(fmean(indices))
                self._trends[board_type] = trend  # at the end: the longest unseen comes first
                if len(self._trends) > _BOARD_TYPES:
                    self._indices.pop(self._trends.popitem(last=False)[0], None)

    def take(self) -> Interval:
        """What was counted since this was asked last."""
        with self._lock:
            joints, latencies = dict(self._joints), list(self._latencies)
            quality = {name: _quality(trend, self._indices.get(name, [])) for name, trend in self._trends.items()}
            self._joints.clear()
            self._indices.clear()
        if not latencies:
            return Interval(joints, None, quality)
        p50, p99 = np.percentile(latencies, (50, 99))
        return Interval(joints, LatencyMs(p50=round(float(p50), 3), p99=round(float(p99), 3)), quality)

    def forget_trends(self) -> None:
        """Another bundle grades by another measure."""
        with self._lock:
            self._trends.clear()
            self._indices.clear()


def _quality(trend: Trend, indices: Sequence[float]) -> QualityTrend:
    low, high = trend.limits or (None, None)
    return QualityTrend(
        joints=len(indices),
        mean=round(fmean(indices), 4) if indices else None,
        trend=round(trend.value, 4),
        usual=None if low is None else round(trend.usual, 4),
        low=None if low is None else round(low, 4),
        high=None if high is None else round(high, 4),
        drifting=trend.drifting,
    )
