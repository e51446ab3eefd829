"""Are spool and journal where the daemon can work with them?"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from edge.adapters.host import LinuxHost
from edge.adapters.journal.view import totals
from edge.adapters.spool_view import strangers
from edge.commands.findings import Finding, Health
from edge.config import load_settings
from edge.core.errors import AxiError, ConfigError
from edge.core.places import Place
from edge.upkeep.disks import in_words, is_short


def guarded(what: str, path: Path, find: Callable[[], Finding]) -> Finding:
    """What one path ends in keeps none of the other findings."""
    if not path.is_absolute():
        return Finding(what, Health.FAIL, f"{path}: a service has no folder of its own; write the path from / on")
    try:
        return find()
    except OSError as error:
        return Finding(what, Health.FAIL, f"{error}; correct its path")


def configuration_finding(config: Path) -> Finding:
    """For whoever asks: can all of it be read?"""
    try:
        load_settings(config)
    except ConfigError as error:
        return Finding("configuration", Health.FAIL, f"not readable for the daemon: {error}")
    return Finding("configuration", Health.OK, str(config))


def spool_finding(root: Path) -> Finding:
    if trouble := next(_spool_troubles(root), ""):
        return Finding("spool", Health.FAIL, trouble)
    beside = ", ".join(f"{jobs} jobs in {folder.name}" for folder, jobs in strangers(root))
    if beside:
        return Finding("spool", Health.WARN, f"{root}: {beside}, which nobody reads; hand them over to incoming")
    return Finding("spool", Health.OK, str(root))


def _spool_troubles(root: Path) -> Iterator[str]:
    if not root.exists():
        yield f"{root}: no such folder; correct [spool] path, mount it, or make it (systemd-tmpfiles --create)"
    if not root.is_dir():
        yield f"{root}: a file, not a folder; correct [spool] path"
    places = [root / place for place in Place]
    present = [folder for folder in places if folder.is_dir()]
    for folder in places:
        if not folder.is_dir() and os.path.lexists(folder):
            yield f"{folder}: no folder; move it away, and the daemon makes it anew while it runs"
    if present and not places[0].is_dir():
        yield f"{places[0]}: no such folder, so no job can come; the daemon makes it anew while it runs"
    for folder in [root, *present]:
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            yield f"{folder}: not writable for this user; correct its owner or mode"
    if len({folder.stat().st_dev for folder in present}) > 1:
        yield f"{root}: its folders lie on different file systems; use one"


def journal_finding(path: Path) -> Finding:
    if path.is_dir():
        return Finding("journal", Health.FAIL, f"{path}: a folder, not a file; correct [journal] path")
    if path.exists():
        try:
            held = totals(path)
        except AxiError as error:
            return Finding("journal", Health.FAIL, str(error))
        if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK | os.X_OK):
            text = f"{path}: not writable for this user, or its folder is not; correct owner or mode"
            return Finding("journal", Health.FAIL, text)
        return Finding("journal", Health.OK, f"{path}, {held.unsent} messages waiting for the broker")
    nearest = _nearest(path.parent)
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        return Finding("journal", Health.FAIL, f"{nearest}: no folder this user may write to; correct [journal] path")
    return Finding("journal", Health.OK, f"{path}, to be created")


def disk_finding(what: str, path: Path, min_free_mb: int) -> Finding:
    """By the daemon's own limit, below which it claims no job; a warning when that is near."""
    nearest = _nearest(path)
    free = LinuxHost().free(nearest)
    left = in_words({str(nearest): free})
    if is_short(free, min_free_mb):
        text = f"{left}: below [health] min_free_mb {min_free_mb} no job is claimed; free some space"
        return Finding(what, Health.FAIL, text)
    if is_short(free, 2 * min_free_mb):
        return Finding(what, Health.WARN, f"{left}; below {min_free_mb} MB no job is claimed: free some space")
    return Finding(what, Health.OK, left)


def _nearest(path: Path) -> Path:
    """The path itself, or the nearest folder above it that exists."""
    while not path.exists():
        path = path.parent
    return path
