"""``axi-edge check``: the doctor's findings, one line each."""

from __future__ import annotations

import argparse

from edge.commands import Commands, add_config
from edge.commands.doctor import examine
from edge.commands.findings import Health
from edge.commands.service_limits import service
from edge.config import DEFAULT_PATH, load_settings


def add_check(commands: Commands) -> None:
    check = commands.add_parser("check", help="doctor: runtime, bundle, broker, spool, disk, clock")
    add_config(check)
    check.set_defaults(action=_check)


def _check(arguments: argparse.Namespace) -> int:
    failed = False
    unit = service() if arguments.config == DEFAULT_PATH else None
    for finding in examine(load_settings(arguments.config), unit):
        print(f"{finding.health.value:<4}  {finding.what:<13} {finding.text}", flush=True)
        failed |= finding.health is Health.FAIL
    return int(failed)
