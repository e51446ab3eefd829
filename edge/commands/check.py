"""``axi-edge check``: the doctor's findings, one line each."""

from __future__ import annotations

import argparse
from itertools import chain

from edge.commands import Commands, add_config
from edge.commands.doctor import examine, follows, ignored_drop_ins, unreadable
from edge.commands.doctor_places import configuration_finding
from edge.commands.findings import Health
from edge.commands.running import may_run_by
from edge.commands.service_limits import as_the_service, service
from edge.config import DEFAULT_PATH, load_settings
from edge.core.errors import ConfigError


def add_check(commands: Commands) -> None:
    check = commands.add_parser("check", help="doctor: runtime, bundle, broker, spool, disk, clock")
    add_config(check)
    check.set_defaults(action=_check)


def _check(arguments: argparse.Namespace) -> int:
    failed = False
    own = arguments.config == DEFAULT_PATH
    unit = service() if own else None
    try:
        settings, config = load_settings(arguments.config), arguments.config
        readable = as_the_service(unit, lambda: configuration_finding(config))
        findings = [iter([readable]), examine(settings, unit), ignored_drop_ins(config)]
        worst = 1
    except ConfigError as error:
        if not may_run_by(arguments.config):
            raise
        findings, worst = [unreadable(error, arguments.config, unit)], error.exit_code
    for finding in chain(*findings, follows() if own else ()):
        print(f"{finding.health.value:<4}  {finding.what:<13} {finding.text}", flush=True)
        failed |= finding.health is Health.FAIL
    return worst if failed else 0
