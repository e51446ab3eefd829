"""``axi-edge reload``: the configuration and its bundles are taken up by the daemon that runs, or it says why not."""

from __future__ import annotations

import argparse
import os
import signal
import time
from pathlib import Path

from edge.commands import Commands, add_config
from edge.commands.running import daemon_runs, state_now, there
from edge.config import load_settings
from edge.core.errors import ConfigError
from edge.upkeep.state import DaemonState, read_state, state_path

_PATIENCE_S, _LOOK_S = 300.0, 0.1


def add_reload(commands: Commands) -> None:
    reload = commands.add_parser(
        "reload", help="have the daemon take up the configuration and its bundles; 1, and why, where it does not"
    )
    add_config(reload)
    reload.set_defaults(action=_reload)


def _reload(arguments: argparse.Namespace) -> int:
    settings = load_settings(arguments.config)
    journal = Path(settings.journal.path)
    before = _running(journal)
    if before is None:
        print("no daemon runs that could take it up; systemctl start axi-edge")
        return 1
    try:
        os.kill(before.pid, signal.SIGHUP)
    except ProcessLookupError:
        print("the daemon has ended meanwhile; journalctl -u axi-edge says why")
        return 1
    except PermissionError as error:
        raise ConfigError(
            f"process {before.pid}: {error.strerror}; run this as root, or as the daemon's user"
        ) from error
    after = _over(state_path(journal), before)
    if after is None:
        print(f"nothing was heard of it within {_PATIENCE_S:.0f} s; journalctl -u axi-edge says more")
        return 1
    if after.reload_problem:
        print(f"refused: {after.reload_problem}")
        return 1
    print(f"{after.bundle.name} {after.bundle.version} judges")
    for section in after.later:
        print(f"[{section}] changed: in force from the next start, systemctl restart axi-edge")
    return 0


def _running(journal: Path) -> DaemonState | None:
    """What the daemon says of itself, which one that has just begun has not said yet; None where none runs."""
    late = time.monotonic() + _PATIENCE_S
    while time.monotonic() < late and daemon_runs(journal):
        if (state := state_now(journal)) is not None:
            return state
        time.sleep(_LOOK_S)
    return None


def _over(path: Path, before: DaemonState) -> DaemonState | None:
    """What the daemon says of itself once it is; it has no better way to tell who asked by a signal."""
    late = time.monotonic() + _PATIENCE_S
    while time.monotonic() < late and there(before.pid):
        state = read_state(path)
        if state is not None and state.pid == before.pid and state.reloads > before.reloads:
            return state
        time.sleep(_LOOK_S)
    return None
