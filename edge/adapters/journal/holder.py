"""Who else keeps the journal from being written to: SQLite says only that somebody does."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_LOCKS = Path("/proc/locks")


def holder_of(journal: Path, locks: Path = _LOCKS) -> str:
    """Another process with a write lock on the journal or its index, by name and number; empty where there is none.

    ``locks``: the kernel's list, a line a lock: number, kind, mode, READ or WRITE, process, device:inode, from, to
    (proc_locks(5)).
    """
    inodes = set[str]()
    for suffix in ("", "-shm"):
        with suppress(OSError):
            inodes.add(str(journal.with_name(journal.name + suffix).stat().st_ino))
    try:
        lines = locks.read_text().splitlines()
    except OSError:
        return ""
    for line in lines:
        words = line.split()
        if len(words) < 8 or words[3] != "WRITE" or words[5].rpartition(":")[2] not in inodes:
            continue
        if words[4] not in {str(os.getpid()), "0"}:
            return _named(words[4])
    return ""


def _named(number: str) -> str:
    """Its name as well, where one may see that."""
    with suppress(OSError):
        return f"{(Path('/proc') / number / 'comm').read_text().strip()} (process {number})"
    return f"process {number}"
