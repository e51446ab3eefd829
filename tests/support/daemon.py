"""``axi-edge run`` as a process, as a service manager would start it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from edge.toml import toml_text


def device_toml(work: Path, bundle: Path, port: int, version: str) -> str:
    """A device whose everything lies in one folder, quick to notice and to try again; it believes pictures that were
    shown before, since most tests send the same ones again and again, and the card, since most have no reviews.
    """
    return toml_text(
        {
            "device": {"name": "axi1"},
            "spool": {
                "path": f"{work}/spool",
                "poll_s": 0.05,
                "repeated_days": 0,
            },  # tests send pictures again and again
            "journal": {"path": f"{work}/journal.db"},
            "model": {"bundle": str(bundle)},
            "release": {"policy": "card"},
            "inference": {"threads": 1},
            "mqtt": {
                "base_topic": "acme/line3/axi1",
                "host": "127.0.0.1",
                "port": port,
                "version": version,
                "timeout_s": 5.0,
                "backoff_base_s": 0.1,
                "backoff_cap_s": 0.5,
            },
        }
    )


class DaemonProcess:
    """One device: a folder with its spool and journal, and a daemon that can be started, stopped and killed."""

    def __init__(self, work: Path, bundle: Path, port: int, version: str = "5") -> None:
        self.work = work
        self.config = work / "axi-edge.toml"
        self.config.write_text(device_toml(work, bundle, port, version))
        self.incoming.mkdir(parents=True, exist_ok=True)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def spool(self) -> Path:
        return self.work / "spool"

    @property
    def incoming(self) -> Path:
        return self.spool / "incoming"

    @property
    def log(self) -> str:
        return (self.work / "log").read_text()

    def start(self, before: Sequence[str] = (), env: Mapping[str, str] | None = None) -> None:
        """``before``: a command that runs the daemon, such as strace."""
        with (self.work / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*before, sys.executable, "-m", "edge.cli", "--debug", "run", "--config", str(self.config)],
                stdout=log,
                stderr=log,
                env={**os.environ, **(env or {})},
            )

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        assert self._process
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(60)
        self._process = None
        return code

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def wait(self) -> int:
        """The exit code of a daemon that ends by itself."""
        assert self._process
        return self._process.wait(60)

    def submit(self, job: Path, name: str = "") -> None:
        """Let a copy of a job folder appear by one rename."""
        unfinished = self.incoming / f"{name or job.name}.tmp"
        shutil.copytree(job, unfinished)
        unfinished.rename(unfinished.with_suffix(""))

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def waiting(self) -> list[str]:
        """Jobs not yet finished."""
        places = [self.spool / name for name in ("incoming", "work")]
        return [path.name for place in places if place.is_dir() for path in place.iterdir()]

    def signal(self, which: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(which)

    @property
    def workers(self) -> list[int]:
        """Process ids of those that judge."""
        assert self._process
        tasks = Path(f"/proc/{self._process.pid}/task").iterdir()
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """``axi-edge WORDS --config`` this device's."""
        call = [sys.executable, "-m", "edge.cli", *words, "--config", str(self.config)]
        return subprocess.run(call, capture_output=True, text=True, check=False)

    def folders(self, place: str) -> list[str]:
        return sorted(path.name for path in (self.spool / place).iterdir())
