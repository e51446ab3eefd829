"""Where a shipped model came from, and whether a step towards it is done already."""

from __future__ import annotations

import importlib.metadata
import platform
from pathlib import Path

_TOOLS = ("axi-edge", "tensorflow", "keras", "numpy", "scipy", "opencv-python-headless", "PyWavelets")


def tools() -> dict[str, str]:
    """Versions of what decides the weights, and the kind of machine."""
    versions = {name: importlib.metadata.version(name) for name in _TOOLS}
    return {**versions, "python": platform.python_version(), "machine": platform.machine()}


def is_done(path: Path, stamp: str) -> bool:
    """Was ``path`` made, whole, from what ``stamp`` says?"""
    marker = path.with_suffix(".done")
    return path.exists() and marker.exists() and marker.read_text("utf-8") == stamp


def mark_done(path: Path, stamp: str) -> None:
    path.with_suffix(".done").write_text(stamp, "utf-8")
