"""``make station``: a day of a line in the store, a hundred kills, the daemon beside fifty pages a second. Writes
``docs/station.md``.
"""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from convert.simulator.plan import LotPlan
from convert.simulator.xray.lot import simulate_lot
from tests.reviewing.day import Took, asked, fill
from tests.reviewing.load import BOARDS_PER_S, pairs
from tests.reviewing.page import PAGE, page
from tests.support.daemon import device_toml
from tests.support.killing import Killed, killed_while_reviewing
from tests.support.mosquitto import Mosquitto
from tests.support.review_line import Line
from tests.support.station import Robot, StationProcess

_KILLS, _REVIEWED, _FULL, _BUSY = 100, 1_000, 6_000, 3_200
_PAUSE_S = 0.25


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        print("a day of a line in the store", flush=True)
        took = _day(work / "day")
        print(f"{_KILLS} kills while a robot reviews", flush=True)
        killed = _kills(work / "kills")
        print("the daemon beside fifty pages a second", flush=True)
        full = pairs(work / "full", _lot(work / "full", _FULL), None)
        busy = pairs(work / "busy", _lot(work / "busy", _BUSY), BOARDS_PER_S)
    text = page(took, killed, full, busy)
    PAGE.write_text(text, encoding="utf-8")
    print(text)


def _day(work: Path) -> list[Took]:
    work.mkdir()
    config = work / "axi-edge.toml"
    config.write_text(device_toml(work, work / "bundle", 1, "5"))
    station = StationProcess(config)
    fill(work / "station.db")
    station.add_user("anna", "engineer")
    station.start()
    try:
        robot = Robot(station.address)
        robot.log_in("anna")
        return asked(robot)
    finally:
        station.kill()


def _kills(work: Path) -> Killed:
    (work / "broker").mkdir(parents=True)
    (work / "device").mkdir()
    broker = Mosquitto(work / "broker")
    broker.start()
    line = Line(work / "device", broker, _lot(work, _REVIEWED), _REVIEWED)
    try:
        return killed_while_reviewing(line, _KILLS, random.Random(7), _PAUSE_S)
    finally:
        line.close()
        broker.stop()


def _lot(work: Path, joints: int) -> Path:
    work.mkdir(parents=True, exist_ok=True)
    plan = LotPlan(boards=joints // 20, joints=joints, seed=33, types=3, first_type=900, defect_share=0.2)
    for _ in simulate_lot(work / "lot", plan, workers=2):
        pass
    return work / "lot"


if __name__ == "__main__":
    main()
