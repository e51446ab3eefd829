"""Job folders on disk: claimed by rename, so a job is in exactly one place."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
from collections import deque
from pathlib import Path

from edge.core.errors import ConfigError
from edge.files import move_durably, write_durably
from edge.ports import ClaimedJob

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 64 * 1024 * 1024
_FOLDERS = ("incoming", "work", "done", "rejected")


class FolderSpool:
    """A spool folder with ``incoming``, ``work``, ``done`` and ``rejected`` on one file system."""

    def __init__(self, root: Path) -> None:
        """Create what is missing. Raises ConfigError when the folder cannot be used."""
        self.incoming, self.work, self.done, self.rejected = (root / name for name in _FOLDERS)
        try:
            for folder in (self.incoming, self.work, self.done, self.rejected):
                folder.mkdir(parents=True, exist_ok=True)
                if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
                    raise PermissionError(errno.EACCES, "no write access", str(folder))
        except OSError as error:
            raise ConfigError(f"[spool] path: {error}; give the daemon's user a writable folder") from error
        self._waiting: deque[Path] = deque()
        self._ignored: set[str] = set()

    def claim(self) -> ClaimedJob | None:
        """Take the next job: first what a crash or a failed attempt left in work, then the oldest incoming one.

        For one consumer: whatever lies in work when the next job is asked for was not finished.
        """
        for folder in sorted(self.work.iterdir()):
            if folder.is_dir():
                return _opened(folder)
        if not self._waiting:
            self._waiting = deque(self._arrived())
        while self._waiting:
            folder = self._waiting.popleft()
            target = _free_name(self.work / folder.name)
            try:
                move_durably(folder, target)
            except FileNotFoundError:
                continue  # taken back by its sender since the folder was listed
            return _opened(target)
        return None

    def finish(self, job: ClaimedJob) -> None:
        """Move a decided job to done."""
        move_durably(job.folder, _free_name(self.done / job.folder.name))

    def reject(self, job: ClaimedJob, reason: str) -> None:
        """Move a refused job to rejected, with reason.json."""
        document = {"schema": "axi-rejection/1", "job": job.folder.name, "reason": reason}
        write_durably(job.folder / "reason.json", json.dumps(document, indent=1).encode() + b"\n")
        move_durably(job.folder, _free_name(self.rejected / job.folder.name))

    def _arrived(self) -> list[Path]:
        """Complete job folders, oldest first. ``*.tmp`` is still being written; stray files are not jobs."""
        found = []
        with os.scandir(self.incoming) as entries:
            for entry in entries:
                if entry.name.endswith(".tmp") or entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    found.append((entry.stat(follow_symlinks=False).st_mtime_ns, entry.name))
                elif entry.name not in self._ignored:
                    self._ignored.add(entry.name)
                    log.warning("not a job folder, left in place", extra={"entry": entry.name})
        return [self.incoming / name for _, name in sorted(found)]


def open_folder(folder: Path) -> ClaimedJob:
    """Look at a job folder where it lies, claiming nothing."""
    return _opened(folder)


def _opened(folder: Path) -> ClaimedJob:
    """Read the manifest; an unreadable one is as good as empty, and is refused by its parser."""
    path = folder / MANIFEST
    try:
        manifest = path.read_bytes() if path.stat().st_size <= MAX_MANIFEST_BYTES else b""
    except OSError as error:
        if error.errno not in {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.ELOOP}:
            raise
        manifest = b""
    return ClaimedJob(folder, manifest, _content(folder, manifest))


def _content(folder: Path, manifest: bytes) -> str:
    """Digest of the manifest and of every other file's name and size."""
    digest = hashlib.sha256(manifest)
    if not manifest:
        digest.update(folder.name.encode())
    with os.scandir(folder) as entries:
        for name, size in sorted((entry.name, entry.stat(follow_symlinks=False).st_size) for entry in entries):
            if name not in {MANIFEST, "reason.json"}:
                digest.update(f"\0{name}\0{size}".encode(errors="surrogateescape"))
    return "sha256:" + digest.hexdigest()


def _free_name(path: Path) -> Path:
    """``path``, or ``path.2``, ``path.3`` ... when taken: a folder never overwrites another."""
    candidate, n = path, 1
    while candidate.exists():
        n += 1
        candidate = path.with_name(f"{path.name}.{n}")
    return candidate
