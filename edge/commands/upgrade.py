"""``axi-edge upgrade``: what the package asks when another version of it was installed."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from edge import __version__
from edge.adapters.host import utc_now
from edge.adapters.journal.earlier import closed_before, put_back
from edge.adapters.review_folder import SpoolReviews
from edge.adapters.spool import FolderSpool
from edge.adapters.spool_view import backlog
from edge.commands import Commands, add_config
from edge.commands.running import state_now
from edge.config import load_settings
from edge.jobs.vendors import JobDefaults
from edge.upkeep.readiness import not_yet

_LOOK_S, _LASTING_S = 0.5, 5.0


def _seconds(text: str) -> float:
    if not text.replace(".", "", 1).isdecimal() or not 0 < float(text) <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return float(text)


def add_upgrade(commands: Commands) -> None:
    upgrade = commands.add_parser("upgrade", help="what the package asks when another version was installed")
    actions = upgrade.add_subparsers(required=True, metavar="ACTION")
    watch = actions.add_parser(
        "watch", help="wait until the daemon runs in this version, has a broker, and judges; ends with 1 if it does not"
    )
    watch.add_argument("--within", type=_seconds, default=60.0, metavar="SECONDS", help="how long it may take")
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
    healthy_since, pid, why = None, 0, "the daemon does not run"
    while time.monotonic() < late:
        state = state_now(Path(settings.journal.path))
        why = not_yet(state, __version__, backlog(Path(settings.spool.path)).jobs)
        if why or state is None or state.pid != pid:  # one that is started again and again is not healthy
            healthy_since, pid = None, state.pid if state else 0
        healthy_since = healthy_since or time.monotonic()
        if not why and time.monotonic() - healthy_since >= _LASTING_S:
            print(f"axi-edge {__version__} runs, and is healthy")
            return 0
        time.sleep(_LOOK_S)
    print(f"not healthy within {arguments.within:g} s: {why or 'it does not keep running'}")
    return 1


def _back(arguments: argparse.Namespace) -> int:
    settings = load_settings(arguments.config)
    journal, root = Path(settings.journal.path), Path(settings.spool.path)
    known = closed_before(journal)
    if known is None:
        print("the journal is understood as it is")
        return 0
    # First the jobs: interrupted here, the same is done once more; after the journal nobody would know of them.
    spool = FolderSpool(root, JobDefaults(settings.spool.joint_type, settings.spool.polarity))
    again = spool.hand_back(known)
    SpoolReviews(root).hand_back()
    aside = put_back(journal, utc_now())
    print(f"the journal is the one of before; {again} jobs that were finished since are inspected again")
    print(f"what the newer version made of it lies in {aside}")
    return 0
