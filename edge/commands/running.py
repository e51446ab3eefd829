"""The daemon that runs, asked without disturbing it: its lock, and what it says of itself."""

from __future__ import annotations

import os
import tomllib
from contextlib import suppress
from pathlib import Path

from edge.adapters.host import utc_now
from edge.config import JournalSettings
from edge.core.errors import ConfigError
from edge.files import as_utf8, exclusive_lock
from edge.upkeep.state import DaemonState, is_fresh, lock_path, read_state, state_path


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
        return True
    return True


def journal_by(config: Path) -> Path:
    """Where a configuration that cannot be used as it is has its journal; the usual place where it does not say."""
    with suppress(OSError, ValueError, RecursionError):
        told = tomllib.loads(as_utf8(config.read_bytes()).decode()).get("journal")
        if isinstance(told, dict) and isinstance(path := told.get("path"), str) and path:
            return Path(path)
    return Path(JournalSettings().path)
