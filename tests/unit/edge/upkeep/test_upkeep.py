from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from edge.core.job import NamedJoint
from edge.core.payloads import ModelRef, ReviewTotals
from edge.core.verdict import Call, Decision, Reason, Verdict, unjudged
from edge.core.wire import Encoder, Message, Topics
from edge.inspection.tally import Tally
from edge.upkeep.alarms import Alarms
from edge.upkeep.metrics import Health, Limits, ModelTimes, Sources
from edge.upkeep.ports import Backlog, FinishedJob, Free
from edge.upkeep.retention import Keep, Retention
from tests.support.fakes import FakeHost

NOW = datetime(2026, 11, 21, tzinfo=UTC)
ENCODER = Encoder("axi1", Topics("base"), "0", ModelRef(name="m", version="1.0.0", digest="sha256:0"))
LIMITS = Limits(min_free_mb=200, stuck_s=600, latency_ms=50)


class FakeStore:
    """Spool and journal to upkeep: finished jobs, and which of them are settled."""

    def __init__(self) -> None:
        self.jobs: list[FinishedJob] = []
        self.unsettled: set[str] = set()
        self.unreviewed: set[str] = set()
        self.forgotten: list[str] = []
        self.old: list[str] = []
        self.backlog = Backlog(0, None)

    def add(self, name: str, days: float, size: int = 1, content: str = "") -> None:
        filed = (NOW - timedelta(days=days)).timestamp()
        self.jobs.append(FinishedJob(Path("done", name), content or name, filed, size))
        self.jobs.sort(key=lambda job: job.filed)

    def finished(self) -> list[FinishedJob]:
        return list(self.jobs)

    def discard(self, folder: Path) -> None:
        self.jobs = [job for job in self.jobs if job.folder != folder]

    def sweep(self) -> None:
        pass

    def settled(self, content: str) -> bool:
        return content not in self.unsettled

    def waits(self, content: str) -> bool:
        return content in self.unreviewed

    def settled_before(self, moment: datetime) -> list[str]:
        assert moment == NOW - timedelta(days=14)
        return self.old

    def forget_pictures(self, before: datetime) -> None:
        self.forgot_before = before

    def forget(self, contents: Any) -> None:
        self.forgotten += contents

    def unsent(self) -> int:
        return 7

    def waiting(self) -> Backlog:
        return self.backlog

    @property
    def names(self) -> list[str]:
        return [job.folder.name for job in self.jobs]


def retention(store: FakeStore) -> Retention:
    return Retention(store, store, lambda: NOW, Keep(days=7, gb=1, pictures_days=7, waiting_days=30))


def test_finished_jobs_go_by_age() -> None:
    store = FakeStore()
    for name, days in (("old", 8), ("older", 9), ("young", 6)):
        store.add(name, days)
    retention(store).step()
    assert (store.names, sorted(store.forgotten)) == (["young"], ["old", "older"])


def test_finished_jobs_go_by_size_the_oldest_first_and_no_more_than_needed() -> None:
    store = FakeStore()
    for name, days in (("a", 3), ("b", 2), ("c", 1)):
        store.add(name, days, size=400_000_000)
    retention(store).step()
    assert (store.names, store.forgotten) == (["b", "c"], ["a"])


def test_what_waits_for_its_review_stays_longer_but_not_for_ever() -> None:
    store = FakeStore()
    for name, days in (("forgotten", 31), ("waits", 29), ("reviewed", 20), ("young", 6)):
        store.add(name, days)
    store.unreviewed = {"forgotten", "waits", "young"}
    retention(store).step()
    assert store.names == ["waits", "young"]


def test_what_waits_for_its_review_goes_after_what_is_old_and_before_what_is_young() -> None:
    store = FakeStore()
    for name, days in (("waits", 20), ("waits less long", 19), ("old", 8), ("young", 6)):
        store.add(name, days, size=400_000_000)
    store.unreviewed = {"waits", "waits less long"}
    retention(store).step()
    assert store.names == ["waits less long", "young"]


def test_a_job_with_a_verdict_that_was_not_acknowledged_never_goes() -> None:
    store = FakeStore()
    store.unsettled = {"unsent"}
    store.add("unsent", 1_000, size=5 * 10**9)
    store.add("sent", 999)
    retention(store).step()
    assert (store.names, store.forgotten) == (["unsent"], ["sent"])


def test_a_job_filed_twice_is_forgotten_with_the_last_copy() -> None:
    store = FakeStore()
    store.add("first", 8, content="same")
    store.add("first.2", 6, content="same")
    retention(store).step()
    assert (store.names, store.forgotten) == (["first.2"], [])


def test_what_is_long_settled_is_forgotten_even_if_somebody_else_took_its_folder() -> None:
    store = FakeStore()
    store.old = ["gone", "here"]
    store.add("here", 6)
    retention(store).step()
    assert store.forgotten == ["gone"]


class World:
    """Upkeep in a world of fakes."""

    def __init__(self) -> None:
        self.store, self.host, self.tally = FakeStore(), FakeHost(), Tally()
        self.published: list[Message] = []
        self.room: list[bool] = []
        self.seconds, self.wall, self.away_s, self.score_ms = 0.0, NOW, 0.0, 0.0
        sources = Sources(
            spool=self.store,
            journal=self.store,
            reviews=lambda: ReviewTotals(counted=7, set_aside=1),
            host=self.host,
            tally=self.tally,
            disks={"spool": Path("/spool")},
            pids=lambda: [1, 2],
            model_times=lambda: ModelTimes(self.score_ms, 2.0),
            away_s=lambda: self.away_s,
        )
        self.health = Health(
            ENCODER,
            sources,
            LIMITS,
            Alarms(ENCODER, lambda: self.wall, self.published.append),
            now=lambda: self.wall,
            clock=lambda: self.seconds,
            publish=self.published.append,
            allow_claims=self.room.append,
        )

    def step(self, seconds: float = 10) -> dict[str, Any]:
        """An interval later; the metrics."""
        self.seconds += seconds
        self.wall += timedelta(seconds=seconds)
        self.health.step()
        return json.loads(self.published[-1].payload)  # type: ignore[no-any-return]

    def alarms(self) -> list[str]:
        return [json.loads(m.payload)["code"] for m in self.published if m.topic == "base/alarm"]


