"""What must be done beside the two loops: metrics, alarms, room on the disks, and forgetting what is settled."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from edge.core.payloads import MetricsPayload, QualityTrend
from edge.core.wire import Encoder, Message, encode, timestamp
from edge.ports import FinishedJobs, Free, Host, Monotonic, Now, Settled, Waiting
from edge.tally import Tally

log = logging.getLogger(__name__)

_ROOM_AGAIN = 1.25
"""Times the least free space before jobs are claimed again: not at every file that comes and goes."""
_MIN_FREE_INODES = 1_000
_CLOCK_STEP_S = 5.0
_AWAY_S = 30.0
_SLOW = 3.0
"""Times what it took at best: the processor is hot, or somebody else's."""
_MB = 1_000_000
_METRICS_EXPIRE_S = 3_600


class Limits(NamedTuple):
    """When to raise an alarm, and how long to keep what is finished."""

    min_free_mb: int
    stuck_s: float
    latency_ms: float
    keep_days: float
    keep_gb: float


class Alarms:
    """Says each trouble once as it begins (``code``) and once as it ends (``code_over``).

    ``about``: whose trouble it is, where several may have the same.
    """

    def __init__(self, encoder: Encoder, now: Now, say: Callable[[Message], None]) -> None:
        self._encoder, self._now, self._say = encoder, now, say
        self._raised: set[tuple[str, str]] = set()

    def about(self, code: str) -> set[str]:
        """Whose trouble of this kind is on."""
        return {who for raised, who in self._raised if raised == code}

    def set(self, code: str, text: str, *, on: bool, about: str = "") -> None:
        if on == ((code, about) in self._raised):
            return
        (self._raised.add if on else self._raised.discard)((code, about))
        log.log(logging.ERROR if on else logging.WARNING, "alarm", extra={"code": code, "on": on, "problem": text})
        said = self._encoder.alarm(code if on else f"{code}_over", text, self._now(), "error" if on else "warning")
        self._say(said)


class Retention:
    """Forgets finished jobs, folder and journal rows, once all their verdicts were acknowledged."""

    def __init__(self, spool: FinishedJobs, journal: Settled, now: Now, limits: Limits) -> None:
        self._spool, self._journal, self._now, self._limits = spool, journal, now, limits

    def step(self) -> None:
        """Once over all of them. A job of which copies were filed goes with the last of them."""
        self._spool.sweep()
        finished = list(self._spool.finished())
        cutoff = self._now() - timedelta(days=self._limits.keep_days)
        too_much = sum(job.size for job in finished) - self._limits.keep_gb * 1e9
        gone: list[str] = []
        for job in finished:
            if job.filed >= cutoff.timestamp() and too_much <= 0:
                break
            if self._journal.settled(job.content):
                self._spool.discard(job.folder)
                gone.append(job.content)
                too_much -= job.size
        kept = {job.content for job in (self._spool.finished() if gone else finished)}
        old = self._journal.settled_before(cutoff - (self._now() - cutoff))  # whose folders went another way
        self._journal.forget([*(content for content in gone if content not in kept), *(set(old) - kept)])
        if gone:
            log.info("finished jobs discarded", extra={"jobs": len(gone)})


