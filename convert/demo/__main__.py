"""The demo's story: a line and a daemon with the bundle that ships, then one built before your eyes and switched to.

Everything it makes stays in a folder, ``build/demo`` unless another is named, to be looked at and tried on.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from convert.commands.keys import make_keys
from convert.demo.broker import embedded_broker
from convert.demo.bundle import make_bundle, simulate_line
from convert.demo.device import BASE, CONFIG, TRUSTED, Device, daemon
from convert.demo.earning import earn
from convert.demo.listener import Address, Heard, heard_from, parse_url
from convert.demo.station import offer, station
from convert.demo.verdicts import sum_up, watch
from convert.lots.truth import read_truth
from convert.reports.terminal import console, plainly
from edge.bundle.shipped import KEYS
from edge.core.errors import AxiError, UsageError

_MARK = ".axi-demo"
"""Lies in a folder that a demo made, and so may be removed by the next."""
_CAPTURE = "capture.jsonl"
_BEFORE = 5
"""Jobs for the bundle that ships; the others wait for the one that is built."""


def main(words: Sequence[str]) -> int:
    """Run the demo; exit 0 when as many verdicts arrived as joints went in."""
    started = time.monotonic()
    work = clean(Path(words[0] if words else "build/demo"))
    with ExitStack() as stack:
        console.rule("the line: job folders -> daemon, with the bundle that ships -> broker")
        url = os.environ.get("MQTT_URL")
        address = parse_url(url) if url else Address("127.0.0.1", stack.enter_context(embedded_broker()))
        console.print(f"broker: {address.host}:{address.port} ({'MQTT_URL' if url else 'embedded'})")
        simulate_line(work)
        _, public = make_keys(work)
        heard = stack.enter_context(heard_from(address, BASE, work / _CAPTURE))
        console.print(
            "[dim]at first released on the card's word (policy card); below, release is earned[/dim]", markup=True
        )
        device = stack.enter_context(daemon(work, KEYS.read_bytes() + public.read_bytes(), address))
        there = stack.enter_context(station(work))
        whole = _judged(device, work, slice(None, _BEFORE), heard, started)
        console.rule("the workstation: shipped network -> int8 bundle, gated, signed")
        bundle = make_bundle(work)
        console.rule("the line again, with the bundle just built")
        device.switch(bundle)
        heard.wait_for(bundle.name)
        whole &= _judged(device, work, slice(_BEFORE, None), heard, started)
        console.rule("release is earned: reviews -> licences -> joints released")
        whole &= earn(work, device, address, heard)
        console.print(f"done in {time.monotonic() - started:.0f} s")
        _offer(work, bundle)
        offer(there)
    return 0 if whole else 1


def _judged(device: Device, work: Path, which: slice, heard: Heard, started: float) -> bool:
    """Hand over some of the line's jobs and show what comes of them; True when every joint has its verdict."""
    jobs = sorted(path for path in (work / "line").iterdir() if path.is_dir())[which]
    names = {job.name for job in jobs}
    truth = {joint: row for joint, row in read_truth(work / "line").items() if joint[0] in names}
    device.hand_over(jobs)
    return sum_up(watch(heard.verdicts, truth, started), truth)


def clean(work: Path) -> Path:
    """An empty folder in the place of what an earlier demo left. Raises UsageError for one that no demo made."""
    work = work.resolve()
    if work.exists() and any(work.iterdir()) and not (work / _MARK).exists():
        raise UsageError(f"{work}: holds something that no demo made; name another folder")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    (work / _MARK).touch()
    return work


def _offer(work: Path, bundle: Path) -> None:
    """Where everything lies, and what is worth trying on it."""
    programs = Path(sys.executable).parent
    here = _short(work)
    console.rule(f"kept in {here}")
    for name, text in (
        (f"bundles/{bundle.name}", "the bundle just built; beside it its report, report.html"),
        ("line", "the job folders that were handed over, and truth.csv"),
        (CONFIG, "the daemon's configuration; spool and journal lie beside it"),
        (_CAPTURE, "what the broker delivered, a message a line"),
    ):
        plainly(f"  {name:<28} {text}")
    job = min(path for path in (work / "line").iterdir() if path.is_dir())
    edge, convert = _short(programs / "axi-edge"), _short(programs / "axi-convert")
    console.print("worth trying next:")
    for command in (
        f"{edge} inspect {_short(job)} --bundle {_short(bundle)} --public-key {here}/{TRUSTED}",
        f"{edge} audit --config {here}/{CONFIG} --capture {here}/{_CAPTURE}",
        f"{convert} evaluate {_short(bundle)} --data {here}/line --validation {here}/validation",
    ):
        plainly(f"  {command}")


def _short(path: Path) -> str:
    """Relative to where one stands, where it lies below that."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except AxiError as error:
        print(f"demo: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
