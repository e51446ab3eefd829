"""The only place where the daemon's parts are wired together: a function a room."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from edge import __version__
from edge.adapters.arrivals import Arrivals
from edge.adapters.host import LinuxHost, utc_now
from edge.adapters.mqtt import MqttSession
from edge.adapters.mqtt_client import BrokerSettings
from edge.adapters.mqtt_lasting import MqttLasting, reviews_of
from edge.adapters.review_folder import SpoolReviews
from edge.config import Settings
from edge.core.wire import Encoder, Topics
from edge.daemon.books import Books
from edge.daemon.broker import broker_settings
from edge.daemon.grace import Grace
from edge.daemon.loops import Duty, FeedbackLoop, InspectionLoop, ReportingLoop, UpkeepLoop
from edge.daemon.recovery import open_journal
from edge.daemon.reload import Reloader, Serving, qualified, rules_of, standing_of
from edge.daemon.shared import INSPECTION, REPORTING, Shared, shared_parts
from edge.daemon.signals import Signals
from edge.daemon.staged import Watch
from edge.daemon.state import STATE_EVERY_S, state_file
from edge.daemon.told import Told
from edge.feedback.intake import Intake, NoPost
from edge.feedback.licences import Licences
from edge.feedback.sights import Learning
from edge.inspection.gallery import Gallery
from edge.inspection.loop import Inspection
from edge.judging.client import Judges
from edge.judging.messages import Ready
from edge.qualify.standing import Standing
from edge.reporting.commands import AnswerPace, AnswerTopics, CommandAnswers
from edge.reporting.loop import Backoff, Reporting
from edge.reporting.ports import CommandTopics
from edge.upkeep.drifting import Drifting
from edge.upkeep.metrics import Health, Limits, Sources
from edge.upkeep.progress import Progress
from edge.upkeep.retention import Keep, Retention
from edge.upkeep.trial import Trials

_RETENTION_EVERY_S = 3_600.0
_FEEDBACK_EVERY_S = 60.0


class Parts(NamedTuple):
    """Everything the daemon runs, wired but not started. ``loops``: each blocks until the signals end it."""

    loops: tuple[Callable[[], None], ...]
    progress: Progress
    reloader: Reloader
    signals: Signals
    close: Callable[[], None]


def wire(path: Path, settings: Settings, judge: Judges, ready: Ready, left: str = "") -> Parts:
    """Wire the daemon around a judge that was started. Raises ConfigError or JournalError.

    ``path``: where the settings came from, and come from again at a reload. ``left``: which bundle on trial was left
    before, and why.
    """
    broker, certified = broker_settings(settings), standing_of(settings, ready)
    encoder = _encoder(settings, ready, certified)
    shared = shared_parts(path, Serving(settings, judge, encoder, rules_of(ready), certified), left)
    journal = Path(settings.journal.path)
    dropped = SpoolReviews(Path(settings.spool.path))
    ledger = open_journal(journal, shared.spool, dropped, encoder, utc_now())
    books = Books.of(ledger, journal)
    arrivals = Arrivals(shared.spool.incoming)
    health = _health(shared, books)
    licences = Licences(
        books.licences,
        dropped,
        shared.reloader.release,
        lambda: shared.reloader.serving.encoder,
        utc_now,
        shared.signals.queued.set,
    )
    loops = (
        _inspection(shared, books, arrivals, licences).run,
        _reporting(shared, books, broker, health).run,
        _upkeep(path, shared, books, health).run,
        _feedback(shared, books, dropped, licences, broker).run,
    )

    def close() -> None:
        shared.activation.close()
        shared.reloader.close()
        arrivals.close()
        books.close()

    return Parts(loops, shared.progress, shared.reloader, shared.signals, close)


def _encoder(settings: Settings, ready: Ready, certified: Standing) -> Encoder:
    return Encoder(
        settings.device.name,
        Topics(settings.mqtt.base_topic),
        __version__,
        ready.model,
        ready.routes,
        settings.release.policy,
        qualified(certified),
        settings.station.url.rstrip("/"),
    )


def _inspection(shared: Shared, books: Books, arrivals: Arrivals, licences: Licences) -> InspectionLoop:
    progressed = shared.progress.reporter(INSPECTION)
    shared.tally.drifts.restore(books.charts.kept())
    inspection = Inspection(
        shared.spool,
        books.ledger,
        shared.reloader.serving.in_use(licences),
        judged_before=books.ledger.rebuilt,
        gallery=Gallery(books.references),
        tally=shared.tally,
        now=utc_now,
        clock=time.monotonic,
        announce=shared.signals.queued.set,
        progressed=progressed,
        may_go_on=Grace(shared.signals.stop, shared.settings.health.drain_s).may_go_on,
    )
    return InspectionLoop(
        inspection,
        shared.reloader,
        licences,
        arrivals,
        shared.waits,
        shared.signals,
        progressed,
        shared.settings.spool.poll_s,
    )


def _reporting(shared: Shared, books: Books, broker: BrokerSettings, health: Health) -> ReportingLoop:
    mqtt = shared.settings.mqtt
    answers = CommandAnswers(
        now=utc_now,
        status=shared.reloader.status,
        metrics=lambda: health.last,
        reload=shared.reloader.request,
        activate=lambda payload: shared.activation.ask(payload, shared.reloader.serving.settings),
        alarms=shared.alarms.raised,
        publish=shared.passing.publish,
        allowed=AnswerTopics(f"{mqtt.base_topic}/cmd", mqtt.answer_under),
        pace=AnswerPace(time.monotonic),
    )
    commands = CommandTopics(shared.reloader.serving.encoder.topics.commands, answers.answer)
    reporting = Reporting(
        books.outbox,
        lambda will: MqttSession(broker, will, commands),
        shared.reloader.status_message,
        Backoff(mqtt.backoff_base_s, mqtt.backoff_cap_s, random.uniform),
        shared.passing,
        shared.absence,
        utc_now,
        time.monotonic,
        shared.alarms.set,
        window=mqtt.window,
    )
    return ReportingLoop(
        reporting,
        shared.waits,
        shared.signals,
        shared.progress.reporter(REPORTING),
        shared.settings.health.drain_s,
    )


def _health(shared: Shared, books: Books) -> Health:
    settings = shared.settings
    sources = Sources(
        spool=shared.spool,
        journal=books.keeper,
        reviews=books.counted.totals,
        host=LinuxHost(),
        tally=shared.tally,
        disks={"spool": Path(settings.spool.path), "journal": Path(settings.journal.path).parent},
        pids=lambda: [os.getpid(), *shared.reloader.judge_pids()],
        model_times=shared.reloader.model_times,
        away_s=shared.absence.seconds,
    )
    return Health(
        shared.reloader.serving.encoder,
        sources,
        Limits(settings.health.min_free_mb, settings.health.stuck_s, settings.health.latency_ms),
        shared.alarms,
        now=utc_now,
        clock=time.monotonic,
        publish=shared.passing.publish,
        allow_claims=shared.signals.allow_claims,
    )


def _upkeep(path: Path, shared: Shared, books: Books, health: Health) -> UpkeepLoop:
    spool = shared.settings.spool
    retention = Retention(
        shared.spool,
        books.keeper,
        utc_now,
        Keep(spool.keep_days, spool.keep_gb, spool.repeated_days, spool.keep_waiting_days),
    )
    interval_s = shared.settings.health.interval_s
    state = state_file(shared.settings, shared.reloader, shared.absence, shared.tally, shared.alarms)

    def certificate() -> None:
        serving = shared.reloader.serving
        shared.alarms.set("uncertified", f"{serving.standing.text}; nothing is released", on=serving.uncertified)

    watch = Watch(
        path,
        Trials(Path(shared.settings.journal.path)),
        shared.reloader,
        shared.tally,
        shared.alarms,
        utc_now,
        time.monotonic,
        shared.tell,
    )
    duties = (
        Duty("reload", shared.reloader.step),
        Duty("activation", shared.activation.step),
        Duty("trial", watch.step),
        Duty("certificate", certificate),
        Duty("metrics", health.step, interval_s),
        Duty("charts", Drifting(shared.tally.drifts, books.charts, shared.alarms).step, interval_s),
        Duty("state", state.step),
        Duty("retention", retention.step, _RETENTION_EVERY_S),
    )
    return UpkeepLoop(duties, shared.signals, min(interval_s, STATE_EVERY_S))


def _feedback(
    shared: Shared, books: Books, dropped: SpoolReviews, licences: Licences, broker: BrokerSettings
) -> FeedbackLoop:
    settings, alarms, reviewed = shared.settings, shared.alarms, shared.signals.reviewed.set
    asked = broker, reviews_of(settings.mqtt.base_topic), reviewed, alarms.set
    post = MqttLasting(*asked) if settings.mqtt.reviews else NoPost()
    intake = Intake(dropped, books.reviews, post, utc_now, alarms)
    weighed = Told(licences.step, alarms.set, "licences_stuck")
    learning = Learning(books.sights, lambda: shared.reloader.release().rules, utc_now)
    duties = Duty("reviews", intake.step), Duty("licences", weighed), Duty("views", learning.step)
    return FeedbackLoop(duties, post, shared.signals, min(settings.health.interval_s, _FEEDBACK_EVERY_S))
