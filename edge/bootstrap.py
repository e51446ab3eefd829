"""The only place where parts are wired together."""

from __future__ import annotations

import logging
import os
import random
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from edge import __version__
from edge.adapters.arrivals import Arrivals
from edge.adapters.host import LinuxHost
from edge.adapters.journal import Journal
from edge.adapters.mqtt import BrokerSettings, Ear, MqttSession
from edge.adapters.spool import FolderSpool
from edge.adapters.worker import JudgeProcess
from edge.attendant import Attendant
from edge.config import MqttSettings, Settings, SpoolSettings, load_settings
from edge.core.errors import BrokerUnavailable, ConfigError
from edge.core.foreign import Unsaid
from edge.core.wire import Encoder, Message, Topics
from edge.exchange import Ready
from edge.health import Progress
from edge.housekeeping import Housekeeping, Limits, Retention
from edge.inspection import Inspection
from edge.loading import configured
from edge.pace import Pace
from edge.ports import Outcome
from edge.recovery import open_journal
from edge.reload import Reloader
from edge.reporting import Backoff, Reporting
from edge.tally import Tally

INSPECTION, REPORTING = "inspection", "reporting"


def utc_now() -> datetime:
    return datetime.now(UTC)


def broker_settings(mqtt: MqttSettings, device: str) -> BrokerSettings:
    """Read the secrets and settle the defaults. Raises ConfigError."""
    password = None
    if (mqtt.cert_file or mqtt.key_file) and not mqtt.ca_file:
        raise ConfigError("[mqtt] ca_file: missing beside cert_file and key_file; name the CA, or there is no TLS")
    if bool(mqtt.cert_file) != bool(mqtt.key_file):
        raise ConfigError("[mqtt] cert_file and key_file: one is missing; name both for mutual TLS")
    if mqtt.password_file and not mqtt.username:
        raise ConfigError("[mqtt] username: missing beside password_file; name the user")
    if mqtt.password_file:
        try:
            password = Path(mqtt.password_file).read_text("utf-8").strip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"[mqtt] password_file: {mqtt.password_file}: {error}; name a readable file") from error
    return BrokerSettings(
        host=mqtt.host,
        port=mqtt.port,
        client_id=mqtt.client_id or f"axi-edge-{device}",
        version=mqtt.version,
        keepalive_s=mqtt.keepalive_s,
        timeout_s=mqtt.timeout_s,
        username=mqtt.username or None,
        password=password,
        ca_file=_path(mqtt.ca_file),
        cert_file=_path(mqtt.cert_file),
        key_file=_path(mqtt.key_file),
        producer=f"axi-edge {__version__}",
    )


def _path(text: str) -> Path | None:
    return Path(text) if text else None


class Parts(NamedTuple):
    """Everything the daemon runs, wired but not started. ``wake``: housekeeping has something to do at once."""

    inspection: Inspection
    reporting: Reporting
    progress: Progress
    arrivals: Arrivals
    housekeeping: Housekeeping
    retention: Retention
    room: threading.Event
    bell: threading.Event
    stop: threading.Event
    wake: threading.Event
    reloader: Reloader
    close: Callable[[], None]


def judge_process(settings: Settings) -> JudgeProcess:
    """The process that judges with the configured bundles, not yet started."""
    return JudgeProcess(
        (sys.executable, "-m", "edge.worker", logging.getLevelName(logging.getLogger().level).lower()),
        configured(settings),
        time.monotonic,
        start_timeout_s=settings.inference.start_timeout_s,
        joint_timeout_s=settings.inference.joint_timeout_s,
    )


