"""Other Debians: bare roots made once, and the packages that go there."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from convert.packages.targets import ROOT, Target

_BUILD = ROOT / "build"
_NEEDED = ("systemd", "systemd-sysv", "libstdc++6", "init-system-helpers")


def root_of(target: Target) -> Path | None:
    """A root with what a device has anyway; None where none can be made here. Made once a checkout."""
    root = _BUILD / "roots" / str(target)
    if root.exists():
        return root
    if shutil.which("mmdebstrap") is None:
        return None
    unfinished = root.with_suffix(".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    wanted = ",".join((*_NEEDED, f"python{target.release.python}"))
    words = ["mmdebstrap", "--mode=root", "--variant=minbase", f"--include={wanted}"]
    words += [f"--architectures={target.architecture}", target.release.suite, str(unfinished)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        return None
    return unfinished.rename(root)
