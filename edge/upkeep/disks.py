"""Is there room on a disk for another job? One rule for the daemon, which then claims none, and for the doctor."""

from __future__ import annotations

from collections.abc import Mapping

from edge.upkeep.ports import Free

MB = 1_000_000
_MIN_FREE_INODES = 1_000


def is_short(free: Free, least_mb: float) -> bool:
    """Too little of bytes or of inodes."""
    return free.size < least_mb * MB or free.inodes < _MIN_FREE_INODES


def in_words(disks: Mapping[str, Free]) -> str:
    """What is left on each."""
    return ", ".join(f"{name}: {free.size // MB} MB and {free.inodes} inodes free" for name, free in disks.items())
