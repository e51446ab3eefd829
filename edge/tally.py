"""What was judged lately: counted by the inspection loop, read by housekeeping."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from edge.core.verdict import Verdict
from edge.core.wire import LatencyMs

_KEPT = 2_000


class Interval(NamedTuple):
    """Since the interval before: verdicts by call. ``latency``: of the last joints that were scored."""

    joints: dict[str, int]
    latency: LatencyMs | None


class Tally:
    """Counts verdicts; both sides may use it at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._joints: Counter[str] = Counter()
        self._latencies: deque[float] = deque(maxlen=_KEPT)

    def note(self, verdicts: Iterable[Verdict]) -> None:
        with self._lock:
            for verdict in verdicts:
                self._joints[verdict.call.value] += 1
                if verdict.p_defect is not None:
                    self._latencies.append(verdict.latency_ms)

    def take(self) -> Interval:
        """What was counted since this was asked last."""
        with self._lock:
            joints, latencies = dict(self._joints), list(self._latencies)
            self._joints.clear()
        if not latencies:
            return Interval(joints, None)
        p50, p99 = np.percentile(latencies, (50, 99))
        return Interval(joints, LatencyMs(p50=round(float(p50), 3), p99=round(float(p99), 3)))
