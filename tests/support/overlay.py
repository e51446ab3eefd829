"""A root over another: what is changed in it stays in memory, and vanishes at the end."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self


class Overlay:
    """``root`` is its file system, over ``below``; ``with_`` lists what of this machine is seen in it, too: folders
    without their first slash, or HERE:THERE.
    """

    def __init__(self, below: Path = Path("/"), with_: tuple[str, ...] = ()) -> None:
        self._below, self._with = below, with_

    def __enter__(self) -> Self:
        self._work = Path(tempfile.mkdtemp(prefix="axi-root-"))
        _run("mount", "-t", "tmpfs", "tmpfs", str(self._work))
        for name in ("upper", "scratch", "root"):
            (self._work / name).mkdir()
        layers = f"lowerdir={self._below},upperdir={self._work}/upper,workdir={self._work}/scratch"
        _run("mount", "-t", "overlay", "overlay", "-o", layers, str(self.root))
        for name in self._with:
            here, _, _ = name.partition(":")
            self._seen_at(name).mkdir(parents=True, exist_ok=True)
            _run("mount", "--bind", f"/{here}", str(self._seen_at(name)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for path in (*map(self._seen_at, self._with), self.root, self._work):
            subprocess.run(["umount", "--lazy", str(path)], check=False)
        self._work.rmdir()

    def _seen_at(self, name: str) -> Path:
        here, _, there = name.partition(":")
        return self.root / (there or here)

    @property
    def root(self) -> Path:
        return self._work / "root"


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)
