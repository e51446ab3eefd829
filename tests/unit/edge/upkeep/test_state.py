"""What the daemon says of itself in a file, and what an upgrade makes of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from edge.core.payloads import ModelRef, Raised
from edge.upkeep.readiness import not_yet
from edge.upkeep.state import Before, DaemonState, StateFile, is_fresh, read_state, state_path

MODEL = ModelRef(name="m", version="1.0.0", digest="sha256:0")
LEFT = Raised(code="job_left", about="X", text="X: not readable", since="2026-11-30T12:00:00Z")
STATE = DaemonState(pid=1, version="2", connected=True, judged=3, bundle=MODEL, release="licensed")


def state_file(path: Path, says: list[DaemonState], version: str = "2") -> StateFile:
    now = iter(datetime(2026, 11, 30, 12, 0, second, tzinfo=UTC) for second in range(60))
    return StateFile(path, version, lambda before: replace(says[-1], before=before), lambda: next(now))


def test_it_is_written_where_it_changes_and_now_and_then(tmp_path: Path) -> None:
    path, says = state_path(tmp_path / "journal.db"), [STATE]
    file = state_file(path, says)
    times = []
    for step in range(16):
        if step == 2:
            says.append(replace(STATE, judged=4))
        file.step()
        found = read_state(path)
        assert found
        times.append(found.time)
    assert len(set(times)) == 3, "at first, at the change, and after twelve looks"
    assert found.judged == 4
    assert found.before is None


def test_the_next_daemon_knows_what_the_one_before_said_last(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    state_file(path, [replace(STATE, connected=False)]).step()
    for _ in range(2):  # however often it is started
        newer = state_file(path, [replace(STATE, version="3")], "3")
        assert read_state(path) is None, "nobody takes the old one's word for its own"
        newer.step()
        found = read_state(path)
        assert found
        assert (found.version, found.before) == ("3", Before(version="2", connected=False))
    path.write_text("{")
    assert read_state(path) is None


@pytest.mark.parametrize(
    ("state", "waiting", "missing"),
    [
        (STATE, 0, ""),
        (STATE, 5, ""),
        (None, 0, "does not run"),
        (replace(STATE, version="1"), 0, "is 1, not 2"),
        (replace(STATE, connected=False), 0, "broker has not answered"),
        (replace(STATE, connected=False, before=Before(version="1", connected=True)), 0, "broker has not answered"),
        (replace(STATE, connected=False, before=Before(version="1", connected=False)), 0, ""),
        (replace(STATE, judged=0), 0, ""),
        (replace(STATE, judged=0), 1, "no joint was judged"),
        (replace(STATE, judged=0, alarms=[LEFT]), 1, ""),
        (replace(STATE, judged=0, alarms=[LEFT]), 2, "no joint was judged"),
    ],
)
def test_an_upgrade_went_well_when_nothing_is_missing(state: DaemonState | None, waiting: int, missing: str) -> None:
    said = not_yet(state, "2", waiting)
    assert missing in said
    assert bool(said) == bool(missing)


def test_where_it_cannot_be_written_no_older_word_is_left_and_it_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, says = tmp_path / "state.json", [STATE]
    file = state_file(path, says)
    file.step()
    in_the_way = tmp_path / ".state.json.tmp"
    in_the_way.mkdir()
    for judged in (4, 5):
        says.append(replace(STATE, judged=judged))
        file.step()
        assert read_state(path) is None
    assert [record.message for record in caplog.records] == ["state not written"]
    in_the_way.rmdir()
    file.step()
    found = read_state(path)
    assert found
    assert found.judged == 5


def test_an_old_word_is_not_what_is_so_now() -> None:
    then = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
    state = replace(STATE, time="2026-11-30T12:00:00.000Z")
    assert is_fresh(state, then + timedelta(seconds=100))
    assert not is_fresh(state, then + timedelta(seconds=200))
    assert not is_fresh(state, then - timedelta(seconds=200)), "a clock that was set back tells nothing"
