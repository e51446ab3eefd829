"""``axi-edge check``: the doctor's findings, one line each."""

from __future__ import annotations

import argparse
from itertools import chain

from edge.commands import Commands, add_config
from edge.commands.doctor import examine, follows, ignored_drop_ins
from edge.commands.findings import Health
from edge.commands.service_limits import service
from edge.config import DEFAULT_PATH, load_settings


def add_check(commands: Commands) -> None:
    check = commands.add_parser("check", help="doctor: runtime, bundle, broker, spool, disk, clock")
    add_config(check)
    check.set_defaults(action=_check)


def _check(arguments: argparse.Namespace) -> int:
    failed = False
    settings, own = load_settings(arguments.config), arguments.config == DEFAULT_PATH
    findings = [examine(settings, service() if own else None), ignored_drop_ins(arguments.config)]
    for finding in chain(*findings, follows() if own else ()):
        print(f"{finding.health.value:<4}  {finding.what:<13} {finding.text}", flush=True)
        failed |= finding.health is Health.FAIL
    return int(failed)
