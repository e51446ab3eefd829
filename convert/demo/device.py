"""The demo's device: its configuration, and the daemon as a process of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from convert.demo.listener import Address
from convert.demo.ports import free_port
from convert.reports.terminal import console
from edge.toml import toml_text

BASE = "demo/line1/axi1"
CONFIG = "axi-edge.toml"
TRUSTED = "trusted.pem"
_MOST_PROCESSES = 4
"""That judge: a demo has few jobs, and each process takes some 100 MB."""


class Device(NamedTuple):
    """The daemon, while it runs."""

    work: Path
    process: subprocess.Popen[bytes]

    def switch(self, bundle: Path) -> None:
        """Activate a bundle and have the daemon reload."""
        self.command("bundle", "activate", str(bundle))
        self.reload()

    def reload(self) -> None:
        self.process.send_signal(signal.SIGHUP)

    def command(self, *words: str) -> None:
        """Say and run a command of the device. Raises SystemExit where it fails."""
        _command(self.work, *words)

    def use(self, changes: dict[str, Any]) -> None:
        """Sections of the configuration, from now on."""
        path = self.work / CONFIG
        path.write_text(toml_text(tomllib.loads(path.read_text()) | changes))

    def hand_over(self, jobs: Iterable[Path]) -> None:
        """Copy each job under a .tmp name, then let it appear by one rename, as the machine does."""
        incoming = self.work / "spool" / "incoming"
        for job in jobs:
            unfinished = incoming / f"{job.name}.tmp"
            shutil.copytree(job, unfinished)
            unfinished.rename(incoming / job.name)


def station_section(work: Path) -> dict[str, Any]:
    """Of the configuration that lies there."""
    return dict(tomllib.loads((work / CONFIG).read_text())["station"])


@contextmanager
def daemon(work: Path, keys: bytes, address: Address) -> Iterator[Device]:
    """``axi-edge run`` with a configuration written to ``work`` and the bundle that ships; SIGTERM at the end, and it
    must end well. ``keys``: whom the device trusts.
    """
    (work / TRUSTED).write_bytes(keys)
    (work / CONFIG).write_text(
        toml_text(
            {
                "device": {"name": "axi1"},
                "spool": {"path": str(work / "spool"), "poll_s": 0.05},
                "journal": {"path": str(work / "state" / "journal.db")},
                "model": {"bundle": str(work / "bundles" / "current"), "public_key_file": str(work / TRUSTED)},
                "release": {"policy": "card"},  # until the demo's last part, where reviews come
                "health": {"interval_s": 0.5},
                "station": {"name": "demo", "port": free_port(), "path": str(work / "state" / "station.db")},
                "inference": {"processes": min(os.cpu_count() or 1, _MOST_PROCESSES)},
                "mqtt": {"base_topic": BASE, "host": address.host, "port": address.port, "version": "3.1.1"},
            }
        )
    )
    (work / "spool" / "incoming").mkdir(parents=True)
    _command(work, "bundle", "activate", "reference")
    process = subprocess.Popen(_words(work, "run"))
    try:
        yield Device(work, process)
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)
    if code:
        raise SystemExit(f"the daemon ended with exit code {code}")


def _command(work: Path, *words: str) -> None:
    console.print(f"[bold]$ axi-edge {' '.join(words)}[/bold]", soft_wrap=True, markup=True, highlight=False)
    code = subprocess.run(_words(work, *words), check=False).returncode
    if code:
        raise SystemExit(code)


def _words(work: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "edge.cli", *words, "--config", str(work / CONFIG)]
