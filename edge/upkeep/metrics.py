"""What the device says of itself at every interval: metrics, and alarms on what they show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from edge.core.clocks import Monotonic, Now
from edge.core.payloads import MetricsPayload, QualityTrend, ReviewTotals
from edge.core.wire import Encoder, Message, timestamp
from edge.inspection.tally import Interval, Tally
from edge.upkeep.alarms import Alarms
from edge.upkeep.disks import MB, in_words, is_short
from edge.upkeep.ports import Backlog, Free, Host, Settled, Waiting

_ROOM_AGAIN = 1.25
"""Times the least free space before jobs are claimed again: not at every file that comes and goes."""
_CLOCK_STEP_S = 5.0
_AWAY_S = 30.0
_SLOW = 3.0
"""Times what it took at best: the processor is hot, or somebody else's."""


class Limits(NamedTuple):
    """When to raise an alarm."""

    min_free_mb: int
    stuck_s: float
    latency_ms: float


class ModelTimes(NamedTuple):
    """What the model alone takes for a joint of late, and what it took at best as it was loaded; milliseconds."""

    score_ms: float
    best_ms: float


class Sources(NamedTuple):
    """Where the figures come from. ``disks``: a folder on each, by name; ``away_s``: how long there was no broker."""

    spool: Waiting
    journal: Settled
    reviews: Callable[[], ReviewTotals]
    host: Host
    tally: Tally
    disks: Mapping[str, Path]
    pids: Callable[[], Sequence[int]]
    model_times: Callable[[], ModelTimes]
    away_s: Callable[[], float]


class Health:
    """One ``step`` an interval. ``allow_claims`` is told whether there is room on the disks for another job."""

    def __init__(
        self,
        encoder: Encoder,
        sources: Sources,
        limits: Limits,
        alarms: Alarms,
        *,
        now: Now,
        clock: Monotonic,
        publish: Callable[[Message], None],
        allow_claims: Callable[[bool], None],
    ) -> None:
        self._encoder, self._sources, self._limits, self._alarms = encoder, sources, limits, alarms
        self._now, self._clock, self._publish, self._allow_claims = now, clock, publish, allow_claims
        self._started = self._last = clock()
        self._offset = now().timestamp() - self._started
        self._enough = True
        self.last: MetricsPayload | None = None

    def step(self) -> None:
        """Look at everything once, raise and clear alarms, and publish metrics."""
        clock, now = self._clock(), self._now()
        free = self._free()
        self._check_disks(free)
        waiting = self._sources.spool.waiting()
        interval = self._sources.tally.take()
        times = self._sources.model_times()
        self._check_clock(now.timestamp() - clock)
        self._check_speed(interval, times)
        self._check_broker()
        self._check_backlog(waiting, now.timestamp())
        self._check_quality(interval.quality)
        interval_s = max(clock - self._last, 1e-9)
        self._last = clock
        self.last = MetricsPayload(
            device=self._encoder.device,
            time=timestamp(now),
            interval_s=round(interval_s, 3),
            uptime_s=round(clock - self._started, 3),
            joints=interval.joints,
            joints_per_s=round(sum(interval.joints.values()) / interval_s, 3),
            latency_ms=interval.latency,
            score_ms=round(times.score_ms, 3),
            backlog=waiting.jobs,
            outbox=self._sources.journal.unsent(),
            free_mb={name: disk.size // MB for name, disk in free.items()},
            memory_mb=self._sources.host.memory(self._sources.pids()) // MB,
            temperature_c=self._sources.host.temperature_c(),
            quality=interval.quality,
            drift=interval.drift,
            reviews=self._sources.reviews(),
        )
        self._publish(self._encoder.metrics(self.last))

    def _free(self) -> dict[str, Free]:
        """Of the disks that can be asked: what is gone has an alarm of its own, and hides nothing else."""
        found = {}
        for name, path in self._sources.disks.items():
            with suppress(OSError):
                found[name] = self._sources.host.free(path)
        return found

    def _check_speed(self, interval: Interval, times: ModelTimes) -> None:
        limit_ms = self._limits.latency_ms
        p99 = interval.latency.p99 if interval.latency else 0.0
        self._alarms.set("latency", f"99th percentile {p99} ms, limit {limit_ms} ms", on=0 < limit_ms < p99)
        score_ms, best_ms = times
        text = f"the model takes {score_ms:.1f} ms for a joint; as it was loaded it took {best_ms:.1f} ms"
        self._alarms.set("runtime_slow", text, on=score_ms > _SLOW * best_ms > 0)

    def _check_broker(self) -> None:
        away_s = self._sources.away_s()
        # Nobody hears the first of the two before the second, but then both are heard, with their times.
        self._alarms.set("broker_away", f"no broker for {away_s:.0f} s", on=away_s > _AWAY_S)

    def _check_backlog(self, waiting: Backlog, now_s: float) -> None:
        age_s = 0.0 if waiting.oldest is None else now_s - waiting.oldest
        text = f"{waiting.jobs} jobs wait, the oldest for {age_s:.0f} s"
        self._alarms.set("spool_stuck", text, on=age_s > self._limits.stuck_s)

    def _check_quality(self, quality: Mapping[str, QualityTrend]) -> None:
        """An alarm a board type; it ends as well when no such board was seen for long."""
        for name in self._alarms.about("quality_drift") - quality.keys():
            self._alarms.set("quality_drift", f"no board of type {name} for long", on=False, about=name)
        for name, found in quality.items():
            usual = f"{found.trend}, usual is {found.low} to {found.high}"
            text = f"mean quality index of board type {name or 'unnamed'}: {usual}"
            self._alarms.set("quality_drift", text, on=found.drifting, about=name)

    def _check_disks(self, disks: Mapping[str, Free]) -> None:
        need_mb = self._limits.min_free_mb * (1 if self._enough else _ROOM_AGAIN)
        self._enough = not any(is_short(free, need_mb) for free in disks.values())
        text = f"{in_words(disks)}; no job is claimed below {need_mb:.0f} MB"
        self._alarms.set("disk_low", text, on=not self._enough)
        self._allow_claims(self._enough)

    def _check_clock(self, offset: float) -> None:
        step_s, self._offset = offset - self._offset, offset
        if abs(step_s) > _CLOCK_STEP_S:
            way = "forward" if step_s > 0 else "back"
            self._alarms.event("clock_jump", f"the clock was set {abs(step_s):.0f} s {way}")
