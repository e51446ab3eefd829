"""A lot through the whole daemon: joints a second, rename to PUBACK, memory, and how much of the cores it uses."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from edge.adapters.host import LinuxHost
from edge.bundle.format import GoldenJoint, write_bundle
from edge.core.card import NORMAL, Quantisation
from edge.core.decide import score_of
from edge.core.job import Board, Job, Joint, Roi, SliceFile, View, encode_manifest
from edge.core.preprocess import PreprocessSpec, prepare
from edge.core.rules import Head
from edge.judging.runtime import TfliteScorer, installed_runtimes
from tests.support.builders import make_card, trusting
from tests.support.daemon import DaemonProcess
from tests.support.mosquitto import Mosquitto

JOINTS, SLICES, SIDE = 20, 4, 1024
_VIEWS, _LONG, _ALONE = 200, 500, 60
_PICTURES = 6
_WAIT_S = 600.0


class Replay(NamedTuple):
    """Figures of one run; times in milliseconds, memory in megabytes (daemon and judge together)."""

    joints_per_s: float
    wall_s: float
    own_s: float
    cores: int
    lot: tuple[float, float]
    alone: tuple[float, float]
    first_mb: float
    last_mb: float
    peak_mb: float

    @property
    def efficiency(self) -> float:
        return self.own_s / self.cores / self.wall_s


def replay(model: Path, head: Head, work: Path, own_ms: float, report: Callable[[str], None]) -> Replay:
    """Send lots through a daemon with this model, in the new folder ``work``. ``own_ms``: what one view costs its
    stages, on one core each.
    """
    work.mkdir()
    device, broker = _device(model, head, work)
    broker.start()
    try:
        device.start()
        pictures = _pictures(work / "pictures")
        _submit(device, pictures, "warm", 3)  # and so the daemon is up, and its caches are filled
        _wait(device, "warm", 3)
        report(f"replaying {_ALONE} views, one at a time")
        alone = []
        for i in range(_ALONE):
            began = _submit(device, pictures, f"alone{i}", 1)
            _wait(device, f"alone{i}", 1)
            alone += _latencies(device, f"alone{i}", began)
        report(f"replaying a lot of {_VIEWS} views of {JOINTS} joints")
        began = _submit(device, pictures, "lot", _VIEWS)
        _wait(device, "lot", _VIEWS)
        lot = _latencies(device, "lot", began)
        report(f"replaying {_LONG * JOINTS} joints, watching memory")
        memory: list[float] = []
        _submit(device, pictures, "long", _LONG)
        _wait(device, "long", _LONG, lambda: memory.append(_memory_mb(device)))
        tenth = max(1, len(memory) // 10)
        wall_s = max(lot) / 1e3
        return Replay(
            joints_per_s=_VIEWS * JOINTS / wall_s,
            wall_s=wall_s,
            own_s=_VIEWS * own_ms / 1e3,
            cores=len(os.sched_getaffinity(0)),
            lot=_percentiles(lot),
            alone=_percentiles(alone),
            first_mb=float(np.mean(memory[:tenth])),
            last_mb=float(np.mean(memory[-tenth:])),
            peak_mb=max(memory),
        )
    finally:
        device.kill()
        broker.stop()


def _device(model: Path, head: Head, work: Path) -> tuple[DaemonProcess, Mosquitto]:
    scorer = TfliteScorer(model, None, installed_runtimes()[0], threads=1)
    features = scorer.features_info
    quantisation = Quantisation(
        scheme="int8", input=scorer.input_info, output=scorer.output_info, head=head, features=features
    )
    spec = PreprocessSpec()
    picture = _picture(0)
    roi = Roi(412, 300, 470, 358)
    patch = prepare(spec, {0: picture}, roi)
    golden = GoldenJoint({0: picture}, roi, patch, scorer.run(patch))
    score_of(golden.answer.output, quantisation)
    known = None if features is None else trusting(features.shape[-1])
    classes = (NORMAL, *(head.classes or ("defect",)))
    card = make_card(quantisation=quantisation, familiarity=known, classes=classes)
    bundle = write_bundle(work / "replay", card, model.read_bytes(), [golden])
    (work / "replay-broker").mkdir()
    broker = Mosquitto(work / "replay-broker", lasting=False)
    (work / "replay-device").mkdir()
    device = DaemonProcess(work / "replay-device", bundle, broker.port)
    text = device.config.read_text().replace("[inference]", f"[inference]\nprocesses = {len(os.sched_getaffinity(0))}")
    device.config.write_text(text)
    return device, broker


def _picture(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return cv2.GaussianBlur(rng.integers(0, 256, (SIDE, SIDE)).astype(np.uint8), (0, 0), 2)


def _pictures(folder: Path) -> list[Path]:
    folder.mkdir()
    for i in range(_PICTURES):
        cv2.imwrite(str(folder / f"{i}.png"), _picture(i))
    return sorted(folder.iterdir())


def _submit(device: DaemonProcess, pictures: list[Path], name: str, jobs: int) -> float:
    """Make the folders, then let all appear; when the first did, in seconds since the epoch."""
    for i in range(jobs):
        folder = device.incoming / f"{name}-{i:05d}.tmp"
        folder.mkdir()
        job = _job(f"{name}-{i:05d}")
        for k, part in enumerate(job.views[0].slices):
            os.link(pictures[(i + k) % len(pictures)], folder / part.file)
        (folder / "manifest.json").write_bytes(encode_manifest(job))
    began = time.time()
    for i in range(jobs):
        (device.incoming / f"{name}-{i:05d}.tmp").rename(device.incoming / f"{name}-{i:05d}")
    return began


def _job(name: str) -> Job:
    slices = tuple(SliceFile(index=k, file=f"010154{k:02d}.png") for k in range(SLICES))
    return Job(
        schema="axi-job/1",
        job_id=name,
        created="2026-11-21T08:15:30Z",
        board=Board(serial=name, type="MB-7"),
        views=(View(id="010154", slices=slices),),
        joints=tuple(
            Joint(id=f"J1.{i}", type="PTH", view="010154", roi=Roi(60 + 45 * i, 480, 118 + 45 * i, 538))
            for i in range(JOINTS)
        ),
    )


def _wait(device: DaemonProcess, name: str, jobs: int, look: Callable[[], object] = lambda: None) -> None:
    """Until every verdict of these jobs was acknowledged; ``look`` is called meanwhile."""
    asked = (
        "SELECT count(*) FROM verdict JOIN job ON job.row = verdict.job "
        "WHERE acknowledged IS NOT NULL AND job_id LIKE ? || '-%'"
    )
    until = time.monotonic() + _WAIT_S
    while (found := _asked(device, asked, name)[0][0] if _journal(device).exists() else 0) < jobs * JOINTS:
        if time.monotonic() > until or not device.alive:
            raise SystemExit(f"replay {name}: {found} of {jobs * JOINTS} verdicts arrived; {device.log[-500:]}")
        look()
        time.sleep(0.02 if jobs == 1 else 0.25)  # another process' journal gives no event, and asking costs it time


def _journal(device: DaemonProcess) -> Path:
    return device.work / "journal.db"


def _asked(device: DaemonProcess, question: str, name: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{_journal(device)}?mode=ro", uri=True)) as db:
        return db.execute(question, (name,)).fetchall()


def _latencies(device: DaemonProcess, name: str, began: float) -> list[float]:
    """Of each job, milliseconds from the first rename of the lot to its last PUBACK."""
    asked = (
        "SELECT max(acknowledged) FROM verdict JOIN job ON job.row = verdict.job WHERE job_id LIKE ? || '-%' "
        "GROUP BY job_id"
    )
    return [1e3 * (datetime.fromisoformat(stamp).timestamp() - began) for (stamp,) in _asked(device, asked, name)]


def _memory_mb(device: DaemonProcess) -> float:
    return LinuxHost().memory([device.pid, *device.workers]) / 1e6


def _percentiles(ms: list[float]) -> tuple[float, float]:
    low, high = np.percentile(ms, (50, 99))
    return float(low), float(high)
