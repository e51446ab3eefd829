"""What tells a view's files from any that lie in their place later, or that lay there before."""

from __future__ import annotations

import os
from pathlib import Path

from edge.core.job import View

Stamps = tuple[tuple[int, int, int], ...]
"""Of each slice inode, size, and when it was changed last, in nanoseconds."""


def stamps_of(view: View, folder: Path) -> Stamps | None:
    """None where one of them is not there."""
    try:
        found = [os.lstat(f"{folder}/{part.file}") for part in view.slices]
    except OSError:
        return None
    return tuple((status.st_ino, status.st_size, status.st_ctime_ns) for status in found)
