"""The demo's device: its configuration, and the daemon as a process of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from convert.demo.listener import Address
from edge.toml import toml_text

BASE = "demo/line1/axi1"
CONFIG = "axi-edge.toml"


@contextmanager
def daemon(work: Path, bundle: Path, address: Address) -> Iterator[None]:
    """``axi-edge run`` with a configuration written to ``work``; SIGTERM at the end, and it must end well."""
    config = work / CONFIG
    config.write_text(
        toml_text(
            {
                "device": {"name": "axi1"},
                "spool": {"path": str(work / "spool"), "poll_s": 0.05},
                "journal": {"path": str(work / "state" / "journal.db")},
                "model": {"bundle": str(bundle), "public_key_file": str(work / "signing.pub")},
                "inference": {"threads": os.cpu_count() or 1},
                "mqtt": {"base_topic": BASE, "host": address.host, "port": address.port, "version": "3.1.1"},
            }
        )
    )
    (work / "spool" / "incoming").mkdir(parents=True)
    process = subprocess.Popen([sys.executable, "-m", "edge.cli", "run", "--config", str(config)])
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)
    if code:
        raise SystemExit(f"the daemon ended with exit code {code}")


def hand_over(line: Path, incoming: Path) -> None:
    """Copy each job under a .tmp name, then let it appear by one rename, as the machine does."""
    for job in sorted(path for path in line.iterdir() if path.is_dir()):
        unfinished = incoming / f"{job.name}.tmp"
        shutil.copytree(job, unfinished)
        unfinished.rename(incoming / job.name)
