"""Other Debians, of other processors too: bare roots made once a checkout, and places to try things in them."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

from convert.packages.targets import ROOT, Target
from tests.support.overlay import Overlay

_NEEDED = ("systemd", "systemd-sysv", "libstdc++6", "init-system-helpers")
# What a package's scripts call, where nothing is set up: emulated, that would take minutes.
_TOOLS = ("base-files", "base-passwd", "passwd", "libc-bin", "dpkg", "bash", "dash", "coreutils", "util-linux", "tar")
_TOOLS += ("findutils", "sed", "grep", "diffutils", "perl-base", "libpam-modules", "libpam-runtime")
_BINFMT = Path("/proc/sys/fs/binfmt_misc")
_OWN = "amd64"
_MOUNTED = ("proc", "dev")
"""Not sys: what an emulated program finds there is another processor's, and a library that reads it may crash."""
_ACCOUNTS = {"passwd": "root:x:0:0:root:/root:/bin/sh\n", "group": "root:x:0:\n"}


def root_of(target: Target) -> Path | None:
    """A root with what a device has anyway: one of this processor's can be booted. None where none can be made here."""
    root = ROOT / "build" / "roots" / str(target)
    root.parent.mkdir(parents=True, exist_ok=True)
    with root.with_suffix(".lock").open("w") as lock:  # several tests may want it at the same time
        fcntl.flock(lock, fcntl.LOCK_EX)
        return root if root.exists() else _made(root, target)


def _made(root: Path, target: Target) -> Path | None:
    if os.geteuid() or shutil.which("mmdebstrap") is None or not (target.architecture == _OWN or _emulated()):
        return None
    unfinished = root.with_suffix(".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    wanted = [*_NEEDED, f"python{target.release.python}"]
    words = ["mmdebstrap", "--mode=root", f"--architectures={target.architecture}"]
    if target.architecture == _OWN:
        words.append("--variant=minbase")
    else:
        wanted += _TOOLS
        words += ["--variant=extract", "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr"]
    words += [f"--include={','.join(wanted)}", target.release.suite, str(unfinished)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        return None
    if target.architecture != _OWN:
        for name, line in _ACCOUNTS.items():
            (unfinished / "etc" / name).write_text(line)
    return unfinished.rename(root)


def _emulated() -> bool:
    """Do programs of arm64 run here? Where they can be made to, they are."""
    if shutil.which("qemu-aarch64-static") is None or shutil.which("update-binfmts") is None:
        return False
    if not (_BINFMT / "register").exists():
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", _BINFMT], check=False, capture_output=True)
    subprocess.run(["update-binfmts", "--enable", "qemu-aarch64"], check=False, capture_output=True)
    return (_BINFMT / "qemu-aarch64").exists()


class Inside(Overlay):
    """A root to try things in, without booting it."""

    def __init__(self, below: Path) -> None:
        super().__init__(below, _MOUNTED)

    def run(self, *words: str, seconds: int = 600) -> str:
        """What the command said. Raises AssertionError where it fails."""
        done = subprocess.run(
            ["chroot", str(self.root), *words],
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(words)}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout
