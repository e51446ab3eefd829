"""A root over another: what is changed in it stays in memory, and vanishes at the end."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self


class Overlay:
    """``root`` is its file system, over ``below``; ``with_`` lists what of this machine is seen in it, too."""

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
            _run("mount", "--bind", f"/{name}", str(self.root / name))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for path in (*(self.root / name for name in self._with), self.root, self._work):
            subprocess.run(["umount", "--lazy", str(path)], check=False)
        self._work.rmdir()

    @property
    def root(self) -> Path:
        return self._work / "root"


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)
