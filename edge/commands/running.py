"""The daemon that runs, asked without disturbing it: its lock, and what it says of itself."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import NamedTuple

from edge.adapters.host import utc_now
from edge.config import DEFAULT_PATH, JournalSettings, drop_ins_of
from edge.core.errors import ConfigError
from edge.files import as_utf8, exclusive_lock
from edge.upkeep.state import DaemonState, is_fresh, lock_path, read_state, state_path

GOES_ON = "running, by what it read before; it would not start again"
"""Of a daemon whose configuration cannot be used any more."""


def may_run_by(config: Path) -> bool:
    """Could a daemon? Else it is of no device, or misspelt."""
    return config == DEFAULT_PATH or config.is_file()


def daemon_runs(journal: Path) -> bool:
    """Raises ConfigError where this user may not ask."""
    lock = lock_path(journal)
    if not lock.exists():
        return False
    try:
        with exclusive_lock(lock) as free:
            return not free
    except PermissionError as error:
        raise ConfigError(f"{lock}: {error.strerror}; ask as the daemon's user, for example with sudo") from error


def state_now(journal: Path) -> DaemonState | None:
    """What the daemon that runs says of itself; None where none does, or it has said nothing yet."""
    state = read_state(state_path(journal)) if daemon_runs(journal) else None
    return state if state and there(state.pid) and is_fresh(state, utc_now()) else None


def there(pid: int) -> bool:
    """Is there such a process? Asked by a signal: a unit's sandbox hides others in /proc, but not from signals."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it is another user's
    return True


class Kept(NamedTuple):
    """``sure``: the configuration says so, or says nothing of it."""

    journal: Path
    sure: bool


def journal_by(config: Path) -> Kept:
    """Where a configuration that cannot be used as it is has its journal, with its drop-ins; the usual place where
    nobody can tell.
    """
    files, sure = [config], True
    try:
        files += drop_ins_of(config)
    except ConfigError:
        sure = False
    found = JournalSettings().path
    for file in files:
        said = _journal_in(file)
        found, sure = said or found, bool(said) or (sure and said is not None)
    return Kept(Path(found), sure)


def _journal_in(file: Path) -> str | None:
    """'' where it says none; None where that cannot be told."""
    try:
        text = as_utf8(file.read_bytes()).decode()
    except (OSError, ValueError):
        return None
    try:
        told = tomllib.loads(text).get("journal", {})
    except (ValueError, RecursionError):
        line = re.search(r'^\s*\[journal\][^\[]*?^\s*path\s*=\s*"([^"\\]+)"', text, re.MULTILINE)
        return line[1] if line else None
    path = told.get("path", "") if isinstance(told, dict) else None
    return path if isinstance(path, str) else None
