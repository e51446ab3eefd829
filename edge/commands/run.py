"""``axi-edge run``: the daemon."""

from __future__ import annotations

import argparse

from edge.commands import Commands, add_config
from edge.daemon.run import run_daemon


def add_run(commands: Commands) -> None:
    run = commands.add_parser("run", help="the daemon")
    add_config(run)
    run.set_defaults(action=_run)


def _run(arguments: argparse.Namespace) -> int:
    run_daemon(arguments.config)
    return 0
