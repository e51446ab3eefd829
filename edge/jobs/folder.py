"""Opens a job folder where it lies and reads what it says of itself, in whichever words."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from edge.core.errors import JobRefused
from edge.core.job import Manifest, NamedJoint, parse_manifest, printable
from edge.core.salvage import Salvage, salvage
from edge.files import as_utf8, read_regular
from edge.jobs.joint_table import TABLE, read_joint_table
from edge.jobs.result_xml import ROIS, read_result_xml
from edge.jobs.vendors import JobDefaults, Reading, view_of

log = logging.getLogger(__name__)


class ClaimedJob(NamedTuple):
    """A job folder that is ours.

    ``manifest``: the document of contract axi-job/1, as it was sent or as it was read from ``source``; ``problem``: why
    it could not be read whole; ``unread``: why joints of an export may be missing from it. ``content`` digests what was
    sent. ``arrived``: when, in seconds since the epoch.
    """

    folder: Path
    manifest: bytes
    content: str
    arrived: float = 0.0
    inode: int = 0
    source: str = "manifest.json"
    problem: str = ""
    unread: str = ""

    @property
    def key(self) -> str:
        """The same for the same folder, wherever it is moved to."""
        return f"{self.content} {self.inode}"


MANIFEST, REASON = "manifest.json", "reason.json"
MAX_MANIFEST_BYTES = 16 * 1024 * 1024
LARGE_BYTES = 1024 * 1024
"""Manifests beyond this are not kept in memory to be read again."""
_STORAGE_FAULTS = {errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ESTALE}
"""The disk's or the system's fault, not the job's: to be tried again."""
_NUMBERED = re.compile(r"\.\d+")
"""What is put behind a folder's name where that is taken."""
NOTHING_KNOWN = JobDefaults()
_UNREADABLE = (ValueError, RecursionError, OverflowError, LookupError, AttributeError, TypeError)


def open_folder(folder: Path, defaults: JobDefaults = NOTHING_KNOWN) -> ClaimedJob:
    """Read what a job folder says of itself, in whichever words, where it lies; claims nothing.

    A document that cannot be read is as good as empty.
    """
    names = _names(folder)
    try:
        return _opened(folder, names, defaults)
    except _UNREADABLE as error:  # nothing that somebody wrote may keep other jobs from being taken
        log.exception("a document that no reader understands", extra={"job": printable(folder.name)})
        problem = f"cannot be read ({type(error).__name__}); keep it for the maintainers"
        content = "sha256:" + hashlib.sha256(os.fsencode(folder.name)).hexdigest()
        inode = folder.stat().st_ino
        return ClaimedJob(folder, b"{}", content, arrival(folder), inode, problem=problem, unread=problem)


class _Sent(NamedTuple):
    """A document as it was sent. ``trace``: what tells it from others, also where it cannot be read; then ``problem``
    says why, and ``raw`` is empty.
    """

    raw: bytes
    trace: bytes
    problem: str = ""


def _opened(folder: Path, names: Sequence[str], defaults: JobDefaults) -> ClaimedJob:
    manifest, table = _as_named(names, MANIFEST), _as_named(names, TABLE)
    results = [name for name in names if _is_xml(name)]
    others: list[bytes] = []
    if manifest is not None or not (results or table):
        source, sent = manifest or MANIFEST, [_read(folder / (manifest or MANIFEST))]
        document, reading = as_utf8(sent[0].raw), Reading({}, "")
        if not sent[0].trace:  # no document at all: an inode goes where the folder goes
            others = [str(folder.stat().st_ino).encode(), *_pictures(folder, names)]
    elif results:
        source, rois = results[0], _as_named(names, ROIS)
        sent = [_read(folder / source), _read(folder / (rois or ROIS))]
        reading = read_result_xml(sent[0].raw, sent[1].raw if rois else None, names, defaults)
        document = json.dumps(reading.document).encode()
    else:
        source = table or TABLE
        # A table need not name its board, so boards that are alike are told apart by their pictures.
        sent, others = [_read(folder / source)], list(_pictures(folder, names))
        reading = read_joint_table(sent[0].raw, _first_name(folder, names), names, defaults)
        document = json.dumps(reading.document).encode()
    problem = next((part.problem for part in sent if part.problem), "") or _beside(names, source)
    if problem:
        reading = reading._replace(problem=problem, unread=problem)
    # What was sent is a job's identity: it stays the same however often the folder is looked at, and names the joints.
    identity = b"\0".join([*(part.trace for part in sent), *others])
    return ClaimedJob(
        folder,
        document,
        "sha256:" + hashlib.sha256(identity).hexdigest(),
        arrival(folder),
        folder.stat().st_ino,
        source=source,
        problem=reading.problem,
        unread=reading.unread,
    )


