"""``axi-edge status``: what the daemon is doing, read without disturbing it."""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec
from msgspec import Struct

from edge.adapters.host import utc_now
from edge.adapters.journal.view import Totals, totals
from edge.adapters.spool_view import backlog
from edge.bundle.format import open_bundle
from edge.commands import Commands, add_config, shown
from edge.config import Settings, load_settings
from edge.core.errors import AxiError, ConfigError, JournalError
from edge.core.payloads import Policy, Raised
from edge.daemon.run import lock_path
from edge.files import exclusive_lock
from edge.qualify.standing import served_by, standing
from edge.upkeep.state import DaemonState, is_fresh, read_state, state_path


def add_status(commands: Commands) -> None:
    status = commands.add_parser("status", help="what the daemon is doing")
    add_config(status)
    status.add_argument("--json", action="store_true", help="all of it as one JSON object")
    status.set_defaults(action=_status)


def _status(arguments: argparse.Namespace) -> int:
    status = device_status(load_settings(arguments.config))
    print(msgspec.json.encode(status).decode() if arguments.json else as_text(status))
    return 0 if status.running else 1


class DeviceStatus(Struct, frozen=True, kw_only=True):
    """``backlog``: jobs waiting or in work. ``outbox``: messages the broker has not acknowledged yet. ``bundle``: what
    judges, and where nothing does what would.
    """

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
    configured: dict[str, str] = {}
    """Where another is configured than the one that judges, by the key: it is taken up at the next reload."""
    version: str = ""
    """Of the program that runs."""
    broker: str = ""
    qualification: str = ""
    """Is this device certified? What the daemon that runs goes by, else what it would."""
    alarms: list[Raised] = []
    """What is wrong now, the longest first."""


def device_status(settings: Settings) -> DeviceStatus:
    """Gather the status from spool, journal, lock and bundle."""
    try:
        ledger = totals(Path(settings.journal.path))
    except JournalError:
        if Path(settings.journal.path).exists():
            raise
        ledger = Totals({}, {}, 0, None, {})
    running = daemon_runs(settings)
    state = state_now(settings)
    configured = _configured(settings)
    judging = _judging(state) if state else configured
    main, *others = judging
    return DeviceStatus(
        device=settings.device.name,
        running=running,
        version=state.version if state else "",
        broker=_broker(settings, state),
        qualification=state.qualification if state else standing_here(settings),
        alarms=state.alarms if state else [],
        backlog=backlog(Path(settings.spool.path)).jobs,
        outbox=ledger.unsent,
        jobs=ledger.jobs,
        verdicts=ledger.verdicts,
        last_verdict=ledger.last_decided,
        bundle=judging[main],
        release=state.release if state else settings.release.policy,
        licences=ledger.licences,
        routes={kind: judging[kind] for kind in others},
        configured={kind: bundle for kind, bundle in configured.items() if judging.get(kind) != bundle},
    )


def standing_here(settings: Settings) -> str:
    """Whether a daemon that was started now would be certified."""
    try:
        return standing(settings, served_by(settings)).text
    except AxiError as error:
        return f"not certified: {error}"


def _configured(settings: Settings) -> dict[str, str]:
    """Bundles by joint type, the main one first, under no name."""
    routes = {kind: _bundle(route.bundle) for kind, route in settings.model.routes.items()}
    return {"": _bundle(settings.model.bundle), **routes}


def _judging(state: DaemonState) -> dict[str, str]:
    served = {"": state.bundle, **state.routes}
    return {kind: f"{model.name} {model.version}" for kind, model in served.items()}


def _broker(settings: Settings, state: DaemonState | None) -> str:
    where = f"{settings.mqtt.host}:{settings.mqtt.port}"
    if state is None:
        return where
    return f"{where}, connected" if state.connected else f"{where}, away: axi-edge check says why"


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
        "daemon": f"running {status.version}".strip() if status.running else "not running",
        "bundle": status.bundle,
        **{f"for {kind}": bundle for kind, bundle in status.routes.items()},
        **{f"next {kind}".strip(): f"{bundle}, once it is reloaded" for kind, bundle in status.configured.items()},
        "broker": status.broker,
        "qualified": status.qualification,
        "release": RELEASES[status.release],
        "licences": _counts(status.licences),
        "backlog": f"{status.backlog} jobs",
        "outbox": f"{status.outbox} messages not yet acknowledged by the broker",
        "jobs": _counts(status.jobs),
        "verdicts": _counts(status.verdicts),
        "last verdict": status.last_verdict or "none yet",
    }
    alarms = [f"{'alarm':<13} {alarm.code} since {alarm.since}: {shown(alarm.text)}" for alarm in status.alarms]
    return "\n".join([*(f"{name:<13} {text}" for name, text in lines.items()), *alarms])


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in sorted(counts.items())) or "none yet"


def state_now(settings: Settings) -> DaemonState | None:
    """What the daemon that runs says of itself; None where none does, or it has said nothing yet."""
    state = read_state(state_path(Path(settings.journal.path))) if daemon_runs(settings) else None
    return state if state and Path("/proc", str(state.pid)).exists() and is_fresh(state, utc_now()) else None


def daemon_runs(settings: Settings) -> bool:
    """Raises ConfigError where this user may not ask."""
    lock = lock_path(settings)
    if not lock.exists():
        return False
    try:
        with exclusive_lock(lock) as free:
            return not free
    except PermissionError as error:
        raise ConfigError(f"{lock}: {error.strerror}; ask as the daemon's user, for example with sudo") from error
