"""Where a shipped model came from, and whether a step towards it is done already."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from convert.simulator.plan import LotPlan

Tell = Callable[[str], None]
"""Where each step says that it begins, and how far it is."""
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


def simulated(folder: Path, plan: LotPlan, simulate: Callable[[Path, LotPlan], Iterator[int]], tell: Tell) -> Path:
    """The lot of this plan, simulated unless it is there, whole: it gets its name once it is."""
    if not folder.exists():
        tell(f"simulating {folder.name}: {plan.joints} joints")
        unfinished = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(unfinished, ignore_errors=True)
        done = 0
        for joints in simulate(unfinished, plan):
            done += joints
            tell(f"  {done} of {plan.joints} joints")
        unfinished.rename(folder)
    return folder