class Housekeeping:
    """One ``step`` an interval. ``room`` is told whether there is room on the disks for another job."""

    def __init__(
        self,
        *,
        device: str,
        encoder: Encoder,
        spool: Waiting,
        journal: Settled,
        host: Host,
        tally: Tally,
        limits: Limits,
        disks: dict[str, Path],
        pids: Callable[[], Sequence[int]],
        now: Now,
        clock: Monotonic,
        say: Callable[[Message], None],
        room: Callable[[bool], None],
        away_for: Callable[[], float],
        score_ms: Callable[[], tuple[float, float]],
    ) -> None:
        self._device, self._encoder, self._spool, self._journal = device, encoder, spool, journal
        self._host, self._tally, self._limits, self._disks, self._pids = host, tally, limits, disks, pids
        self._now, self._clock, self._say, self._room, self._away_for = now, clock, say, room, away_for
        self._score_ms = score_ms
        self.alarms = Alarms(encoder, now, say)
        self._started = self._last = clock()
        self._offset = now().timestamp() - self._started
        self._enough = True
        self.last: MetricsPayload | None = None

    def step(self) -> None:
        """Look at everything once, raise and clear alarms, and publish metrics."""
        clock, now = self._clock(), self._now()
        free = {name: self._host.free(path) for name, path in self._disks.items()}
        self._check_disks(free)
        waiting = self._spool.waiting()
        interval = self._tally.take()
        self._check_clock(now.timestamp() - clock)
        late = interval.latency is not None and 0 < self._limits.latency_ms < interval.latency.p99
        p99 = interval.latency.p99 if interval.latency else 0.0
        self.alarms.set("latency", f"99th percentile {p99} ms, limit {self._limits.latency_ms} ms", on=late)
        score_ms, best_ms = self._score_ms()
        text = f"the model takes {score_ms:.1f} ms for a joint; as it was loaded it took {best_ms:.1f} ms"
        self.alarms.set("runtime_slow", text, on=score_ms > _SLOW * best_ms > 0)
        away_s = self._away_for()
        # Nobody hears the first of the two before the second, but then both are heard, with their times.
        self.alarms.set("broker_away", f"no broker for {away_s:.0f} s", on=away_s > _AWAY_S)
        age_s = 0.0 if waiting.oldest is None else now.timestamp() - waiting.oldest
        text = f"{waiting.jobs} jobs wait, the oldest for {age_s:.0f} s"
        self.alarms.set("spool_stuck", text, on=age_s > self._limits.stuck_s)
        self._check_quality(interval.quality)
        interval_s = max(clock - self._last, 1e-9)
        self._last = clock
        metrics = MetricsPayload(
            device=self._device,
            time=timestamp(now),
            interval_s=round(interval_s, 3),
            uptime_s=round(clock - self._started, 3),
            joints=interval.joints,
            joints_per_s=round(sum(interval.joints.values()) / interval_s, 3),
            latency_ms=interval.latency,
            score_ms=round(score_ms, 3),
            backlog=waiting.jobs,
            outbox=self._journal.unsent(),
            free_mb={name: one.size // _MB for name, one in free.items()},
            memory_mb=self._host.memory(self._pids()) // _MB,
            temperature_c=self._host.temperature_c(),
            quality=interval.quality,
        )
        self.last = metrics
        self._say(Message(self._encoder.topics.metrics, encode(metrics), expiry_s=_METRICS_EXPIRE_S))

    def _check_quality(self, quality: Mapping[str, QualityTrend]) -> None:
        """An alarm a board type; it ends as well when no such board was seen for long."""
        for name in self.alarms.about("quality_drift") - quality.keys():
            self.alarms.set("quality_drift", f"no board of type {name} for long", on=False, about=name)
        for name, one in quality.items():
            text = (
                f"mean quality index of board type {name or 'unnamed'}: {one.trend}, usual is {one.low} to {one.high}"
            )
            self.alarms.set("quality_drift", text, on=one.drifting, about=name)

    def _check_disks(self, free: dict[str, Free]) -> None:
        need = self._limits.min_free_mb * _MB * (1 if self._enough else _ROOM_AGAIN)
        short = [name for name, one in free.items() if one.size < need or one.inodes < _MIN_FREE_INODES]
        self._enough = not short
        left = ", ".join(f"{name}: {one.size // _MB} MB and {one.inodes} inodes free" for name, one in free.items())
        self.alarms.set("disk_low", f"{left}; no job is claimed below {need / _MB:.0f} MB", on=bool(short))
        self._room(self._enough)

    def _check_clock(self, offset: float) -> None:
        step_s, self._offset = offset - self._offset, offset
        if abs(step_s) > _CLOCK_STEP_S:
            text = f"the clock was set {abs(step_s):.0f} s {'forward' if step_s > 0 else 'back'}"
            log.warning("clock jump", extra={"step_s": round(step_s, 1)})
            self._say(self._encoder.alarm("clock_jump", text, self._now(), "warning"))
