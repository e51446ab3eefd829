"""Where what is made of a lot may lie."""

from __future__ import annotations

from pathlib import Path

from edge.core.errors import UsageError


def require_new(out: Path, lot: Path) -> None:
    """Raises UsageError for what is there, or would lie in the lot."""
    if out.exists():
        raise UsageError(f"{out}: exists already; name a new folder")
    if out.resolve().is_relative_to(lot.resolve()):
        raise UsageError(f"{out}: lies within the lot, which could not be read any more; name a folder elsewhere")
