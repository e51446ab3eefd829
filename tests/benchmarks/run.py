"""``make bench``: our int8 files beside the peers' of the same networks, in one run.

Every file is timed in processes of its own, in three rounds, so that a noisy minute hits all alike. Medians with the
spread of the middle half, and ratios; nothing here is compared with a figure of another run.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console

from convert.conversion.runtimes import thread_count
from convert.lots.reading import load_lot
from convert.lowering.layers import readings_from
from convert.metrics.defects import auroc
from convert.simulator.plan import LotPlan
from convert.simulator.xray.lot import simulate_lot
from edge.core.preprocess import PreprocessSpec
from edge.judging.runtime import TfliteScorer, choose_runtime, installed_runtimes
from tests.benchmarks.models import Entry, ours, peers, plain_float32, size_of
from tests.benchmarks.replay import JOINTS, SIDE, SLICES, Replay, replay
from tests.benchmarks.stages import Stage, quartiles, stages
from tests.support.mosquitto import find_mosquitto

PAGE = Path("docs/benchmarks.md")
SETTINGS = ((1, 1), (2, 1), (2, 8))
"""Threads and batch."""
ROUNDS = 3
OWN, PAPERS = "slicenet, int8, litert", "cnn3d factorised, int8, litert"
BEST = {
    "slicenet": OWN,
    "cnn3d": PAPERS,
    "cnn-lstm": "cnn-lstm factorised, int8, litert",
}
"""By network, the file that its others are compared with."""
INTRODUCTION = (
    "Written by `make bench`: one run, files side by side, each in processes of its own, in three rounds. Compare "
    "ratios, not milliseconds. The networks are the shipped ones; *cnn3d* and *cnn-lstm* without *factorised* are the "
    "same with their factors multiplied out, to the paper's own shapes, and that is what every peer is given (for int8 "
    "with its LSTM unrolled: quantised, OpenVINO refuses its own LSTM operation). Ratio: "
    "how many times the time of our int8 file on litert (the factorised one, of the papers' networks), at the same "
    "threads and batch. Our files take one joint a call, so a batch of eight is eight calls. Memory: what loading and "
    "running added. AUROC: on 480 simulated "
    "joints."
)
HEADING = [
    "| file | ms a joint | middle half | ratio | memory, MB | size, MB | AUROC |",
    "|---|---|---|---|---|---|---|",
]
DECISIVE = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16", "asimddp", "i8mm")
"""Instruction sets for products of 8-bit integers (and bfloat16), on x86 and on Arm."""
DECISIVE_NOTE = (
    "These sets decide the comparison more than the processor's speed. In earlier runs of this page OpenVINO's int8 "
    "was about as fast as our factorised file where the processor has amx_int8, which OpenVINO uses and XNNPACK does "
    "not, and took 2.3 to 2.9 times as long where it has not; its float32 files run in bfloat16 where the processor "
    "has that. Compare a page only with one of the same sets."
)
console = Console()


class Timing(NamedTuple):
    """Milliseconds a joint: median and middle half; memory that loading and running added."""

    low: float
    median: float
    high: float
    memory_mb: float


Timings = dict[tuple[str, int, int], Timing]
"""By file, threads and batch."""


def main() -> None:
    """Measure, print, and write docs/benchmarks.md."""
    if find_mosquitto() is None:
        raise SystemExit("mosquitto is not installed, so no lot could be replayed: apt-get install mosquitto")
    with tempfile.TemporaryDirectory(prefix="axi-bench-") as scratch:
        work = Path(scratch)
        calibration, labels = _lots(work)
        runtimes = [runtime.name for runtime in installed_runtimes()]
        entries = [*ours(work, calibration, runtimes, _say), plain_float32(work, _say)]
        missing = _missing()
        entries += [] if missing else peers(work, calibration, _say)
        aurocs = {entry.name: _auroc(entry, work, labels) for entry in entries}
        timings = _timed(entries, work)
        around = list(stages([_entry(entries, name) for name in (OWN, PAPERS)], work))
        ran = {name: _replay(entries, name, work, around, timings) for name in (OWN, PAPERS)}
        page = "\n".join([*_page(entries, timings, aurocs, around, missing), *_replayed(ran)]) + "\n"
    PAGE.write_text(page)
    console.print(page, markup=False, highlight=False)


def _say(text: str) -> None:
    console.print(f"- {text}", markup=False, highlight=False)


def _entry(entries: list[Entry], name: str) -> Entry:
    (entry,) = (entry for entry in entries if entry.name == name)
    return entry


def _replay(entries: list[Entry], name: str, work: Path, around: list[Stage], timings: Timings) -> Replay:
    entry = _entry(entries, name)
    _say(f"replaying with {name}")
    if entry.head is None:
        raise SystemExit(f"{name}: has no head to read it by")
    own_ms = _own_ms(around, entry.network, timings[name, 1, 1])
    return replay(entry.path, entry.head, work / f"replay-{entry.network}", own_ms, _say)


def _own_ms(around: list[Stage], network: str, model: Timing) -> float:
    """What a view of the replayed lot costs its stages, each by itself on one core."""
    by_name = {stage.name.split(",")[0]: stage.median for stage in around}
    return (
        SLICES * by_name["read 1024 x 1024 png"]
        + JOINTS * (by_name["crop and resample a joint of four slices"] + by_name[f"decide a joint of {network}"])
        + JOINTS * model.median
        + sum(ms for name, ms in by_name.items() if name.startswith(("journal", "publish")))
    )


def _replayed(ran: dict[str, Replay]) -> list[str]:
    own, papers = ran[OWN], ran[PAPERS]
    about = (
        f"{own.cores} processes that judge, a thread each; views of {JOINTS} joints and {SLICES} slices, PNG of "
        f"{SIDE} x {SIDE}, each a job; local mosquitto. Efficiency: what the stages above cost by themselves, shared "
        "by all cores, as a share of the time it took. Memory: daemon and judge together. "
        f"With {OWN} {own.joints_per_s / papers.joints_per_s:.2f} times the joints a second of {PAPERS}."
    )
    rows = {
        "joints a second, 200 views waiting at once": lambda one: f"{one.joints_per_s:.0f}",
        "efficiency": lambda one: f"{one.efficiency:.2f}",
        "rename to last PUBACK in that lot, median and 99th percentile": lambda one: _both(one.lot),
        "the same, one view at a time": lambda one: _both(one.alone),
        "memory over 10,000 joints: first tenth, last tenth, peak": lambda one: (
            f"{one.first_mb:.0f}, {one.last_mb:.0f}, {one.peak_mb:.0f} MB"
        ),
    }
    table = [f"| {name} | {figure(own)} | {figure(papers)} |" for name, figure in rows.items()]
    heading = ["", f"| figure | {OWN} | {PAPERS} |", "|---|---|---|"]
    return ["", "## A lot through the whole daemon", "", about, *heading, *table]


def _both(ms: tuple[float, float]) -> str:
    return f"{ms[0]:.0f} and {ms[1]:.0f} ms"


def _missing() -> str:
    """Which peer is not installed, if any."""
    for name in ("openvino", "nncf", "onnx", "onnxruntime"):
        try:
            version(name)
        except PackageNotFoundError:
            return name
    return ""


def _lots(work: Path) -> tuple[Any, Any]:
    """Calibration patches, and the labels of the joints in joints.npy."""
    plans = {
        "calibration": LotPlan(boards=16, joints=256, seed=77, types=16, first_type=500, form="patches"),
        "joints": LotPlan(boards=24, joints=480, seed=77, types=12, first_type=600, defect_share=0.4, form="patches"),
    }
    loaded = {}
    for name, plan in plans.items():
        _say(f"simulating {plan.joints} joints: {name}")
        list(simulate_lot(work / name, plan))
        loaded[name] = load_lot(work / name, PreprocessSpec())
    np.save(work / "joints.npy", loaded["joints"].patches)
    return loaded["calibration"].patches, loaded["joints"].labels


def _run(entry: Entry, work: Path, threads: int, batch: int, out: str = "") -> dict[str, Any]:
    words = [sys.executable, "-m", "tests.benchmarks.engine", entry.engine, entry.path, entry.runtime, entry.kernels]
    words += [threads, batch, work / "joints.npy", out]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{entry.name}: {done.stderr.strip().splitlines()[-1]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def _auroc(entry: Entry, work: Path, labels: Any) -> float:
    """On simulated joints of board types that nothing here was trained on."""
    _say(f"scoring with {entry.name}")
    out = work / "scores.npy"
    _run(entry, work, thread_count(), 1, str(out))
    scores = np.load(out)
    if entry.head is not None:
        shown = TfliteScorer(entry.path, None, choose_runtime(entry.runtime), threads=1).output_info
        bands = shown.scale * (scores.astype(np.float64) - shown.zero_point)
        scores = entry.head.scores(readings_from(entry.head, bands))
    ordered = scores if scores.ndim == 1 else scores[:, 1]
    return auroc(ordered, labels[: len(ordered)])


def _timed(entries: list[Entry], work: Path) -> Timings:
    samples: dict[tuple[str, int, int], list[float]] = {}
    memory: dict[tuple[str, int, int], float] = {}
    for number in range(ROUNDS):
        _say(f"timing, round {number + 1} of {ROUNDS}")
        for entry in entries:
            for threads, batch in SETTINGS:
                found = _run(entry, work, threads, batch)
                key = entry.name, threads, batch
                samples.setdefault(key, []).extend(found["ms"])
                memory[key] = max(memory.get(key, 0.0), found["memory_mb"])
    return {key: Timing(*quartiles(ms), memory[key]) for key, ms in samples.items()}


def _in_short(entries: list[Entry], timings: Timings) -> list[str]:
    """How many times as fast as everything else SliceNet is, and as each peer our files of the papers' networks are."""
    own = timings[OWN, 1, 1].median
    lines = [
        "",
        "## In short: how many times as fast SliceNet is, one joint at a time on one thread",
        "",
        f"| than | {OWN} |",
        "|---|---|",
        *(
            f"| {entry.name} | {timings[entry.name, 1, 1].median / own:.1f} |"
            for entry in sorted(entries, key=lambda one: timings[one.name, 1, 1].median)
            if entry.name != OWN
        ),
        "",
        "## The papers' networks: how many times as fast ours are, one joint at a time on two threads",
        "",
        "| than | ours exact, int8, litert | ours factorised, int8, litert |",
        "|---|---|---|",
    ]
    for network in ("cnn3d", "cnn-lstm"):
        names = [f"{network}, int8, litert", BEST[network]]
        exact, factorised = (timings[name, 2, 1].median for name in names)
        for entry in entries:
            if entry.network == network and entry.name not in names:
                theirs = timings[entry.name, 2, 1].median
                lines.append(f"| {entry.name} | {theirs / exact:.1f} | {theirs / factorised:.1f} |")
    return lines