def wire(path: Path, settings: Settings, judge: JudgeProcess, ready: Ready) -> Parts:
    """Wire the daemon around a judge that was started. Raises ConfigError or JournalError.

    ``path``: where the settings came from, and come from again at a reload.
    """
    device = settings.device.name
    broker = broker_settings(settings.mqtt, device)
    encoder = Encoder(device, Topics(settings.mqtt.base_topic), __version__, ready.model, ready.routes)
    progress = Progress(time.monotonic, (INSPECTION, REPORTING))
    bell, stop, wake = threading.Event(), threading.Event(), threading.Event()
    spool = _spool(settings.spool)
    ledger = open_journal(Path(settings.journal.path), spool, encoder, utc_now())
    outbox, keeper = Journal(Path(settings.journal.path)), Journal(Path(settings.journal.path))
    tally, room = Tally(), threading.Event()
    room.set()
    grace = _Grace(stop, settings.health.drain_s)
    inspection = Inspection(
        spool=spool,
        ledger=ledger,
        judge=judge,
        encoder=encoder,
        now=utc_now,
        clock=time.monotonic,
        announce=bell.set,
        beat=progress.beat_of(INSPECTION),
        may_go_on=grace.may_go_on,
        pace=Pace(settings.inference.verdict_within_s),
        job_timeout_s=settings.inference.job_timeout_s,
        tally=tally,
    )

    def say(message: Message) -> None:
        reporting.say(message)
        bell.set()

    reloader = Reloader(
        lambda: load_settings(path), settings, judge, judge_process, encoder, now=utc_now, say=say, wake=wake.set
    )
    attendant = Attendant(
        now=utc_now,
        status=lambda: reloader.encoder.status_payload("online", utc_now()),
        metrics=lambda: housekeeping.last,
        reload=reloader.request,
        say=say,
    )
    commands = Ear(encoder.topics.commands, attendant.hear)
    reporting = Reporting(
        outbox,
        lambda will: MqttSession(broker, will, commands),
        lambda state: reloader.encoder.status(state, utc_now()),
        Backoff(settings.mqtt.backoff_base_s, settings.mqtt.backoff_cap_s, random.uniform),
        utc_now,
        time.monotonic,
        window=settings.mqtt.window,
    )
    limits = Limits(
        min_free_mb=settings.health.min_free_mb,
        stuck_s=settings.health.stuck_s,
        latency_ms=settings.health.latency_ms,
        keep_days=settings.spool.keep_days,
        keep_gb=settings.spool.keep_gb,
    )
    housekeeping = Housekeeping(
        device=device,
        encoder=encoder,
        spool=spool,
        journal=keeper,
        host=LinuxHost(),
        tally=tally,
        limits=limits,
        disks={"spool": Path(settings.spool.path), "journal": Path(settings.journal.path).parent},
        pids=lambda: [pid for pid in (os.getpid(), reloader.judge.pid) if pid is not None],
        now=utc_now,
        clock=time.monotonic,
        say=say,
        room=lambda enough: room.set() if enough else room.clear(),
        away_for=reporting.away_for,
        score_ms=lambda: (reloader.judge.score_ms, reloader.judge.best_ms),
    )
    arrivals = Arrivals(spool.incoming)
    retention = Retention(spool, keeper, utc_now, limits)

    def close() -> None:
        reloader.close()
        arrivals.close()
        for journal in (ledger, outbox, keeper):
            journal.close()

    return Parts(
        inspection=inspection,
        reporting=reporting,
        progress=progress,
        arrivals=arrivals,
        housekeeping=housekeeping,
        retention=retention,
        room=room,
        bell=bell,
        stop=stop,
        wake=wake,
        reloader=reloader,
        close=close,
    )


def _spool(settings: SpoolSettings) -> FolderSpool:
    unsaid = Unsaid(settings.joint_type, settings.polarity)
    return FolderSpool(Path(settings.path), unsaid, settle_s=settings.settle_s)


class _Grace:
    """May a job in hand go on? Always, until ``drain_s`` after the first time it is asked during a stop."""

    def __init__(self, stop: threading.Event, drain_s: float) -> None:
        self._stop, self._drain_s = stop, drain_s
        self._deadline: float | None = None

    def may_go_on(self) -> bool:
        if not self._stop.is_set():
            return True
        now = time.monotonic()
        if self._deadline is None:
            self._deadline = now + self._drain_s
        return now < self._deadline


def try_broker(settings: Settings) -> str:
    """Connect once under a client id of its own, publish under ``<base>/check``, and leave. '' or what is wrong.

    The retained status is the daemon's and is not touched, and a clean goodbye sends no Will. An MQTT 3.1.1 broker
    acknowledges what it throws away, so only version 5 shows missing access rights.
    """
    broker = broker_settings(settings.mqtt, settings.device.name)
    broker = broker._replace(client_id=f"{broker.client_id}-check")
    probe = Message(f"{settings.mqtt.base_topic}/check", b"{}", expiry_s=1)
    try:
        session = MqttSession(broker, probe)
    except BrokerUnavailable as error:
        return str(error)
    outcome = session.publish([probe])
    session.close()
    if outcome == [Outcome.ACKNOWLEDGED]:
        return ""
    said = "refused" if outcome == [Outcome.REFUSED] else "did not acknowledge"
    rights = f"to write {settings.mqtt.base_topic}/# and read {settings.mqtt.base_topic}/cmd/+"
    who = f"user {broker.username!r}" if broker.username else "this client"
    return f"broker {broker.host}:{broker.port} {said} a message to {probe.topic}; give {who} the right {rights}"
