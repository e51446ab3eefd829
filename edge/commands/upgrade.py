"""``axi-edge upgrade``: what the package asks when another version of it was installed."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from edge import __version__
from edge.adapters.journal.earlier import take_back
from edge.adapters.spool import FolderSpool, backlog
from edge.commands import Commands, add_config
from edge.commands.status import daemon_runs
from edge.config import Settings, load_settings
from edge.jobs.vendors import JobDefaults
from edge.upkeep.readiness import not_yet
from edge.upkeep.state import read_state, state_path

_LOOK_S = 0.5


def add_upgrade(commands: Commands) -> None:
    upgrade = commands.add_parser("upgrade", help="what the package asks when another version was installed")
    actions = upgrade.add_subparsers(required=True, metavar="ACTION")
    watch = actions.add_parser(
        "watch", help="wait until the daemon runs in this version, has a broker, and judges; ends with 1 if it does not"
    )
    watch.add_argument("--within", type=float, default=60.0, metavar="SECONDS", help="default: 60")
    add_config(watch)
    watch.set_defaults(action=_watch)
    back = actions.add_parser(
        "back",
        help="after this older version was put back: the journal as it was before the newer one changed it, and what "
        "was finished since is inspected again; does nothing where this version understands the journal",
    )
    add_config(back)
    back.set_defaults(action=_back)


def _watch(arguments: argparse.Namespace) -> int:
    settings = load_settings(arguments.config)
    late = time.monotonic() + arguments.within
    while why := missing(settings):
        if time.monotonic() >= late:
            print(f"not healthy within {arguments.within:g} s: {why}")
            return 1
        time.sleep(_LOOK_S)
    print(f"axi-edge {__version__} runs, and is healthy")
    return 0


def missing(settings: Settings) -> str:
    """What the daemon lacks to be healthy; empty once it is."""
    state = read_state(state_path(Path(settings.journal.path))) if daemon_runs(settings) else None
    return not_yet(state, __version__, backlog(Path(settings.spool.path)).jobs)


def _back(arguments: argparse.Namespace) -> int:
    settings = load_settings(arguments.config)
    since = take_back(Path(settings.journal.path))
    if since is None:
        print("the journal is understood as it is")
        return 0
    spool = FolderSpool(Path(settings.spool.path), JobDefaults(settings.spool.joint_type, settings.spool.polarity))
    print(
        f"the journal is the one of before; {spool.hand_back(since)} jobs that were finished since are inspected again"
    )
    return 0
