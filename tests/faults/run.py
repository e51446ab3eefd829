"""``make faults``: break everything, many times, and write down what became of the joints."""

from __future__ import annotations

import os
import platform
import random
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.faults.faults import FAULTS
from tests.faults.rig import BaseJob, Bundles, Result, Trouble, base_jobs
from tests.faults.stage import Fault, Stage
from tests.support.devices import small_bundle, small_lots, small_optical_lots, small_quality_bundle
from tests.support.mosquitto import find_mosquitto

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
SEED = 20261121
_HEAD = """# Reliability

Written by `make faults`: a real daemon with two bundles, a real mosquitto, real files and real kills; X-ray and optical
jobs in turn. Every round ends with an audit of
spool, journal and everything a subscriber with a session of its own received; a round whose audit does not become clean
ends the run. *Lost*: joints submitted that have no verdict, and anything the audit names. *Duplicated*: joints with
more than one event_id. *Wrong*: joints called `normal` that the same device, left alone, does not call normal, or whose
picture was damaged; where release must be earned, also those released before reviews had proved it, or after an older
journal was put back. All three must be 0. *Unjudged* joints went to the specialist; *sent again*: deliveries beyond the
first of an event_id, which consumers drop; *reviews*: handed over meanwhile, each twice. A review that does not
count is among the lost, one that counts twice among the duplicated.
Of exports that are broken so far that joints may be missing the audit must
say so. Slices that are not PNG carry a sha256 in the manifest, as decision 7 asks
of senders: without one nobody can see a flipped bit in a JPEG that still decodes.

"""


def main(only: list[str]) -> int:
    """Run every fault in full (or those whose names contain a word of ``only``, writing no page)."""
    if find_mosquitto() is None:
        print("mosquitto is not installed here: apt-get install mosquitto", file=sys.stderr)
        return 1
    work = Path(tempfile.mkdtemp(prefix="axi-faults-"))
    print("making two small bundles and two small lots", flush=True)
    lots, optical = small_lots(work / "lots"), small_optical_lots(work / "optical-lots")
    bundles = Bundles(small_bundle(_made(work / "build"), lots), small_quality_bundle(work / "quality", optical))
    jobs = base_jobs([lots / "evaluate", optical / "evaluate"], bundles)
    lines, skipped, broken, began = [], [], 0, time.monotonic()
    for fault in FAULTS:
        if only and not any(word in fault.name for word in only):
            continue
        why_not = fault.needs()
        if why_not:
            skipped.append(f"{fault.name}: {why_not}")
            continue
        result = run_fault(fault, work, bundles, jobs, fault.full)
        broken += result.lost + result.duplicated + result.wrong
        lines.append((fault, fault.full, result))
        print(f"{fault.name}: {result}", flush=True)
    if not only:
        PAGE.write_text(_HEAD + _table(lines, time.monotonic() - began) + _skipped(skipped))
        print(f"written: {PAGE}")
    shutil.rmtree(work)
    return int(broken > 0)


def run_fault(
    fault: Fault, work: Path, bundles: Bundles, jobs: list[BaseJob], rounds: int, *, quiet: bool = False
) -> Result:
    """All rounds of one fault; raises Trouble at the first promise broken."""

    def report(number: int) -> None:
        if not quiet and (number % 10 == 0 or rounds < 20):
            print(f"{fault.name}: round {number + 1} of {rounds}", flush=True)

    place = _made(work / fault.name.replace(" ", "-"))
    stage = Stage(place, bundles, jobs, rounds, random.Random(f"{SEED} {fault.name}"), report, [])
    try:
        result = fault.run(stage)
    except Trouble as trouble:
        raise Trouble(f"{fault.name}: {trouble}") from trouble
    finally:
        for rig in stage.rigs:
            rig.close()
    shutil.rmtree(place)
    return result


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def _table(lines: list[tuple[Fault, int, Result]], seconds: float) -> str:
    rows = [
        "| fault | | rounds | jobs | joints | lost | duplicated | wrong | unjudged | sent again | reviews |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    total = [0] * 9
    for fault, rounds, result in lines:
        numbers = [rounds, result.jobs, result.joints, result.lost, result.duplicated, result.wrong]
        numbers += [result.unjudged, result.repeated, result.reviews]
        total = [a + b for a, b in zip(total, numbers, strict=True)]
        rows.append(f"| {fault.name} | {fault.what} | " + " | ".join(f"{n:,}" for n in numbers) + " |")
    rows.append("| **all** | | " + " | ".join(f"**{n:,}**" for n in total) + " |")
    cores = len(os.sched_getaffinity(0))
    machine = f"{platform.system()} {platform.machine()}, {cores} cores, Python {platform.python_version()}"
    return "\n".join(rows) + f"\n\n{datetime.now(UTC):%Y-%m-%d}, {seconds / 60:.0f} minutes, on {machine}.\n"


def _skipped(skipped: list[str]) -> str:
    return "".join(f"\nNot run: {line}.\n" for line in skipped)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
