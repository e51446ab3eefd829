"""The stages around the network, each timed by itself: read, crop, decide, journal, publish."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from convert.lowering.passes.head import HEAD
from edge.adapters.journal.store import Journal
from edge.adapters.mqtt import MqttSession
from edge.adapters.mqtt_client import BrokerSettings
from edge.core.card import Quantisation
from edge.core.decide import decide_familiar
from edge.core.features import FeatureSpec
from edge.core.fillet import FEATURES
from edge.core.job import ImageFormat, Roi, SliceFile
from edge.core.preprocess import PreprocessSpec, prepare
from edge.core.rules import OperatingPoint, Rate
from edge.core.wire import Message
from edge.judging.runtime import TfliteScorer, installed_runtimes
from edge.judging.slices import read_slice
from edge.reporting.ports import Outcome
from tests.benchmarks.models import Entry
from tests.support.builders import make_verdict, trusting
from tests.support.mosquitto import Mosquitto, find_mosquitto

VIEW = 20
"""Joints of a view: what one commit and one batch of messages hold."""
_REPEATS = 60


class Stage(NamedTuple):
    """Milliseconds: median and middle half."""

    name: str
    low: float
    median: float
    high: float


def stages(models: Sequence[Entry], work: Path) -> Iterator[Stage]:
    """Time every stage; ``models``: files of ours, for outputs to decide on."""
    yield from _images(work)
    yield from map(_decide, models)
    yield _journal(work)
    if find_mosquitto():
        yield _publish(work)


def _images(work: Path) -> Iterator[Stage]:
    rng = np.random.default_rng(0)
    frame = cv2.GaussianBlur(rng.integers(0, 256, (1024, 1024)).astype(np.uint8), (0, 0), 2)
    image = ImageFormat(polarity="solder_dark")
    for suffix in (".png", ".jpg", ".tiff", ".bmp"):
        cv2.imwrite(str(work / f"frame{suffix}"), frame)
        part = SliceFile(index=0, file=f"frame{suffix}")
        yield _timed(f"read 1024 x 1024 {suffix[1:]}", lambda part=part: read_slice(work, part, image))  # type: ignore[misc]
    slices, roi = dict.fromkeys(range(4), frame), Roi(412, 300, 470, 358)
    yield _timed("crop and resample a joint of four slices", lambda: prepare(PreprocessSpec(), slices, roi))
    spec = FeatureSpec(ranges=((0.0, 1.0),) * len(FEATURES))
    yield _timed("crop an optical joint and measure its features", lambda: spec.prepared({0: frame}, roi))


def _decide(model: Entry) -> Stage:
    scorer = TfliteScorer(model.path, None, installed_runtimes()[0], threads=1)
    head = model.head or HEAD
    quantisation = Quantisation(scheme="int8", input=scorer.input_info, output=scorer.output_info, head=head)
    answer = scorer.run(np.full(scorer.input_info.shape[1:], 128, np.uint8))
    known = None if answer.features is None else trusting(answer.features.size)
    rate = Rate(value=0.9, low=0.8, high=0.95, hits=90, total=100)
    point = OperatingPoint(name="p", threshold=0.5, measured_on="", recall=rate, false_positive_rate=rate)
    return _timed(f"decide a joint of {model.network}", lambda: decide_familiar(answer, quantisation, point, known))


def _journal(work: Path) -> Stage:
    journal = Journal(work / "bench.db")
    jobs = [f"J{i}" for i in range(_REPEATS + 1)]
    entries = iter([(job, journal.open_job(job, job, VIEW, datetime.now(UTC))) for job in jobs])

    def commit() -> None:
        job, entry = next(entries)
        journal.record(entry, [make_verdict(f"joint {i}", job) for i in range(VIEW)])

    return _timed(f"journal a view of {VIEW} verdicts, one commit on disk", commit)


def _publish(work: Path) -> Stage:
    folder = work / "broker"
    folder.mkdir()
    broker = Mosquitto(folder, lasting=False)
    broker.start()
    try:
        session = MqttSession(
            BrokerSettings("127.0.0.1", broker.port, "axi-edge-bench", "5", 30, 5.0),
            Message("b/status", b"", retain=True),
        )
        messages = [Message("b/verdict", b"x" * 700) for _ in range(VIEW)]

        def publish() -> None:
            if {*session.publish(messages)} != {Outcome.ACKNOWLEDGED}:
                raise SystemExit("the broker did not acknowledge a message")

        return _timed(f"publish a view of {VIEW} verdicts and await every PUBACK (local mosquitto)", publish)
    finally:
        broker.stop()


def _timed(name: str, action: Callable[[], object]) -> Stage:
    action()
    samples = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        action()
        samples.append(1e3 * (time.perf_counter() - started))
    return Stage(name, *quartiles(samples))


def quartiles(ms: list[float]) -> tuple[float, float, float]:
    """Low end of the middle half, median, high end."""
    low, median, high = np.percentile(ms, [25, 50, 75])
    return float(low), float(median), float(high)
