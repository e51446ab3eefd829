"""The demo's review station: it hears the line from its first joint on, and stays up where that is asked for."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from convert.demo.device import CONFIG, station_section
from convert.demo.ports import opens
from convert.reports.terminal import console, plainly

KEEP = "DEMO_KEEP"
_USER, _START_S, _STOP_S = "demo", 30.0, 30
_LIBRARIES = ("starlette", "uvicorn", "argon2", "prometheus_client")


class Station(NamedTuple):
    """``password``: of its one account, made for this run."""

    address: str
    password: str


@contextmanager
def station(work: Path) -> Iterator[Station | None]:
    """``axi-edge station`` beside the demo's device; None where its libraries are not installed."""
    if any(find_spec(name) is None for name in _LIBRARIES):
        yield None
        return
    password = secrets.token_urlsafe(12)
    call = [sys.executable, "-m", "edge.cli", "station"]
    where = ["--config", str(work / CONFIG)]
    user = ["user", "add", _USER, "--role", "engineer"]
    subprocess.run([*call, *user, *where], input=f"{password}\n", text=True, stdout=subprocess.DEVNULL, check=True)
    with (work / "station.log").open("wb") as log:
        process = subprocess.Popen([*call, *where], stdout=log, stderr=log)
    port = int(station_section(work)["port"])
    try:
        if not opens(port, lambda: process.poll() is None, _START_S):
            raise SystemExit(f"the review station did not start; {work / 'station.log'} says why")
        yield Station(f"http://127.0.0.1:{port}/", password)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(_STOP_S)


def offer(there: Station | None) -> None:
    """Keep the line up until somebody ends it, or say how that is done."""
    if there is None:
        return
    if not os.environ.get(KEEP):
        plainly(f"{KEEP}=1 make demo keeps the device and its review station up, to review joints and see the line")
        return
    console.rule("the line stays up")
    plainly(f"review station: {there.address}  name: {_USER}  password: {there.password}")
    plainly("end it with Ctrl-C")
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    ended.wait()
