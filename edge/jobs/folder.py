"""Opens a job folder where it lies and reads what it says of itself, in whichever words."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from edge.core.errors import JobRefused
from edge.core.job import Manifest, NamedJoint, parse_manifest, printable, salvage
from edge.files import read_regular
from edge.jobs.vendors import ROIS, TABLE, JobDefaults, Reading, read_joint_table, read_result_xml

log = logging.getLogger(__name__)


class ClaimedJob(NamedTuple):
    """A job folder that is ours.

    ``manifest``: the document of contract axi-job/1, as it was sent or as it was read from ``source``; ``problem``: why
    it could not be read whole. ``content`` digests what was sent. ``arrived``: when, in seconds since the epoch.
    """

    folder: Path
    manifest: bytes
    content: str
    arrived: float = 0.0
    inode: int = 0
    source: str = "manifest.json"
    problem: str = ""

    @property
    def key(self) -> str:
        """The same for the same folder, wherever it is moved to."""
        return f"{self.content} {self.inode}"


MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 64 * 1024 * 1024
_STORAGE_FAULTS = {errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ESTALE}
"""The disk's or the system's fault, not the job's: to be tried again."""
NOTHING_KNOWN = JobDefaults()


def open_folder(folder: Path, defaults: JobDefaults = NOTHING_KNOWN) -> ClaimedJob:
    """Read what a job folder says of itself, in whichever words, where it lies; claims nothing.

    A document that cannot be read is as good as empty.
    """
    names = _names(folder)
    manifest = _read(folder / MANIFEST)
    results = [name for name in names if name.lower().endswith(".xml")]
    if manifest or MANIFEST in names or not (results or TABLE in names):
        sent, reading, source = [manifest], Reading({}, ""), MANIFEST
    elif results:
        source = results[0]
        xml, rois = _read(folder / source), _read(folder / ROIS)
        sent, reading = [xml, rois], read_result_xml(xml, rois if ROIS in names else None, names, defaults)
        if len(results) > 1:
            reading = reading._replace(problem=f"{results[1]} lies beside it; a job folder holds one result")
    else:
        source = TABLE
        table = _read(folder / TABLE)
        # A table need not name its board, so boards that are alike are told apart by their pictures.
        sent, reading = (
            [table, *_pictures(folder, names)],
            read_joint_table(table, printable(folder.name), names, defaults),
        )
    if source != MANIFEST:
        manifest = json.dumps(reading.document).encode()
    # What was sent is a job's identity: it stays the same however often the folder is looked at, and names the
    # joints. Without any, the folder's name is all there is.
    identity = b"\0".join(sent) if any(sent) else os.fsencode(folder.name)
    content = "sha256:" + hashlib.sha256(identity).hexdigest()
    return ClaimedJob(
        folder, manifest, content, arrival(folder), folder.stat().st_ino, source=source, problem=reading.problem
    )


def read_job(claimed: ClaimedJob) -> Manifest:
    """The job that a folder holds. Raises JobRefused naming the file, the field and the remedy."""
    source = str(claimed.folder / claimed.source)
    if claimed.problem:
        raise JobRefused(f"{source}: {claimed.problem}")
    return parse_manifest(claimed.manifest, source=source)


class RefusedJob(NamedTuple):
    """A job that breaks the contract, as it can still be named."""

    job_id: str
    serial: str
    joints: tuple[NamedJoint, ...]


def name_refused(claimed: ClaimedJob) -> RefusedJob:
    """Job, board and every joint that a refused folder still names; never raises."""
    found = salvage(claimed.manifest)
    return RefusedJob(found.job_id or printable(claimed.folder.name), found.serial or "unknown", found.joints)


def _pictures(folder: Path, names: Sequence[str]) -> Iterator[bytes]:
    """Name, size and time of every file besides the table: the same wherever the folder is moved."""
    for name in names:
        if name not in {TABLE, "reason.json"}:
            found = (folder / name).lstat()
            yield f"{name} {found.st_size} {found.st_mtime_ns}".encode("utf-8", "surrogateescape")


def _names(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries)


def _read(path: Path) -> bytes:
    try:
        return read_regular(path, MAX_MANIFEST_BYTES)
    except OSError as error:
        if error.errno in _STORAGE_FAULTS:
            raise
        if error.errno != errno.ENOENT:
            log.warning("not readable", extra={"file": str(path), "problem": str(error)})
        return b""


def arrival(folder: Path) -> float:
    """When the manifest was written here, by our clock; moving its folder does not change that. Raises OSError."""
    for name in (MANIFEST, ROIS, TABLE):
        with suppress(FileNotFoundError):
            return (folder / name).lstat().st_ctime
    return folder.lstat().st_ctime
