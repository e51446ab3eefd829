"""The folder that files of reviews are dropped into, beside the jobs."""

from __future__ import annotations

import errno
import json
import logging
import os
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import NamedTuple

import msgspec

from edge.core.clocks import Monotonic
from edge.core.job import printable
from edge.feedback.ports import Mark
from edge.feedback.reading import SETTLED
from edge.files import is_unfinished, make_for_group, move_durably, read_regular, sync_folder, write_durably

log = logging.getLogger(__name__)

FOLDER = "reviews"
_MARK = ".mark"
LARGEST_BYTES = 4 * 1024 * 1024
"""Some 40,000 rows: reading them takes seconds, and the daemon has other things to do."""
SETTLE_S = 5.0
_DONE, _REJECTED = "done", "rejected"
_REASON = ".reason.json"
_BY_BROKER = "broker.jsonl"
_LONGEST_NAME = 200
"""Bytes; a name may have 255, and some are lengthened."""

_Stamp = tuple[int, int, int]


class _Seen(NamedTuple):
    stamp: _Stamp
    since: float


class SpoolReviews:
    """``reviews`` in a spool, and in it ``done`` and ``rejected``. ``settle_s``: for how long a file must not have
    changed before it is taken.
    """

    def __init__(self, spool: Path, settle_s: float = SETTLE_S, clock: Monotonic = time.monotonic) -> None:
        self._root, self._settle_s, self._clock = spool / FOLDER, settle_s, clock
        self._seen: dict[str, _Seen] = {}
        self._read: dict[str, _Stamp] = {}

    def waiting(self) -> list[Path]:
        """Files that are not called unfinished and have settled, oldest first. Raises OSError."""
        self._make()
        found, now = {}, self._clock()
        for path in self._root.iterdir():
            if is_unfinished(path.name):
                continue
            with suppress(FileNotFoundError):
                if path.is_file() and not path.is_symlink():
                    stamp, seen = _stamp(path), self._seen.get(path.name)
                    found[path.name] = seen if seen and seen.stamp == stamp else _Seen(stamp, now)
        self._seen = found
        settled = [(seen.stamp, name) for name, seen in found.items() if now - seen.since >= self._settle_s]
        return [self._root / name for _, name in sorted(settled)]

    def _make(self) -> None:
        """Never the spool itself: where that is gone, another disk lies there. Raises OSError."""
        if not self._root.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self._root.parent))
        make_for_group(self._root)
        for place in (self._root / _DONE, self._root / _REJECTED):
            place.mkdir(exist_ok=True)

    def read(self, path: Path) -> bytes:
        """Raises OSError."""
        self._read[path.name] = _stamp(path)
        return read_regular(path, LARGEST_BYTES)

    def keep(self, content: bytes) -> None:
        """What came by the broker; it is whole, and so need not settle. Raises OSError."""
        path = drop(self._root.parent, _BY_BROKER, content)
        self._seen[path.name] = _Seen(_stamp(path), self._clock() - self._settle_s)

    def mark(self, mark: Mark) -> None:
        """Note what the journal holds, where a journal that is put back does not reach. Raises OSError."""
        self._make()
        write_durably(self._root / _MARK, msgspec.json.encode(mark) + b"\n")

    def marked(self) -> Mark | None:
        """What was noted last; None where nothing, or what nobody can read. Raises OSError."""
        try:
            return msgspec.json.decode(read_regular(self._root / _MARK, LARGEST_BYTES), type=Mark)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def hand_back(self) -> None:
        """Whatever was filed is to be entered again: the journal that held it is gone. What cannot be moved stays."""
        for place in (self._root / _DONE, self._root / _REJECTED):
            for path in sorted(place.iterdir()) if place.is_dir() else ():
                try:
                    if place.name == _REJECTED and _is_reason(path):
                        path.unlink()
                    else:
                        move_durably(path, next(_own_names(self._root, path.name)))
                except OSError as error:
                    details = {"file": printable(path.name), "problem": str(error)}
                    log.error("reviews not entered again", extra=details)  # noqa: TRY400

    def finish(self, path: Path) -> None:
        """To ``done``; one that has changed since it was read stays, to be read again. Raises OSError."""
        if self._as_read(path):
            move_durably(path, next(_own_names(self._root / _DONE, path.name)))

    def reject(self, path: Path, problems: Sequence[str]) -> None:
        """To ``rejected``, with what is wrong with it beside it; one that has changed since it was read stays. Raises
        OSError.
        """
        if not self._as_read(path):
            return
        target = next(_own_names(self._root / _REJECTED, path.name))
        document = {"schema": "axi-rejection/1", "file": printable(path.name), "problems": list(problems)}
        write_durably(target.with_name(target.name + _REASON), json.dumps(document, indent=1).encode() + b"\n")
        move_durably(path, target)

    def _as_read(self, path: Path) -> bool:
        return self._read.pop(path.name, None) == _stamp(path)


def drop(spool: Path, name: str, content: bytes) -> Path:
    """Put a whole file there, under a name of its own that ends as ``name`` does; where it lies. Raises OSError."""
    folder = spool / FOLDER
    folder.mkdir(exist_ok=True)
    temporary = folder / f".{uuid.uuid4()}.tmp"
    try:
        with temporary.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        path = _linked(temporary, folder, name)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(folder)
    return path


def _linked(temporary: Path, folder: Path, name: str) -> Path:
    """The first name that is free; taken by nobody else meanwhile."""
    for path in _own_names(folder, name):
        with suppress(FileExistsError):
            path.hardlink_to(temporary)
            return path
    raise AssertionError  # names are endless


def _own_names(folder: Path, name: str) -> Iterator[Path]:
    """Names that are not taken there. They end as ``name`` does, which says what kind of file it is."""
    wanted = Path(name.lstrip(".") or "reviews")
    stem, ending = wanted.stem, wanted.suffix
    if stem.casefold().endswith(SETTLED):
        stem, ending = stem[: -len(SETTLED)], f"{SETTLED}{ending}"
    while len(os.fsencode(stem + ending)) > _LONGEST_NAME and stem:
        stem = stem[:-1]
    for number in count(1):
        path = folder / f"{stem}{'' if number == 1 else f'.{number}'}{ending}"
        if not os.path.lexists(path):
            yield path


def _stamp(path: Path) -> _Stamp:
    status = path.lstat()
    return status.st_mtime_ns, status.st_size, status.st_ino


def _is_reason(path: Path) -> bool:
    """Did we write it beside a file that was rejected?"""
    if not path.name.endswith(_REASON):
        return False
    try:
        said = json.loads(read_regular(path, LARGEST_BYTES))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(said, dict) and said.get("schema") == "axi-rejection/1"
