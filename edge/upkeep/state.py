"""The daemon's own word on how it is, in a file beside the journal: for whoever asks on this computer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from edge.core.clocks import Now
from edge.core.payloads import ModelRef, Policy, Raised
from edge.core.wire import timestamp
from edge.files import read_plain, replace_file

log = logging.getLogger(__name__)

_LONGEST_SILENCE = 12
"""Looks without news before the same is written anew, so that its time says that somebody still looks."""
_STALE_S = 180.0
"""Longer than any daemon is silent."""


class Before(Struct, frozen=True, kw_only=True):
    """What the version before this one said last."""

    version: str
    connected: bool


class DaemonState(Struct, frozen=True, kw_only=True):
    """``connected``: has the broker answered, and not gone since; ``judged``: joints since the start. ``bundle`` and
    ``routes``: those that judge; ``qualification``: is it certified to; ``time``: when this was written. ``reloads``:
    how many are over, what the last one was refused for, and what of it is in force from the next start only.
    ``broker``: HOST:PORT that it speaks with.
    """

    schema: Literal["axi-state/1"] = "axi-state/1"
    pid: int
    version: str
    time: str = ""
    connected: bool
    judged: int
    bundle: ModelRef
    routes: dict[str, ModelRef] = {}
    release: Policy
    qualification: str = ""
    alarms: list[Raised] = []
    before: Before | None = None
    reloads: int = 0
    reload_problem: str = ""
    later: tuple[str, ...] = ()
    broker: str = ""


def state_path(journal: Path) -> Path:
    return journal.with_name(f"{journal.name}.state.json")


def lock_path(journal: Path) -> Path:
    """The file that a running daemon holds locked."""
    return Path(f"{journal}.lock")


def read_state(path: Path) -> DaemonState | None:
    """None where there is none, or none that this version understands."""
    try:
        return msgspec.json.decode(read_plain(path), type=DaemonState)
    except (OSError, ValueError):
        return None


def is_fresh(state: DaemonState, now: datetime) -> bool:
    """Was it written so lately that it is still so? Where nothing can be written, it is not."""
    return abs((now - datetime.fromisoformat(state.time)).total_seconds()) < _STALE_S


class StateFile:
    """``look``: how the daemon is now; one ``step`` writes that where it has changed. A disk that takes nothing has its
    own alarm, and keeps nobody from working.
    """

    def __init__(self, path: Path, version: str, look: Callable[[Before | None], DaemonState], now: Now) -> None:
        self._path, self._look, self._now = path, look, now
        self._before = _before(read_state(path), version)
        path.unlink(missing_ok=True)  # of a daemon that is no more
        self._last: DaemonState | None = None
        self._quiet, self._failing = 0, False

    def step(self) -> None:
        state = self._look(self._before)
        self._quiet += 1
        if state == self._last and self._quiet < _LONGEST_SILENCE:
            return
        self._last, self._quiet = state, 0
        stamped = msgspec.structs.replace(state, time=timestamp(self._now()))
        try:
            replace_file(self._path, msgspec.json.encode(stamped))
        except OSError as error:
            self._last = None
            self._fails(error)
        else:
            self._failing = False

    def _fails(self, error: OSError) -> None:
        """Said once; and no older word is left, where that can be helped, that would be taken for what is so now."""
        if not self._failing:
            log.warning("state not written", extra={"problem": str(error)})
        self._failing = True
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


def _before(was: DaemonState | None, version: str) -> Before | None:
    """Of another version, however often this one was started since."""
    if was is None or was.version == version:
        return was.before if was else None
    return Before(version=was.version, connected=was.connected)
