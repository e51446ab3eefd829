"""A day of a line in the station's store: how long each page takes to answer."""

from __future__ import annotations

import statistics
import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from edge.adapters.host import utc_now
from edge.core.review import Review, Said
from edge.core.wire import timestamp
from edge.station.database import Database
from edge.station.store import JointStore
from tests.support.queues import joint
from tests.support.station import Robot

FLAGGED, WAITING, ASKED = 50_000, 8_000, 100
PAGES = ("/", "/line", "/line?span=week", "/line?span=weeks", "/board?serial=SN000", "/reviewers", "/metrics")


class Took(NamedTuple):
    """Milliseconds, of ``ASKED`` answers."""

    page: str
    median: float
    late: float
    """95 of 100 came sooner."""


def fill(path: Path) -> None:
    """Half of them are released, the others sent; all but ``WAITING`` of those reviewed."""
    store, now = JointStore(Database(path), "review1"), time.time()
    reviewed = FLAGGED // 2 - WAITING
    for first in range(0, FLAGGED, 1000):
        joints = [
            joint(
                number, time=timestamp(utc_now()), released=number % 2 == 0, p_defect=number % 97 / 97, latency_ms=9.0
            )
            for number in range(first, first + 1000)
        ]
        said = [one for one in joints if not one.released][: max(0, reviewed)]
        reviewed -= len(said)
        store.hear(joints, list(_reviews(events=[one.event_id for one in said])), now)


def _reviews(events: list[str]) -> Iterator[Review]:
    for event in events:
        yield Review(str(uuid.uuid4()), timestamp(utc_now()), Said.FALSE_CALL, "eve", event_id=event, seconds=3.0)


def asked(robot: Robot) -> list[Took]:
    """Each page again and again, and a claim of the next joints, as whoever is logged in."""
    found = [_took(page, partial(robot.get, page)) for page in PAGES]
    return [*found, _took("/api/claim", robot.claimed)]


def _took(page: str, ask: Callable[[], object]) -> Took:
    taken = list[float]()
    for _ in range(ASKED):
        begun = time.perf_counter()
        ask()
        taken.append(1000 * (time.perf_counter() - begun))
    return Took(page, statistics.median(taken), statistics.quantiles(taken, n=20)[-1])