def processor(cpuinfo: str) -> str:
    """What this ran on, from /proc/cpuinfo, with the instruction sets it has and those it lacks."""
    fields = dict(re.findall(r"^(model name|flags|Features)\s*: (.*)$", cpuinfo, re.MULTILINE))
    flags = set(fields.get("flags", fields.get("Features", "")).split())
    has = [name for name in DECISIVE if name in flags]
    lacks = [name for name in DECISIVE if name not in flags]
    cores = len(os.sched_getaffinity(0))
    return (
        f"{fields.get('model name', 'unknown')}, {cores} cores. Instruction sets: {', '.join(has) or 'none of those'}; "
        f"without {', '.join(lacks) or 'none'}"
    )


def _page(
    entries: list[Entry], timings: Timings, aurocs: dict[str, float], around: list[Stage], missing: str
) -> list[str]:
    lines = [
        "# Benchmarks",
        "",
        INTRODUCTION,
        "",
        f"Processor: {processor(Path('/proc/cpuinfo').read_text())}. {DECISIVE_NOTE}",
    ]
    if missing:
        lines += ["", f"**{missing} is not installed here, so the peers are missing: pip install -e '.[bench]'.**"]
    lines += _in_short(entries, timings)
    for network in BEST:
        for threads, batch in SETTINGS:
            lines += ["", f"## {network}, {threads} thread{'s' * (threads > 1)}, batch {batch}", ""]
            lines += HEADING
            unit = timings[BEST[network], threads, batch].median
            chosen = [entry for entry in entries if entry.network == network]
            for entry in sorted(chosen, key=lambda one: timings[one.name, threads, batch].median):
                at = timings[entry.name, threads, batch]
                lines.append(
                    f"| {entry.name} | {at.median:.2f} | {at.low:.2f} to {at.high:.2f} | {at.median / unit:.2f} "
                    f"| {at.memory_mb:.0f} | {size_of(entry):.1f} | {aurocs[entry.name]:.4f} |"
                )
    lines += ["", "## The stages around it", "", "| stage | ms, median | middle half |", "|---|---|---|"]
    lines += [f"| {stage.name} | {stage.median:.3f} | {stage.low:.3f} to {stage.high:.3f} |" for stage in around]
    return lines


if __name__ == "__main__":
    main()
