"""``axi-edge status``: what the daemon is doing, read without disturbing it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from edge.adapters.journal.view import Totals, totals
from edge.adapters.spool_view import RefusedJob, backlog, refused
from edge.bundle.format import open_bundle
from edge.commands import Commands, add_config, shown
from edge.commands.running import GOES_ON, Kept, daemon_runs, journal_by, may_run_by, state_now
from edge.config import Settings, load_settings
from edge.core.errors import AxiError, ConfigError, JournalError
from edge.core.payloads import Policy, Raised
from edge.qualify.standing import served_by, standing
from edge.upkeep.state import DaemonState

_SAID = 3
"""Refused jobs that people are told of."""


def add_status(commands: Commands) -> None:
    status = commands.add_parser("status", help="what the daemon is doing")
    add_config(status)
    status.add_argument("--json", action="store_true", help="all of it as one JSON object")
    status.set_defaults(action=_status)


def _status(arguments: argparse.Namespace) -> int:
    """1 where the daemon does not run, or says that something is wrong; 3 where its configuration cannot be used."""
    try:
        settings = load_settings(arguments.config)
    except ConfigError as error:
        if not may_run_by(arguments.config):
            raise
        print(_unreadable(error, journal_by(arguments.config), as_json=arguments.json))
        return error.exit_code
    status = device_status(settings)
    print(msgspec.json.encode(status).decode() if arguments.json else as_text(status))
    return 0 if status.running and not status.alarms else 1


def _unreadable(error: ConfigError, kept: Kept, *, as_json: bool) -> str:
    """What the daemon that runs says all the same: it goes on by what it read before."""
    running, state, why = _seen(kept)
    if as_json:
        return msgspec.json.encode({"configuration": str(error), "running": running, "state": state}).decode()
    words = {True: GOES_ON, False: "not running", None: why}
    lines = {"configuration": str(error), "daemon": words[running]}
    if state:
        judging = _judging(state)
        lines |= {f"for {kind}" if kind else "bundle": bundle for kind, bundle in judging.items()}
        lines["broker"] = "connected" if state.connected else "away"
    return "\n".join([*_lines(lines), *_alarms(state.alarms if state else [])])


def _seen(kept: Kept) -> tuple[bool | None, DaemonState | None, str]:
    """Does it run, what does it say, and why that cannot be told: None then."""
    try:
        running, state = daemon_runs(kept.journal), state_now(kept.journal)
    except ConfigError as error:
        return None, None, f"whether it runs cannot be told: {error}"
    if running or kept.sure:
        return running, state, ""
    return None, None, "whether it runs cannot be told, nor where its journal is; systemctl status axi-edge says more"


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
    reload_problem: str = ""
    """Why what is configured was not taken up at the last reload."""
    refused: list[RefusedJob] = []
    """Jobs that lie in ``rejected``, the last first."""


def device_status(settings: Settings) -> DeviceStatus:
    """Gather the status from spool, journal, lock and bundle."""
    journal, spool = Path(settings.journal.path), Path(settings.spool.path)
    try:
        ledger = totals(journal)
    except JournalError:
        if journal.exists():
            raise
        ledger = Totals({}, {}, 0, None, {})
    state = state_now(journal)
    configured = _configured(settings)
    judging = _judging(state) if state else configured
    main, *others = judging
    return DeviceStatus(
        device=settings.device.name,
        running=daemon_runs(journal),
        version=state.version if state else "",
        broker=_broker(settings, state),
        qualification=state.qualification if state else standing_here(settings),
        alarms=state.alarms if state else [],
        reload_problem=state.reload_problem if state else "",
        backlog=backlog(spool).jobs,
        refused=refused(spool),
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
    real = state.broker or where
    after = "" if real == where else f"; {where} once it is restarted"
    return f"{real}, connected{after}" if state.connected else f"{real}, away: axi-edge check says why{after}"


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
        **({"reload": f"refused: {shown(status.reload_problem)}"} if status.reload_problem else {}),
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
    return "\n".join([*_lines(lines), *_refused(status.refused), *_alarms(status.alarms)])


def _lines(texts: Mapping[str, str]) -> Iterator[str]:
    return (f"{name:<13} {text}" for name, text in texts.items())


def _refused(jobs: Sequence[RefusedJob]) -> Iterator[str]:
    for job in jobs[:_SAID]:
        yield f"{'refused':<13} {shown(f'{job.job}, {job.time}: {job.reason}')}"
    if len(jobs) > _SAID:
        yield f"{'':<13} and {len(jobs) - _SAID} more in the folder rejected"


def _alarms(alarms: Sequence[Raised]) -> Iterator[str]:
    return (f"{'alarm':<13} {alarm.code} since {alarm.since}: {shown(alarm.text)}" for alarm in alarms)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in sorted(counts.items())) or "none yet"