def scored(latency_ms: float) -> Verdict:
    return Verdict(NamedJoint("J"), Decision(Call.NORMAL, p_defect=0.1), latency_ms=latency_ms)


def graded(quality_index: float) -> Verdict:
    return Verdict(NamedJoint("U1.1"), Decision(Call.NORMAL, quality_index=quality_index, grade="good"))


def test_metrics_count_what_was_judged_since_the_last_ones() -> None:
    world = World()
    world.tally.note([scored(10), scored(20), Verdict(NamedJoint("J"), unjudged(Reason.TIMEOUT))])
    world.store.backlog = Backlog(4, NOW.timestamp())
    first = world.step()
    assert first["joints"] == {"normal": 2, "unjudged": 1}
    assert (first["joints_per_s"], first["interval_s"], first["uptime_s"]) == (0.3, 10, 10)
    assert first["latency_ms"] == {"p50": 15.0, "p99": 19.9}
    assert (first["backlog"], first["outbox"], first["memory_mb"], first["temperature_c"]) == (4, 7, 200, 51.5)
    assert first["free_mb"] == {"spool": 1_000_000}
    assert world.step()["joints"] == {}
    assert [message.topic for message in world.published] == ["base/metrics"] * 2


@pytest.mark.parametrize("short", [Free(199_000_000, 10**9), Free(10**12, 10)])
def test_a_disk_that_fills_up_stops_the_claiming_until_there_is_clearly_room_again(short: Free) -> None:
    world = World()
    world.step()
    for room in (short, short, Free(210_000_000, 10**9), Free(260_000_000, 10**9)):
        world.host.room = room
        world.step()
    assert world.room == [True, False, False, False, True]
    assert world.alarms() == ["disk_low", "disk_low_over"]


def test_slow_verdicts_an_old_job_and_a_clock_that_was_set_each_raise_an_alarm() -> None:
    world = World()
    world.tally.note([scored(60)])
    world.step()
    assert world.alarms() == ["latency"]
    world.tally.note([scored(1)] * 2_000)
    world.store.backlog = Backlog(1, NOW.timestamp() - 700)
    world.step()
    world.store.backlog = Backlog(0, None)
    world.wall -= timedelta(hours=1)
    world.step()
    world.step()
    assert world.alarms() == ["latency", "latency_over", "spool_stuck", "clock_jump", "spool_stuck_over"]


def test_the_drift_of_a_board_types_quality_raises_an_alarm_while_every_joint_is_good() -> None:
    world = World()

    def view(mean: float) -> None:
        joints = [graded(mean + off) for off in (-0.02, 0.0, 0.02)]
        world.tally.note(joints, "OB-3")

    for i in range(40):
        view(0.5 + 0.01 * (i % 3 - 1))
    steady = world.step()["quality"]["OB-3"]
    assert (steady["joints"], steady["drifting"]) == (120, False)
    assert steady["low"] < steady["usual"] < steady["high"]
    for i in range(12):
        view(0.5 + 0.004 * i)
    moved = world.step()["quality"]["OB-3"]
    assert moved["drifting"]
    assert moved["trend"] > moved["high"]
    assert world.alarms() == ["quality_drift"]
    for _ in range(30):
        view(0.5)
    back = world.step()["quality"]["OB-3"]
    assert not back["drifting"]
    assert world.alarms() == ["quality_drift", "quality_drift_over"]
    assert world.step()["quality"]["OB-3"]["mean"] is None, "nothing came in this interval"


def drifted(world: World, board_type: str) -> None:
    """Forty views as usual, then ten that are not."""
    for mean in [0.5 + 0.01 * (i % 3 - 1) for i in range(40)] + [0.6] * 10:
        world.tally.note([graded(mean)], board_type)


def test_each_board_type_raises_its_own_alarm_which_ends_when_no_such_board_comes_any_more() -> None:
    world = World()
    drifted(world, "OB-1")
    world.step()
    drifted(world, "OB-2")
    world.step()
    assert world.alarms() == ["quality_drift", "quality_drift"]
    for _ in range(400):
        world.step()
    assert world.alarms() == ["quality_drift"] * 2 + ["quality_drift_over"] * 2
    assert world.step()["quality"] == {}


def test_metrics_tell_of_the_board_types_seen_last_and_of_no_more_than_fit_a_message() -> None:
    world = World()
    for number in range(600):
        world.tally.note([graded(0.5)], f"{number:03d}" * 80)
    shown = world.step()["quality"]
    assert list(shown) == [f"{number:03d}" * 80 for number in range(550, 600)]


def test_a_model_that_became_slow_raises_an_alarm() -> None:
    world = World()
    for world.score_ms in (0, 2, 7, 8, 3):
        metrics = world.step()
    assert world.alarms() == ["runtime_slow", "runtime_slow_over"]
    assert metrics["score_ms"] == 3


def test_a_broker_that_was_away_for_long_is_told_of_when_it_is_back() -> None:
    world = World()
    for world.away_s in (0, 20, 40, 50, 0, 5):
        world.step()
    assert world.alarms() == ["broker_away", "broker_away_over"]
