"""Charts over restarts, and the alarm that a board type's X-rays have changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from edge.adapters.journal.charts import JournalCharts
from edge.core.drift import Chart
from edge.core.verdict import Call, Decision
from edge.core.wire import Encoder, Message, Topics
from edge.inspection.drifts import Drifts, shown
from edge.upkeep.alarms import Alarms
from edge.upkeep.drifting import Drifting

TYPE = "MB-7 \u00fc"


class Device:
    """A device with a journal on disk; ``restart`` is what a kill makes of it."""

    def __init__(self, journal: Path) -> None:
        self.journal, self.rng, self.number = journal, np.random.default_rng(2), 0
        self.published: list[Message] = []
        self.restart()

    def restart(self, judged_by: str = "bundle 1") -> None:
        self.drifts = Drifts()
        self.drifts.judge_by(judged_by)
        self.book = JournalCharts(self.journal)
        self.drifts.restore(self.book.kept())
        encoder = Encoder("axi1", Topics("base"), "0", None)  # type: ignore[arg-type]
        alarms = Alarms(encoder, lambda: datetime(2026, 11, 30, tzinfo=UTC), self.published.append)
        self.upkeep = Drifting(self.drifts, self.book, alarms)

    def boards(self, count: int, p_defect: float = 0.1, board_type: str = TYPE) -> None:
        for _ in range(count):
            self.number += 1
            joints = np.clip(p_defect + 0.05 * self.rng.standard_normal(5), 0, 1)
            said = [Decision(Call.DEFECT if one > 0.2 else Call.NORMAL, p_defect=float(one)) for one in joints]
            self.drifts.note(str(self.number), said[:2])
            self.drifts.note(str(self.number), said[2:])
            self.drifts.close(str(self.number), board_type, len(said))
        self.upkeep.step()

    @property
    def alarms(self) -> list[str]:
        return [json.loads(one.payload)["code"] for one in self.published]


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    found = Device(tmp_path / "journal.db")
    yield found
    found.book.close()


def test_a_drift_is_said_with_its_figures_and_its_chance_and_is_over_when_it_is(device: Device) -> None:
    device.boards(200)
    assert device.alarms == []
    device.boards(40, p_defect=0.2)
    assert device.alarms == ["xray_drift"]
    text = json.loads(device.published[0].payload)["text"]
    assert f"board type {TYPE}" in text
    assert "share called normal is 0.58, usually 0.90; middle p_defect is 0.19, usually 0.11" in text
    assert "less than once in 40,000 boards" in text
    drift = shown(device.drifts.all())[TYPE]
    assert drift.p_defect is not None
    assert drift.normal is not None
    assert drift.p_defect.drifting
    assert drift.normal.moved < 0
    device.boards(150)
    assert device.alarms == ["xray_drift", "xray_drift_over"]


def test_a_restart_does_not_make_what_drifts_the_usual(device: Device) -> None:
    device.boards(200)
    before = device.drifts.all()
    device.book.close()
    device.restart()
    assert device.drifts.all() == before
    device.boards(40, p_defect=0.2)
    assert device.alarms == ["xray_drift"]


def test_another_bundle_or_operating_point_is_charted_anew(device: Device) -> None:
    device.boards(200)
    device.boards(40, p_defect=0.2)
    device.drifts.judge_by("bundle 2")
    device.upkeep.step()
    assert device.alarms == ["xray_drift", "xray_drift_over"]
    device.boards(10, p_defect=0.2)
    assert device.drifts.all()[TYPE].normal.boards == 10
    device.book.close()
    device.restart("bundle 3")
    assert device.drifts.all() == {}


def test_charts_that_somebody_drops_from_the_journal_begin_anew(device: Device) -> None:
    device.boards(200)
    device.boards(40, p_defect=0.2)
    with closing(JournalCharts(device.journal)) as other:
        assert other.names() == {TYPE}
        other.keep({TYPE: None})
    device.upkeep.step()
    assert device.alarms == ["xray_drift", "xray_drift_over"]
    assert device.drifts.all() == {}
    device.boards(60, p_defect=0.2)
    assert device.drifts.all()[TYPE].normal.boards == 60
    assert len(device.alarms) == 2, "this is what is usual now"


def test_what_another_version_wrote_begins_anew_and_stops_nothing(device: Device) -> None:
    device.boards(3)
    device.book._db.execute("UPDATE note SET value = '[]' WHERE key LIKE 'charts of %'")
    device.book.close()
    device.restart()
    assert device.drifts.all() == {}
    device.boards(3)
    assert device.drifts.all()[TYPE].normal.boards == 3


def test_a_job_that_was_begun_before_a_restart_is_no_sample() -> None:
    drifts = Drifts()
    drifts.note("1", [Decision(Call.NORMAL, p_defect=0.1)])
    drifts.close("1", TYPE, 2)
    drifts.note("2", [Decision(Call.NORMAL, p_defect=0.1)])
    drifts.note("3", [Decision(Call.NORMAL, p_defect=0.1)])
    drifts.close("3", TYPE, 1)
    assert drifts.all()[TYPE].normal == Chart().after(1.0)


def test_no_more_board_types_are_kept_than_there_is_room_for() -> None:
    drifts = Drifts()
    for number in range(501):
        drifts.note("1", [Decision(Call.NORMAL, p_defect=0.1)])
        drifts.close("1", str(number), 1)
    assert list(drifts.all())[:1] == ["1"]
    assert drifts.take_moved()["0"] is None
    assert len(shown(drifts.all())) == 50
