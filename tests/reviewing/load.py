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
BOARDS_PER_S = 8
"""Of a line that is busy: some 160 joints a second, a third of what the device can."""
_PAGES = ("/", "/line", "/metrics")
_WAIT_S = 300.0


class Run(NamedTuple):
    """``joints_per_s`` of the whole daemon; ``median`` and ``late``, which 99 of 100 stay below: milliseconds from the
    first byte read of a view to the verdict; ``pages``: answered a second, None without a station.
    """

    joints_per_s: float
    median: float
    late: float
    pages: float | None


class Pairs(NamedTuple):
    """Runs in alternation: without a station, and beside one of which pages are asked."""

    without: list[Run]
    beside: list[Run]


def pairs(work: Path, lot: Path, boards_per_s: float | None) -> Pairs:
    """Each run with a device, a broker and a station of its own. ``boards_per_s``: None hands all over at once."""
    found = Pairs([], [])
    for number in range(PAIRS):
        found.without.append(_run(work / f"without-{number}", lot, boards_per_s, beside=False))
        found.beside.append(_run(work / f"beside-{number}", lot, boards_per_s, beside=True))
    return found


def _run(work: Path, lot: Path, boards_per_s: float | None, *, beside: bool) -> Run:
    (work / "broker").mkdir(parents=True)
    broker = Mosquitto(work / "broker")
    broker.start()
    device = DaemonProcess(work, bundle_folder(WORD), broker.port)
    station = StationProcess(device.config) if beside else None
    listener, presence = Subscriber(broker.port, "+/+/+/+/#"), Subscriber(broker.port, "+/+/+/status")
    try:
        visitor = _Visitor(station) if station else None
        device.start()
        presence.wait_for(lambda one: "online" in [said["state"] for said in one.payloads("/status")])
        took = _judged(device, listener, lot, boards_per_s)
        pages = visitor.end() if visitor else None
        latencies = [one["latency_ms"] for one in listener.payloads("/verdict/")]
        late = statistics.quantiles(latencies, n=100)[-1]
        return Run(len(latencies) / took, statistics.median(latencies), late, pages)
    finally:
        listener.close()
        presence.close()
        device.kill()
        if station is not None:
            station.kill()
        broker.stop()
        shutil.rmtree(work / "spool", ignore_errors=True)


def _judged(device: DaemonProcess, listener: Subscriber, lot: Path, boards_per_s: float | None) -> float:
    """Seconds until all of it was."""
    jobs = sorted(path for path in lot.iterdir() if path.is_dir())
    begun, pause = time.perf_counter(), threading.Event()
    for number, job in enumerate(jobs):
        if boards_per_s is not None:
            pause.wait(max(0.0, begun + number / boards_per_s - time.perf_counter()))
        device.submit(job)
    listener.wait_for(lambda one: one.count("/board/") == len(jobs), _WAIT_S)
    return time.perf_counter() - begun


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
