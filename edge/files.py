"""Durable files and digests.

Durable means: temporary file, fsync, rename, fsync of the folder. A reader sees the old content or the new, never a
part of it, also after a power cut.
"""

from __future__ import annotations

import codecs
import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_LONGEST_NAME = 255
"""Bytes (Linux)."""


def sync_folder(folder: Path) -> None:
    """Make the folder's entries (renames, creations) durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class HeldFolder:
    """A folder by a path that stays good while it is moved about, until ``close``. Raises OSError."""

    def __init__(self, folder: Path) -> None:
        self._handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.path = Path(f"/proc/self/fd/{self._handle}")

    def close(self) -> None:
        os.close(self._handle)


def read_regular(path: Path, limit: int) -> bytes:
    """The content of a regular file of at most ``limit`` bytes; never blocks on a pipe, never follows a link.

    Raises OSError; EFBIG for a larger file, ELOOP for a link, EINVAL for what is no regular file.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        with open(handle, "rb", closefd=False) as stream:
            content = stream.read(min(status.st_size, limit) + 1)  # memory is taken for as much as is asked for
            if len(content) > status.st_size:  # it grows, or is of a system that tells no sizes
                content += stream.read(max(0, limit + 1 - len(content)))
    finally:
        os.close(handle)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"larger than {limit} bytes", str(path))
    return content


def read_plain(path: Path, limit: int = 16 * 1024 * 1024) -> bytes:
    """``read_regular``, of what a link points to, too: for files whose names people choose. Raises OSError."""
    try:
        return read_regular(path.resolve(strict=True), limit)
    except RuntimeError as error:  # links that run in circles
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path)) from error


def encoding_of(raw: bytes) -> str:
    """Of text: UTF-16 where its byte order mark says so, else UTF-8, with or without one."""
    return "utf-16" if raw.startswith(_UTF_16) else "utf-8-sig"


def as_utf8(raw: bytes) -> bytes:
    """Text without a byte order mark, and out of UTF-16; what cannot be decoded as it is."""
    try:
        return raw.decode(encoding_of(raw)).encode()
    except UnicodeDecodeError:
        return raw


def write_durably(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write ``content`` to ``path`` so that it is there in full or not at all; nobody sees it with another mode."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.unlink(missing_ok=True)  # of an earlier attempt; and no link or pipe in its place is written to
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with open(handle, "wb") as stream:  # noqa: PTH123 - a descriptor, not a path
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def give_to_folders_owner(path: Path) -> None:
    """Root may write for a service; what it wrote is the service's, as its folder is."""
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def replace_file(path: Path, content: bytes) -> None:
    """Write ``content`` so that a reader sees the old content or the new. What a power cut does to it is all the same,
    and the disk is not made to wait.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(content)
    temporary.replace(path)


def move_durably(source: Path, target: Path) -> None:
    """Rename within one file system and make both folders' entries durable."""
    source.rename(target)
    sync_folder(target.parent)
    if source.parent != target.parent:
        sync_folder(source.parent)


def make_for_group(folder: Path) -> None:
    """A folder that its group may write to, as senders of jobs must, where there is none: whatever the umask says."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    before = os.umask(0o007)
    try:
        folder.mkdir(exist_ok=True)
    finally:
        os.umask(before)


def free_name(path: Path) -> Path:
    """``path``, or ``path.2``, ``path.3`` ... when taken: nothing is ever overwritten."""
    candidate, n = path, 1
    while os.path.lexists(candidate):
        n += 1
        candidate = path.with_name(lengthened(path.name, after=f".{n}"))
    return candidate


def lengthened(name: str, *, before: str = "", after: str = "") -> str:
    """A file name with something added; cut where it would be longer than a name may be."""
    room = _LONGEST_NAME - len(os.fsencode(before + after))
    while len(os.fsencode(name)) > room:
        name = name[:-1]
    return before + name + after


def is_unfinished(name: str) -> bool:
    """Of a folder that its sender still writes, or that is being deleted."""
    return name.startswith(".") or name.casefold().endswith(".tmp")


def below(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Everything in a folder and its folders, each folder before what is in it; links are not followed.

    However deep they lie, as long as their paths are no longer than Linux takes. Raises OSError.
    """
    left = [str(folder)]
    while left:
        with os.scandir(left.pop()) as entries:
            for entry in entries:
                yield entry
                if entry.is_dir(follow_symlinks=False):
                    left.append(entry.path)


def remove_tree(folder: Path) -> None:
    """Delete a folder and all in it that can be deleted. Raises OSError with the first trouble, when all was tried."""
    trouble: list[OSError] = []
    folders = [folder]
    for entry in list(below(folder)):
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            folders.append(path)
        else:
            _try(path.unlink, trouble)
    for each in reversed(folders):
        _try(each.rmdir, trouble)
    if trouble:
        raise trouble[0]


def _try(delete: Callable[[], None], trouble: list[OSError]) -> None:
    try:
        delete()
    except OSError as error:
        trouble.append(error)


def digest_bytes(content: bytes) -> str:
    """``sha256:<hex>``"""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def digest_file(path: Path) -> str:
    """``sha256:<hex>`` of a file's content."""
    with path.open("rb") as stream:
        return "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def exclusive_lock(path: Path) -> Iterator[bool]:
    """Hold ``path`` locked for as long as the block runs; yields False when another process holds it.

    The lock dies with its process, so a crash leaves nothing to clean up. One that root makes does not keep the
    folder's owner out.
    """
    fresh = not path.exists()
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        if fresh:
            give_to_folders_owner(path)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)