def _first_name(folder: Path, names: Sequence[str]) -> str:
    """What a folder was called as it came: one that was set aside may have another name by now."""
    if REASON in names:
        with suppress(OSError, ValueError, AttributeError, RecursionError):
            said = json.loads(read_regular(folder / REASON, MAX_MANIFEST_BYTES)).get("job")
            if isinstance(said, str) and said and _NUMBERED.fullmatch(folder.name.removeprefix(said)):
                return printable(said)
    return printable(folder.name)


def _beside(names: Sequence[str], source: str) -> str:
    """What is wrong where another document could be meant. A manifest stands above all but its own other spellings."""
    if source.casefold() == MANIFEST:
        found = [name for name in names if name.casefold() == MANIFEST]
    else:
        found = [name for name in names if name.casefold() == TABLE or _is_xml(name)]
    sides = [name for name in names if name.casefold() == ROIS] if _is_xml(source) else []
    rival = next((name for name in [*found, *sides[1:]] if name != source), "")
    return f"{rival} lies beside it; a job folder holds one document" if rival else ""


def _is_xml(name: str) -> bool:
    return name.lower().endswith(".xml")


def _as_named(names: Sequence[str], wanted: str) -> str | None:
    """How a document is really called: names are compared without regard to case."""
    if wanted in names:
        return wanted
    return next((name for name in names if name.casefold() == wanted), None)


def require_readable(folder: Path) -> None:
    """Raises PermissionError naming the folder or the document in it that this user may not read."""
    if not os.access(folder, os.R_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "not readable", str(folder))
    for name in _names(folder):
        document = name.casefold() in {MANIFEST, TABLE, ROIS} or _is_xml(name)
        path = folder / name
        if document and not path.is_symlink() and path.exists() and not os.access(path, os.R_OK):
            raise PermissionError(errno.EACCES, "not readable", str(path))


def read_job(claimed: ClaimedJob) -> Manifest:
    """The job that a folder holds. Raises JobRefused naming the file, the field and the remedy."""
    source = str(claimed.folder / claimed.source)
    if claimed.problem:
        raise JobRefused(f"{source}: {claimed.problem}")
    if len(claimed.manifest) <= LARGE_BYTES:
        with suppress(JobRefused):  # that is to be said of this folder
            return _well_formed(claimed.manifest)
    return parse_manifest(claimed.manifest, source=source)


@lru_cache(maxsize=32)
def _well_formed(manifest: bytes) -> Manifest:
    """A job is read where it waits, perhaps more than once, and again as its turn comes. Raises JobRefused."""
    return parse_manifest(manifest)


class RefusedJob(NamedTuple):
    """A job that breaks the contract, as it can still be named. ``unread``: why joints may be missing."""

    job_id: str
    serial: str
    joints: tuple[NamedJoint, ...]
    unread: str


def name_refused(claimed: ClaimedJob) -> RefusedJob:
    """Job, board and every joint that a refused folder still names; never raises."""
    found = salvage(claimed.manifest)
    unread = unread_of(claimed, found)
    return RefusedJob(found.job_id or printable(claimed.folder.name), found.serial or "unknown", found.joints, unread)


def unread_of(claimed: ClaimedJob, found: Salvage) -> str:
    """Why joints may be missing from what was ``found`` in a job's document; empty where it names all."""
    return claimed.unread or ("" if found.whole else "it cannot be read to its end")


def _pictures(folder: Path, names: Sequence[str]) -> Iterator[bytes]:
    """Name, size and time of every slice: the same wherever the folder is moved, and whatever is put beside them."""
    for name in names:
        if view_of(name) is not None:
            yield _trace(folder / name)


def _trace(path: Path) -> bytes:
    found = path.lstat()
    return f"{path.name} {found.st_size} {found.st_mtime_ns}".encode("utf-8", "surrogateescape")


def _names(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries)


def _read(path: Path) -> _Sent:
    try:
        raw = read_regular(path, MAX_MANIFEST_BYTES)
    except OSError as error:
        if error.errno in _STORAGE_FAULTS:
            raise
        if error.errno == errno.ENOENT:
            return _Sent(b"", b"")
        log.warning("not readable", extra={"file": str(path), "problem": str(error)})
        return _Sent(b"", _trace(path), f"{path.name}: {error.strerror}; send a regular file of at most 16 MiB")
    return _Sent(raw, raw or _trace(path))


def arrival(folder: Path) -> float:
    """When the manifest was written here, by our clock; moving its folder does not change that. Raises OSError."""
    for name in (MANIFEST, ROIS, TABLE):
        with suppress(FileNotFoundError):
            return (folder / name).lstat().st_ctime
    return folder.lstat().st_ctime
