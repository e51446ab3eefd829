"""``axi-edge check``: is everything the daemon needs in order? One line each: ok, warn or fail."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import replace

from edge.adapters.host import utc_now
from edge.adapters.systemd import properties_of
from edge.bundle.format import open_bundle
from edge.commands import measured
from edge.commands.doctor_certificates import certificates
from edge.commands.doctor_places import disk_finding, guarded, journal_finding, spool_finding
from edge.commands.findings import Finding, Health
from edge.commands.running import GOES_ON, daemon_runs, journal_by, state_now
from edge.commands.service_limits import Service, as_the_service, within_limits
from edge.commands.status import RELEASES
from edge.commands.traps import traps
from edge.config import DEFAULT_PATH, Settings, bundles_to_load, drop_ins, drop_ins_of
from edge.core.decide import supported
from edge.core.errors import AxiError, ConfigError
from edge.daemon.broker import broker_trouble
from edge.judging.loading import LoadedModel, load_model, together
from edge.judging.runtime import installed_runtimes, trouble_with
from edge.qualify.standing import served_by, standing

_CREDENTIALS = "/run/credentials/"
_EARLIEST = datetime(2024, 1, 1, tzinfo=UTC)
_CPUINFO = Path("/proc/cpuinfo")
_STOPS_JOBS = frozenset(
    {"job_left", "spool_stuck", "spool_gone", "disk_low", "disk_blocked", "journal_locked", "bundle_refused"}
)
"""Alarms while which some job or all of them wait."""
_SYNCHRONISED = Path("/run/systemd/timesync/synchronized")


def examine(settings: Settings, unit: Service | None = None) -> Iterator[Finding]:
    """One finding for each thing the daemon depends on. ``unit``: what runs it, and what that may."""
    settings = _before_the_first_start(settings)
    yield _runtime()
    yield from traps()
    yield from _bundle(settings)
    yield from _joint_type(settings)
    yield _qualified(settings)
    yield _release(settings)
    yield from certificates(settings.mqtt)
    yield _broker(settings)
    spool, journal, least = Path(settings.spool.path), Path(settings.journal.path), settings.health.min_free_mb
    if unit is not None:
        yield from within_limits(settings, unit)
    yield guarded("spool", spool, lambda: as_the_service(unit, lambda: spool_finding(spool)))
    yield guarded("journal", journal, lambda: as_the_service(unit, lambda: journal_finding(journal)))
    yield guarded("disk spool", spool, lambda: disk_finding("disk spool", spool, least))
    yield guarded("disk journal", journal, lambda: disk_finding("disk journal", journal, least))
    yield _clock()
    yield from _said_by_the_daemon(journal, unit)


def unreadable(error: ConfigError, config: Path, unit: Service | None) -> Iterator[Finding]:
    """What can be looked at all the same where the configuration cannot be used."""
    yield Finding("configuration", Health.FAIL, str(error))
    yield _runtime()
    yield from traps()
    yield _clock()
    kept = journal_by(config)
    yield from _said_by_the_daemon(kept.journal, unit if kept.sure else None)
    with suppress(ConfigError):
        if daemon_runs(kept.journal):
            yield Finding("daemon", Health.OK, GOES_ON)


def ignored_drop_ins(config: Path) -> Iterator[Finding]:
    """What lies beside the configuration as if it was in force; and what is."""
    folder = drop_ins(config)
    try:
        there = sorted(path.name for path in folder.iterdir())
        read = [path.name for path in drop_ins_of(config)]
    except (OSError, AxiError):
        return  # none, or said already
    for name in there:
        if name not in read and not name.startswith("."):
            yield Finding("drop-ins", Health.WARN, f"{folder / name}: not read: only names that end in .toml are")
    if read:
        yield Finding("drop-ins", Health.OK, f"in force: {', '.join(read)}")


def follows(unit: str = "axi-edge-follow.service") -> Iterator[Finding]:
    """How the last look for wanted bundles ended."""
    found = properties_of(unit, "LoadState", "Result", "ExecMainStatus")
    if found.get("LoadState") == "loaded" and found.get("Result", "success") != "success":
        text = f"the last one ended with {found.get('ExecMainStatus')}; journalctl -u axi-edge-follow says why"
        yield Finding("follow", Health.WARN, text)


def _joint_type(settings: Settings) -> Iterator[Finding]:
    """What result XMLs and tables that name no joint type are taken for."""
    wanted, known = settings.spool.joint_type, list(settings.model.routes)
    try:
        known += open_bundle(Path(settings.model.bundle)).card.joint_types
    except AxiError:
        return  # said already
    if wanted and not supported(wanted, known):
        text = (
            f"[spool] joint_type {wanted!r} is judged by no bundle, only {', '.join(known)}; correct it, or add a route"
        )
        yield Finding("joint type", Health.FAIL, text)


def _said_by_the_daemon(journal: Path, unit: Service | None) -> Iterator[Finding]:
    """What is wrong now, by the word of the one that runs."""
    try:
        state = state_now(journal)
    except (AxiError, OSError) as error:
        yield Finding("daemon", Health.WARN, f"whether it runs cannot be told: {error}")
        return
    if state is None and unit is not None:
        yield Finding("daemon", Health.WARN, "it does not run, or has said nothing yet; systemctl start axi-edge")
    for alarm in state.alarms if state else []:
        health = Health.FAIL if alarm.code in _STOPS_JOBS else Health.WARN
        yield Finding("alarm", health, f"{alarm.code}, since {alarm.since}: {alarm.text}")


def _before_the_first_start(settings: Settings) -> Settings:
    """Secrets where ``axi-edge setup`` has put them, which is what the service manager hands over at the next start; as
    it did at the last one where this user may read nothing else.
    """
    own = {
        key: str(kept)
        for key in ("password_file", "key_file")
        if (path := getattr(settings.mqtt, key)).startswith(_CREDENTIALS)
        and (kept := DEFAULT_PATH.parent / Path(path).name).exists()
        and (os.access(kept, os.R_OK) or not Path(path).exists())
    }
    return replace(settings, mqtt=replace(settings.mqtt, **own))


def _qualified(settings: Settings) -> Finding:
    try:
        found = standing(settings, served_by(settings))
    except AxiError as error:
        return Finding("qualified", Health.FAIL, f"not certified: {error}")
    if found.certified:
        return Finding("qualified", Health.OK, f"{found.text}, {found.digest[:18]}...")
    required = settings.model.require_certificate
    text = f"{found.text}; until then nothing is released ([model] require_certificate)" if required else found.text
    return Finding("qualified", Health.FAIL if required else Health.WARN, text)


def _release(settings: Settings) -> Finding:
    policy = settings.release.policy
    health = Health.WARN if policy == "card" else Health.OK
    return Finding("release", health, f"policy {policy}: {RELEASES[policy]}")


def _runtime() -> Finding:
    found = installed_runtimes()
    if not found:
        return Finding("runtime", Health.FAIL, "no TFLite runtime installed; install axi-edge anew")
    troubles = {runtime.name: trouble_with(runtime) for runtime in found}
    names = ", ".join(f"{runtime.name} {runtime.version}" for runtime in found if not troubles[runtime.name])
    said = "; ".join(trouble for trouble in troubles.values() if trouble)
    if not names:
        return Finding("runtime", Health.FAIL, said)
    return Finding("runtime", Health.WARN, f"{names}; but {said}") if said else Finding("runtime", Health.OK, names)


def _bundle(settings: Settings) -> Iterator[Finding]:
    """Every bundle, alone and then all together."""
    load, models = bundles_to_load(settings), list[LoadedModel]()
    for choice in load.choices:
        try:
            models.append(load_model(choice, load))
        except AxiError as error:
            yield Finding("bundle", Health.FAIL, str(error))
    if len(models) < len(load.choices):
        return
    try:
        served = together(load, tuple(models)).joint_types
    except AxiError as error:
        yield Finding("bundle", Health.FAIL, str(error))
        return
    for model, joint_types in zip(models, served, strict=True):
        card = model.bundle.card
        text = (
            f"{card.name} {card.version} on {model.runtime.name} for {', '.join(joint_types) or 'no joint type'}, "
            f"{model.replayed} golden joints reproduced, operating point {measured(model.decider.rule)}"
        )
        if not model.bundle.signed:
            yield Finding("bundle", Health.WARN, f"{text}; signature not checked: set [model] public_key_file")
        else:
            yield Finding("bundle", Health.OK, f"{text}, signature good")
        if card.familiarity is None and not card.preprocess.knows_joints:
            text = f"{card.name} {card.version} cannot tell what is no joint; build it anew, from a network that pools"
            yield Finding("familiarity", Health.WARN, text)
    yield _kernels(settings, models[0])


def _kernels(settings: Settings, model: LoadedModel) -> Finding:
    if settings.inference.kernels == "exact":
        return Finding("kernels", Health.OK, "exact, as configured; the fast ones take about a third of the time")
    if settings.inference.kernels == "reference":
        return Finding("kernels", Health.WARN, "reference, as configured: some twenty times as slow as the fast ones")
    if model.scorer.accelerated:
        return Finding("kernels", Health.OK, "fast (XNNPACK)")
    remedy = "XNNPACK is off, so joints take several times as long; "
    if model.runtime.name != "litert":
        remedy += f"{model.runtime.name} has none for int8: install ai-edge-litert"
    elif not _CPUINFO.exists():
        remedy += f"{_CPUINFO} cannot be read: let the service see /proc (no ProcSubset=pid)"
    else:
        remedy += "this processor is not supported, or ai-edge-litert is damaged: install it anew"
    return Finding("kernels", Health.WARN, remedy)


def _broker(settings: Settings) -> Finding:
    problem = broker_trouble(settings)
    where = f"{settings.mqtt.host}:{settings.mqtt.port}"
    if problem:
        return Finding("broker", Health.FAIL, problem)
    return Finding("broker", Health.OK, f"{where} accepts MQTT {settings.mqtt.version} as {settings.device.name}")


def _clock() -> Finding:
    now = utc_now()
    if now < _EARLIEST:
        return Finding("clock", Health.FAIL, f"{now:%Y-%m-%d}: the clock is not set; set it, or enable time sync")
    if not _SYNCHRONISED.exists() and not _kept_by_another():
        text = f"{now:%Y-%m-%dT%H:%M:%SZ}; neither systemd-timesyncd nor another program has synchronised it"
        return Finding("clock", Health.WARN, text)
    return Finding("clock", Health.OK, f"{now:%Y-%m-%dT%H:%M:%SZ}, synchronised")


def _kept_by_another() -> bool:
    """Does the kernel hold its clock for synchronised, as chrony has it do?"""
    words = ["timedatectl", "show", "--property=NTPSynchronized", "--value"]
    try:
        return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip() == "yes"
    except OSError:
        return False
