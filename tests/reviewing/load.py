"""The daemon's pace while the station beside it is asked for fifty pages a second."""

from __future__ import annotations

import shutil
import statistics
import threading
import time
from pathlib import Path
from typing import NamedTuple

from edge.bundle.shipped import WORD, bundle_folder
from tests.support.daemon import DaemonProcess
from tests.support.mosquitto import Mosquitto, Subscriber
from tests.support.station import Robot, StationProcess

PAGES_PER_S, PAIRS = 50, 3
_PAGES = ("/", "/line", "/metrics")
_WAIT_S = 300.0


class Paces(NamedTuple):
    """Joints a second of each run, without the station and with it; ``asked``: pages a second that it answered."""

    without: list[float]
    beside: list[float]
    asked: list[float]

    @property
    def ratio(self) -> float:
        return statistics.mean(self.beside) / statistics.mean(self.without)


def paces(work: Path, lot: Path, joints: int) -> Paces:
    """Alternately, each run with a device, a broker and a station of its own."""
    found = Paces([], [], [])
    for number in range(PAIRS):
        found.without.append(_run(work / f"without-{number}", lot, joints, None))
        found.beside.append(_run(work / f"beside-{number}", lot, joints, found.asked))
    return found


def _run(work: Path, lot: Path, joints: int, asked: list[float] | None) -> float:
    (work / "broker").mkdir(parents=True)
    broker = Mosquitto(work / "broker")
    broker.start()
    device = DaemonProcess(work, bundle_folder(WORD), broker.port)
    station = StationProcess(device.config) if asked is not None else None
    listener, presence = Subscriber(broker.port, "+/+/+/board/#"), Subscriber(broker.port, "+/+/+/status")
    try:
        visitor = _Visitor(station) if station else None
        device.start()
        presence.wait_for(lambda one: "online" in [said["state"] for said in one.payloads("/status")])
        jobs = sorted(path for path in lot.iterdir() if path.is_dir())
        begun = time.perf_counter()
        for job in jobs:
            device.submit(job)
        listener.wait_for(lambda one: len(one.payloads("/board/")) == len(jobs), _WAIT_S)
        took = time.perf_counter() - begun
        if visitor is not None and asked is not None:
            asked.append(visitor.end())
        return joints / took
    finally:
        listener.close()
        presence.close()
        device.kill()
        if station is not None:
            station.kill()
        broker.stop()
        shutil.rmtree(work / "spool", ignore_errors=True)


class _Visitor:
    """Asks for pages, one after the other, so many a second."""

    def __init__(self, station: StationProcess) -> None:
        station.add_user("anna", "engineer")
        station.start()
        self._robot, self._ended = Robot(station.address), threading.Event()
        self._robot.log_in("anna")
        self._count, self._begun = 0, time.perf_counter()
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def _ask(self) -> None:
        while not self._ended.is_set():
            self._robot.get(_PAGES[self._count % len(_PAGES)])
            self._count += 1
            ahead = self._count / PAGES_PER_S - (time.perf_counter() - self._begun)
            if ahead > 0:
                self._ended.wait(ahead)

    def end(self) -> float:
        """Pages a second that were answered."""
        self._ended.set()
        self._thread.join()
        self._robot.close()
        return self._count / (time.perf_counter() - self._begun)
