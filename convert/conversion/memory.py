"""What a process holds."""

from __future__ import annotations

from pathlib import Path


def peak_mb() -> float:
    """The most memory this process ever held, in megabytes (VmHWM).

    Not getrusage's ru_maxrss: that a process inherits from the one that started it.
    """
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
