"""Has a folder settled that is written to in place? When its listing has not changed for a while, by monotonic time.

Not by the files' own times: those are a share's, whose clock may be ahead of this machine's, or behind.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from edge.core.clocks import Monotonic

Listing = tuple[tuple[str, int, int, int], ...]
"""Name, inode, size and time of change of each entry, in the order of names."""


class Settling:
    """``settle_s``: how long nothing in a folder must have changed."""

    def __init__(self, settle_s: float, clock: Monotonic) -> None:
        self._settle_s, self._clock = settle_s, clock
        self._seen: dict[str, tuple[Listing, float]] = {}

    def settled(self, folder: Path) -> bool:
        """Whether it has; a folder is seen for the first time when this is first asked of it."""
        if not self._settle_s:
            return True
        try:
            listing = _listing(folder)
        except FileNotFoundError:
            return False
        except OSError:
            return True  # not ours to look into: claiming it says so
        before, since = self._seen.get(folder.name, ((), 0.0))
        if listing != before:
            self._seen[folder.name] = listing, self._clock()
            return False
        return self._clock() - since >= self._settle_s

    def forget_all_but(self, names: Collection[str]) -> None:
        """Folders that are gone."""
        self._seen = {name: seen for name, seen in self._seen.items() if name in names}


def _listing(folder: Path) -> Listing:
    found = ((path.name, path.lstat()) for path in (folder, *folder.iterdir()))
    return tuple(sorted((name, status.st_ino, status.st_size, status.st_mtime_ns) for name, status in found))
