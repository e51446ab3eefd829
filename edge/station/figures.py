"""Figures of the line for Prometheus: what waits here, and what the device says of itself."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from edge.core.payloads import AlarmPayload, LicencePayload, MetricsPayload, StatusPayload
from edge.core.verdict import Call, Route
from edge.core.wire import schema_of
from edge.station.alarms import MOMENTS, OVER
from edge.station.outbox import Outbox
from edge.station.store import JointStore
from edge.station.tallies import moment_of

log = logging.getLogger(__name__)

_MEGA = 1e6
_Heard = StatusPayload | MetricsPayload | AlarmPayload | LicencePayload
_KINDS: dict[str, type[_Heard]] = {
    "axi-status/1": StatusPayload,
    "axi-metrics/1": MetricsPayload,
    "axi-alarm/1": AlarmPayload,
    "axi-licence/1": LicencePayload,
}


def topics_of(base_topic: str) -> tuple[str, ...]:
    """Where a device says how it is."""
    return tuple(f"{base_topic}/{name}" for name in ("status", "metrics", "alarm", "licence/#"))


class Device:
    """The latest that was heard of a device. Whatever else comes on its topics is passed over."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self.status: StatusPayload | None = None
        self.metrics: MetricsPayload | None = None
        self.heard = 0.0
        self.joints, self.alarms = Counter[str](), Counter[str]()
        self.raised = dict[str, set[str]]()
        """Whose, by code; of one that is over nobody's."""
        self.licences = dict[tuple[str, str], LicencePayload]()

    def hear(self, _: str, payload: bytes) -> None:
        try:
            kind = _KINDS.get(schema_of(payload))
            said = msgspec.json.decode(payload, type=kind) if kind else None
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            log.debug("a message passed over", extra={"problem": str(error)})
            return
        with self._lock:
            self._take(said)

    def _take(self, said: _Heard | None) -> None:
        match said:
            case StatusPayload():
                self.status = said
            case MetricsPayload():
                self.metrics, self.heard = said, self._clock()
                self.joints.update(said.joints)
            case AlarmPayload():
                subject, over = said.code.removesuffix(OVER), said.code.endswith(OVER)
                if subject not in MOMENTS:
                    about = "" if said.about is msgspec.UNSET else said.about
                    whose = self.raised.setdefault(subject, set())
                    whose.discard(about) if over else whose.add(about)
                self.alarms[said.code] += not over
            case LicencePayload():
                self.licences[said.board_type, said.joint_type] = said

    @property
    def quiet_s(self) -> float | None:
        """Since when it has said nothing of itself; None where it never did."""
        return self._clock() - self.heard if self.heard else None


