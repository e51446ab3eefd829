"""``axi-edge status``: what the daemon is doing, read without disturbing it."""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec
from msgspec import Struct

from edge.adapters.journal.view import Totals, totals
from edge.adapters.spool import backlog
from edge.bundle.format import open_bundle
from edge.commands import Commands, add_config
from edge.config import Settings, load_settings
from edge.core.errors import AxiError, ConfigError, JournalError
from edge.core.payloads import Policy
from edge.daemon.run import lock_path
from edge.files import exclusive_lock


def add_status(commands: Commands) -> None:
    status = commands.add_parser("status", help="what the daemon is doing")
    add_config(status)
    status.add_argument("--json", action="store_true")
    status.set_defaults(action=_status)


def _status(arguments: argparse.Namespace) -> int:
    status = device_status(load_settings(arguments.config))
    print(msgspec.json.encode(status).decode() if arguments.json else as_text(status))
    return 0


class DeviceStatus(Struct, frozen=True, kw_only=True):
    """``backlog``: jobs waiting or in work. ``outbox``: messages the broker has not acknowledged yet."""

    device: str
    running: bool
    backlog: int
    outbox: int
    jobs: dict[str, int]
    verdicts: dict[str, int]
    last_verdict: str | None
    bundle: str
    release: Policy = "licensed"
    """What joints are released on: nothing, their licence, or the card's word alone."""
    licences: dict[str, int] = {}
    """Licences by state."""
    routes: dict[str, str] = {}
    """Bundles of the joint types that have one of their own."""


def device_status(settings: Settings) -> DeviceStatus:
    """Gather the status from spool, journal, lock and bundle."""
    try:
        ledger = totals(Path(settings.journal.path))
    except JournalError:
        if Path(settings.journal.path).exists():
            raise
        ledger = Totals({}, {}, 0, None, {})
    return DeviceStatus(
        device=settings.device.name,
        running=_running(lock_path(settings)),
        backlog=backlog(Path(settings.spool.path)).jobs,
        outbox=ledger.unsent,
        jobs=ledger.jobs,
        verdicts=ledger.verdicts,
        last_verdict=ledger.last_decided,
        bundle=_bundle(settings.model.bundle),
        release=settings.release.policy,
        licences=ledger.licences,
        routes={kind: _bundle(route.bundle) for kind, route in settings.model.routes.items()},
    )


def _bundle(path: str) -> str:
    try:
        card = open_bundle(Path(path)).card
    except AxiError as error:
        return f"refused: {error}"
    return f"{card.name} {card.version}"


RELEASES = {
    "advise": "nothing is released: our word stands beside what the specialist decides",
    "licensed": "board types whose reviewed joints have earned it",
    "card": "by the card's operating point alone; nobody checks what escapes",
}
"""What a policy means, for people."""


def as_text(status: DeviceStatus) -> str:
    """For a person at a terminal."""
    lines = {
        "device": status.device,
        "daemon": "running" if status.running else "not running",
        "bundle": status.bundle,
        **{f"for {kind}": bundle for kind, bundle in status.routes.items()},
        "release": RELEASES[status.release],
        "licences": _counts(status.licences),
        "backlog": f"{status.backlog} jobs",
        "outbox": f"{status.outbox} messages not yet acknowledged by the broker",
        "jobs": _counts(status.jobs),
        "verdicts": _counts(status.verdicts),
        "last verdict": status.last_verdict or "none yet",
    }
    return "\n".join(f"{name:<13} {text}" for name, text in lines.items())


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in sorted(counts.items())) or "none yet"


def _running(lock: Path) -> bool:
    if not lock.exists():
        return False
    try:
        with exclusive_lock(lock) as free:
            return not free
    except PermissionError as error:
        raise ConfigError(f"{lock}: {error.strerror}; ask as the daemon's user, for example with sudo") from error
