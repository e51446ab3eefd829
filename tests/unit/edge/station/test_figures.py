"""What Prometheus is told, is what is the case, and what dashboards ask for is there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from edge.core.payloads import (
    AlarmPayload,
    Drift,
    DriftChart,
    LatencyMs,
    LicencePayload,
    MetricsPayload,
    ModelRef,
    QualityTrend,
    ReviewTotals,
    StatusPayload,
)
from edge.core.review import Said
from edge.station.figures import topics_of
from tests.support.pages import Station
from tests.support.queues import decided, joint

DASHBOARDS = Path(__file__).parents[4] / "firmware_cfg" / "dashboards"
MODEL = ModelRef(name="slicenet", version="1.0.0", digest="sha256:0")
METRICS = MetricsPayload(
    device="axi1",
    time="t",
    interval_s=10,
    uptime_s=99,
    joints={"normal": 3, "defect": 1},
    joints_per_s=0.4,
    latency_ms=LatencyMs(p50=4.0, p99=9.0),
    score_ms=0.6,
    backlog=2,
    outbox=5,
    free_mb={"spool": 1000, "journal": 2000},
    memory_mb=120,
    temperature_c=51.5,
    drift={
        "O-1": Drift(
            boards=3, normal=DriftChart(lately=0.5, usual=0.6, moved=-21.5, drifting=True), unjudged=None, p_defect=None
        )
    },
    quality={"O-1": QualityTrend(joints=1, mean=0.5, trend=0.6, usual=None, low=None, high=None, drifting=False)},
    reviews=ReviewTotals(counted=1, set_aside=0),
)
LICENCE = LicencePayload(
    device="axi1",
    time="t",
    board_type='MB-"7"\n',
    joint_type="PTH",
    model=MODEL,
    state="licensed",  # type: ignore[arg-type]
    by="evidence",  # type: ignore[arg-type]
    operating_point="recall-0.98",
    threshold=0.2,
    escape_bound=0.04,
    confidence=0.95,
    target_escape=0.05,
    defects_sampled=100,
    escapes=1,
    joints_reviewed=800,
    reviewers_miss=0.02,
    audit_share=0.05,
    policy="licensed",
    reason=None,
)


@pytest.fixture
def station(tmp_path: Path) -> Station:
    found = Station(tmp_path)
    found.store.hear([joint(n) for n in range(12)], [], 0.0)
    found.store.decide(decided(joint(0)), 0)
    found.store.decide(decided(joint(1), decision=Said.DEFECT, defect_class="voided"), 0)
    found.outbox.to_send(1.0, 10)
    return found


def told(station: Station, *messages: object) -> dict[tuple[str, ...], float]:
    """Name and labels of each sample, and its value, as a scrape without a login reads them."""
    for message in messages:
        station.device.hear("topic", msgspec.json.encode(message))
    answer = station.visitor().client.get("/metrics")
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.text)
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


def test_the_stations_own_figures(station: Station) -> None:
    station.troubles.append("the broker is away")
    figures = told(station)
    assert figures["axi_waiting_joints",] == 10
    assert figures["axi_waiting_oldest_seconds",] == 3600
    assert figures["axi_reviews_total", "defect"] == figures["axi_reviews_total", "false_call"] == 1
    assert figures["axi_station_unsent_reviews",] == 2
    assert figures["axi_station_troubles",] == 1
    assert ("axi_device_quiet_seconds",) not in figures


def test_what_the_device_says_of_itself(station: Station) -> None:
    status = StatusPayload(state="online", time="t", version="0.1.0", bundle=MODEL)
    figures = told(station, status, METRICS, METRICS, LICENCE)
    assert figures["axi_device_online", "slicenet 1.0.0", "0.1.0"] == 1
    assert (figures["axi_joints_total", "release"], figures["axi_joints_total", "specialist"]) == (6, 2)
    assert figures["axi_latency_seconds", "0.99"] == pytest.approx(0.009)
    assert figures["axi_free_bytes", "journal"] == 2e9
    assert figures["axi_quality_trend", "O-1"] == 0.6
    assert {key: value for key, value in figures.items() if "axi_drift" in key} == {
        ("axi_drift", "O-1", "normal"): -21.5
    }
    assert figures["axi_licensed", 'MB-"7"\n', "PTH"] == 1
    assert figures["axi_escape_bound", 'MB-"7"\n', "PTH"] == 0.04
    offline = told(station, StatusPayload(state="offline", time="t", version="0.1.0", bundle=None))
    assert offline["axi_device_online", "", "0.1.0"] == 0


def test_an_alarm_lasts_until_its_end(station: Station) -> None:
    def alarm(code: str, about: str = "") -> AlarmPayload:
        return AlarmPayload(code=code, severity="error", text="", time="t", about=about)

    raised = told(station, alarm("disk_low"), alarm("disk_low"), alarm("job_stuck"))
    assert raised["axi_alarm", "disk_low"] == 1
    assert raised["axi_alarms_total", "disk_low"] == 2
    over = told(station, alarm("disk_low_over"))
    assert (over["axi_alarm", "disk_low"], over["axi_alarm", "job_stuck"]) == (0, 1)
    assert over["axi_alarms_total", "disk_low"] == 2
    two = told(station, alarm("xray_drift", "MB-1"), alarm("xray_drift", "MB-2"), alarm("xray_drift_over", "MB-1"))
    assert two["axi_alarm", "xray_drift"] == 1, "one of them drifts still"


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b"{", b'{"schema": "axi-metrics/1"}', b'{"schema": 5}', b"\xff", b"[" * 9999]
)
def test_what_is_no_message_of_ours_is_passed_over(payload: bytes, station: Station) -> None:
    before = told(station)
    station.device.hear("acme/line3/axi1/metrics", payload)
    assert told(station) == before


def test_whoever_switches_figures_off_serves_none(tmp_path: Path) -> None:
    assert Station(tmp_path, figures=False).visitor().client.get("/metrics").status_code == 404


def names_in(expression: str) -> set[str]:
    return set(re.findall(r"\baxi_[a-z_]+", expression))


def test_dashboards_and_alerts_ask_for_what_there_is(station: Station) -> None:
    status = StatusPayload(state="online", time="t", version="", bundle=None)
    alarm = AlarmPayload(code="x", severity="error", text="", time="t")
    known = {key[0] for key in told(station, METRICS, LICENCE, status, alarm)}
    board = json.loads((DASHBOARDS / "grafana.json").read_text())
    asked = {name for panel in board["panels"] for target in panel["targets"] for name in names_in(target["expr"])}
    asked |= names_in((DASHBOARDS / "axi-alerts.yml").read_text())
    assert asked <= known
    assert len(asked) > 15
    guide = (Path(__file__).parents[4] / "docs/guides/dashboards.md").read_text()
    assert all(f"`{name}`" in guide for name in known if not name.endswith("_created"))
    places = [tuple(panel["gridPos"].values()) for panel in board["panels"]]
    assert len(places) == len(set(places))
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_the_topics_are_the_devices() -> None:
    assert topics_of("a/b") == ("a/b/status", "a/b/metrics", "a/b/alarm", "a/b/licence/#")
