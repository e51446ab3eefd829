"""Other Debians, of other processors too: bare roots made once a checkout, and places to try things in them."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from convert.packages.targets import ROOT, Target

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
    if root.exists():
        return root
    if os.geteuid() or shutil.which("mmdebstrap") is None or not (target.architecture == _OWN or _emulated()):
        return None
    unfinished = root.with_suffix(".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.parent.mkdir(parents=True, exist_ok=True)
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


class Inside:
    """A root to try things in: what is changed there stays in memory and vanishes at the end."""

    def __init__(self, below: Path) -> None:
        self._below = below

    def __enter__(self) -> Self:
        self._work = Path(tempfile.mkdtemp(prefix="axi-root-"))
        _run("mount", "-t", "tmpfs", "tmpfs", str(self._work))
        for name in ("upper", "scratch", "root"):
            (self._work / name).mkdir()
        layers = f"lowerdir={self._below},upperdir={self._work}/upper,workdir={self._work}/scratch"
        _run("mount", "-t", "overlay", "overlay", "-o", layers, str(self.root))
        for name in _MOUNTED:
            _run("mount", "--bind", f"/{name}", str(self.root / name))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for path in (*(self.root / name for name in _MOUNTED), self.root, self._work):
            subprocess.run(["umount", "--lazy", str(path)], check=False)
        self._work.rmdir()

    @property
    def root(self) -> Path:
        return self._work / "root"

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


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)
