"""A throw-away machine: a writable overlay of this one's root, or of another, booted under a real systemd."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.overlay import Overlay

_LOCK = Path(tempfile.gettempdir(), "axi-machine.lock")


def why_not_here() -> str:
    """Why no machine can be booted here; empty when it can."""
    if os.geteuid() != 0:
        return "booting a throw-away machine needs root"
    if shutil.which("systemd-nspawn") is None:
        return "systemd-nspawn is not installed: apt-get install systemd-container"
    return ""


class ThrowAwayMachine(Overlay):
    """Boots what is laid over this machine's root, or over another."""

    def run(self, *words: str) -> None:
        """Run a command inside, without booting; the network is this machine's."""
        command = ["systemd-nspawn", "--quiet", "-D", str(self.root), "--register=no", "--keep-unit", "--pipe", *words]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(words)}: {done.stdout[-2000:]}{done.stderr[-2000:]}"

    def boot(self, units: Sequence[Path], script: str, seconds: int = 180) -> subprocess.CompletedProcess[str]:
        """Boot with ``units`` installed, run a shell script as the last unit, and return its exit code and output."""
        for unit in units:
            shutil.copy(unit, self.root / "etc/systemd/system" / unit.name)
        (self.root / "test-script").write_text(f"set -u\n{script}\n")
        (self.root / "etc/systemd/system/test.service").write_text(
            "[Unit]\nDefaultDependencies=no\nAfter=sysinit.target\nRequires=sysinit.target\n"
            "[Service]\nType=oneshot\nStandardOutput=file:/test-output\nStandardError=inherit\n"
            "ExecStart=/bin/sh -c 'sh /test-script; rc=$?; systemctl exit $rc'\n"
        )
        call = ["systemd-nspawn", "-D", str(self.root), "--boot", "--register=no", "--keep-unit", "--machine=axi-test"]
        call += ["--console=read-only", "systemd.unit=test.service"]
        output = self.root / "test-output"
        try:
            with _alone():
                done = subprocess.run(
                    call, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False
                )
        except subprocess.TimeoutExpired as late:
            said = output.read_text(errors="replace") if output.exists() else "nothing"
            raise AssertionError(f"not done within {seconds} s; it said: {said[-4000:]}") from late
        done.stdout = output.read_text(errors="replace") if output.exists() else done.stdout
        return done


@contextmanager
def _alone() -> Iterator[None]:
    """Machines share this one's network, and their stations all listen where stations do: one at a time."""
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