class Figures(Collector):
    """Gathered anew at each scrape."""

    def __init__(
        self, store: JointStore, outbox: Outbox, device: Device, troubles: Callable[[], int], now: Callable[[], float]
    ) -> None:
        self._store, self._outbox, self._device = store, outbox, device
        self._troubles, self._now = troubles, now
        self._registry = CollectorRegistry()
        self._registry.register(self)

    @property
    def text(self) -> bytes:
        """In Prometheus' own format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        yield from self._of_the_station()
        yield from self._of_the_device()
        if self._device.metrics is not None:
            yield from _measured(self._device.metrics)
        yield from self._of_licences()

    def _of_the_station(self) -> Iterator[Metric]:
        waiting, since = self._store.counts()
        yield GaugeMetricFamily("axi_waiting_joints", "Joints that wait for a specialist", waiting)
        oldest = max(0.0, self._now() - moment_of(since, self._now()))
        yield GaugeMetricFamily("axi_waiting_oldest_seconds", "How long the first of them has waited", oldest)
        reviews = CounterMetricFamily("axi_reviews", "What reviewers said, here or elsewhere", labels=["decision"])
        for decision, count in self._store.said_so_far().items():
            reviews.add_metric([decision], count)
        yield reviews
        yield GaugeMetricFamily(
            "axi_station_unsent_reviews", "Reviews that the broker has not yet", self._outbox.unsent()
        )
        yield GaugeMetricFamily("axi_station_troubles", "What keeps the station from the broker", self._troubles())

    def _of_the_device(self) -> Iterator[Metric]:
        device = self._device
        status = device.status
        online = GaugeMetricFamily("axi_device_online", "1 while the daemon is connected", labels=["version", "bundle"])
        if status is not None:
            bundle = f"{status.bundle.name} {status.bundle.version}" if status.bundle else ""
            online.add_metric([status.version, bundle], float(status.state == "online"))
        yield online
        if device.quiet_s is not None:
            yield GaugeMetricFamily("axi_device_quiet_seconds", "Since its last metrics", device.quiet_s)
        # By verdict they would tell what the network thinks of a joint that has just come to wait.
        joints = CounterMetricFamily("axi_joints", "Joints decided since the station listens", labels=["route"])
        released = device.joints[Call.NORMAL]
        joints.add_metric([Route.RELEASE], released)
        joints.add_metric([Route.SPECIALIST], device.joints.total() - released)
        yield joints
        raised = GaugeMetricFamily("axi_alarm", "How many have it, from an alarm until its end", labels=["code"])
        for code, whose in device.raised.items():
            raised.add_metric([code], float(len(whose)))
        yield raised
        alarms = CounterMetricFamily("axi_alarms", "Alarms raised since the station listens", labels=["code"])
        for code, count in device.alarms.items():
            alarms.add_metric([code], count)
        yield alarms

    def _of_licences(self) -> Iterator[Metric]:
        labels = ["board_type", "joint_type"]
        licensed = GaugeMetricFamily("axi_licensed", "1 where a board type's joints may be released", labels=labels)
        bound = GaugeMetricFamily("axi_escape_bound", "What the share of defects released lies below", labels=labels)
        for key, licence in self._device.licences.items():
            licensed.add_metric(key, float(licence.state == "licensed"))
            bound.add_metric(key, licence.escape_bound)
        yield from (licensed, bound)


def _measured(said: MetricsPayload) -> Iterator[Metric]:
    yield GaugeMetricFamily("axi_joints_per_second", "Of the last interval", said.joints_per_s)
    latency = GaugeMetricFamily("axi_latency_seconds", "From first byte to verdict", labels=["quantile"])
    if said.latency_ms is not None:
        latency.add_metric(["0.5"], said.latency_ms.p50 / 1000)
        latency.add_metric(["0.99"], said.latency_ms.p99 / 1000)
    yield latency
    yield GaugeMetricFamily("axi_score_seconds", "What the model alone takes for a joint", said.score_ms / 1000)
    yield GaugeMetricFamily("axi_backlog_jobs", "Jobs that wait to be judged", said.backlog)
    yield GaugeMetricFamily("axi_outbox_messages", "Messages that the broker has not yet", said.outbox)
    free = GaugeMetricFamily("axi_free_bytes", "Free space", labels=["disk"])
    for disk, megabytes in said.free_mb.items():
        free.add_metric([disk], megabytes * _MEGA)
    yield free
    yield GaugeMetricFamily("axi_memory_bytes", "What the daemon takes", said.memory_mb * _MEGA)
    if said.temperature_c is not None:
        yield GaugeMetricFamily("axi_temperature_celsius", "Of the machine", said.temperature_c)
    trend = GaugeMetricFamily("axi_quality_trend", "Where the quality index goes", labels=["board_type"])
    for board_type, quality in said.quality.items():
        trend.add_metric([board_type], quality.trend)
    yield trend
    drift = GaugeMetricFamily("axi_drift", "How far what X-rays show has moved", labels=["board_type", "chart"])
    for board_type, charts in said.drift.items():
        for name in ("normal", "unjudged", "p_defect"):
            chart = getattr(charts, name)
            if chart is not None:
                drift.add_metric([board_type, name], chart.moved)
    yield drift
