"""What the machine says of itself: room on disks, memory, temperature."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from edge.upkeep.ports import Free

_ZONES = Path("/sys/class/thermal")
_PLENTY = 10**9


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


class LinuxHost:
    """Reads /proc and /sys; what cannot be read is left out."""

    def free(self, path: Path) -> Free:
        """Room for this user on the file system of ``path``. Raises OSError."""
        found = os.statvfs(path)
        # A file system that makes inodes as it needs them says that it has none at all.
        return Free(found.f_bavail * found.f_frsize, found.f_favail if found.f_files else _PLENTY)

    def memory(self, pids: Sequence[int]) -> int:
        """Resident bytes of these processes together; pages they share count for each."""
        pages = 0
        for pid in pids:
            with suppress(OSError, ValueError, IndexError):
                pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def temperature_c(self) -> float | None:
        """The hottest thermal zone; None where there is none to be read."""
        found = []
        for zone in _ZONES.glob("thermal_zone*/temp"):
            with suppress(OSError, ValueError):
                found.append(int(zone.read_text()) / 1_000)
        return max(found, default=None)
