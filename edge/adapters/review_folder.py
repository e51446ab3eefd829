"""The folder that files of reviews are dropped into, beside the jobs."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from edge.core.job import printable
from edge.files import lengthened, move_durably, read_regular, write_durably

log = logging.getLogger(__name__)

FOLDER = "reviews"
_DONE, _REJECTED = "done", "rejected"
_LARGEST_BYTES = 64 * 1024 * 1024
_REASON = ".reason.json"
_BY_BROKER = "broker.jsonl"


class SpoolReviews:
    """``reviews`` in a spool, and in it ``done`` and ``rejected``."""

    def __init__(self, spool: Path) -> None:
        self._root = spool / FOLDER
        self._seen: dict[str, tuple[int, int, int]] = {}

    def waiting(self) -> list[Path]:
        """Files that are not called unfinished and have not changed since they were looked at last, oldest first."""
        for place in (self._root, self._root / _DONE, self._root / _REJECTED):
            place.mkdir(parents=True, exist_ok=True)
        found = {}
        for path in self._root.iterdir():
            if path.name.startswith(".") or path.name.casefold().endswith(".tmp"):
                continue
            if path.is_file() and not path.is_symlink():
                found[path.name] = _stamp(path)
        settled = [(stamp, name) for name, stamp in found.items() if self._seen.get(name) == stamp]
        self._seen = found
        return [self._root / name for _, name in sorted(settled)]

    def read(self, path: Path) -> bytes:
        """Raises OSError."""
        return read_regular(path, _LARGEST_BYTES)

    def hand_back(self) -> None:
        """Whatever was filed is to be entered again: the journal that held it is gone."""
        for place in (self._root / _DONE, self._root / _REJECTED):
            for path in sorted(place.iterdir()) if place.is_dir() else ():
                if path.name.endswith(_REASON):
                    path.unlink()
                else:
                    move_durably(path, _own_name(self._root, path.name))

    def keep(self, content: bytes) -> None:
        """What came by the broker; it is whole, and so need not settle. Raises OSError."""
        path = drop(self._root.parent, _BY_BROKER, content)
        self._seen[path.name] = _stamp(path)

    def finish(self, path: Path) -> None:
        """To ``done``."""
        move_durably(path, _own_name(self._root / _DONE, path.name))

    def reject(self, path: Path, problems: Sequence[str]) -> None:
        """To ``rejected``, with what is wrong with it beside it."""
        target = _own_name(self._root / _REJECTED, path.name)
        document = {"schema": "axi-rejection/1", "file": printable(path.name), "problems": list(problems)}
        reason = target.with_name(lengthened(target.name, after=_REASON))
        write_durably(reason, json.dumps(document, indent=1).encode() + b"\n")
        move_durably(path, target)


def _stamp(path: Path) -> tuple[int, int, int]:
    status = path.lstat()
    return status.st_mtime_ns, status.st_size, status.st_ino


def drop(spool: Path, name: str, content: bytes) -> Path:
    """Put a file there as a whole, under a name of its own that ends as its own does; where it lies. Raises OSError."""
    folder = spool / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    path = _own_name(folder, name)
    write_durably(path, content)
    return path


def _own_name(folder: Path, name: str) -> Path:
    """One that is not taken there. It ends as ``name`` does, which says what kind of file it is."""
    wanted, number = Path(name), 1
    path = folder / name
    while os.path.lexists(path):
        number += 1
        path = folder / f"{wanted.stem}.{number}{wanted.suffix}"
    return path
