"""Another bundle, operating point or deadline while the daemon runs: proved first, switched to between two jobs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from msgspec import UNSET

from edge.config import Settings
from edge.core.clocks import Now
from edge.core.errors import AxiError
from edge.core.licence import Terms
from edge.core.payloads import Presence, QualifiedPayload, StatusPayload
from edge.core.rules import Rule
from edge.core.verdict import Reason
from edge.core.wire import Encoder, Message
from edge.daemon.withheld import Withheld, Within
from edge.feedback.telling import Release
from edge.inspection.pace import Pace
from edge.inspection.ports import InUse, Permits
from edge.judging.messages import Ready
from edge.judging.ports import Judging
from edge.qualify.standing import Served, Standing, standing
from edge.upkeep.metrics import ModelTimes

log = logging.getLogger(__name__)

_AT_NEXT_START = ("device", "spool", "journal", "mqtt", "health")
"""Sections that a reload does not touch: a device does not change its name, or its journal, in the middle."""


class Startable(Judging, Protocol):
    """Whoever judges, as something that can be started and ended."""

    best_ms: float
    """What the model took for a golden joint, at best, as it was loaded."""

    @property
    def pids(self) -> Sequence[int]: ...

    def start(self, progressed: Callable[[], None]) -> Ready:
        """Verify, load and replay the bundle. Raises AxiError."""

    def close(self) -> None: ...


class Serving(NamedTuple):
    """What the device serves with at a moment: replaced whole, so that whoever reads it sees parts that go together.
    ``standing``: is it certified to do so?
    """

    settings: Settings
    judge: Startable
    encoder: Encoder
    rules: Mapping[str, Sequence[Rule]]
    standing: Standing

    @property
    def uncertified(self) -> bool:
        """Must nothing be released for want of a certificate?"""
        return self.settings.model.require_certificate and not self.standing.certified

    def in_use(self, permits: Permits) -> InUse:
        """As the inspection loop wants it."""
        inference = self.settings.inference
        pace, limit_s = Pace(inference.verdict_within_s), inference.job_timeout_s
        spool, release = self.settings.spool, self.settings.release
        permits_under = {
            "card": None,
            "advise": Withheld(permits, Reason.LEARNING),
            "licensed": Within(permits, self.rules),
        }
        permits_now: Permits | None = permits_under[release.policy]
        if self.uncertified:
            permits_now = Withheld(permits_now, Reason.UNCERTIFIED)
        return InUse(
            self.judge,
            self.encoder,
            pace,
            limit_s,
            spool.repeated_days,
            release.max_unfamiliar_share,
            permits_now,
            self.judged_by,
        )

    @property
    def judged_by(self) -> str:
        """Which bundles, at which operating points: what a joint is called hangs on both."""
        models = ("", self.encoder.model), *self.encoder.routes
        asked = {"": self.settings.model.operating_point}
        asked |= {kind: route.operating_point for kind, route in self.settings.model.routes.items()}
        return " ".join(f"{kind}={model.digest}@{asked.get(kind, '')}" for kind, model in models)

    def release(self) -> Release:
        """As licences are kept by it."""
        asked, encoder = self.settings.release, self.encoder
        models = {model.digest: model for model in (encoder.model, *(model for _, model in encoder.routes))}
        terms = Terms(asked.target_escape, asked.confidence)
        return Release(asked.policy, terms, asked.audit_share, self.rules, models)


def rules_of(ready: Ready) -> dict[str, Sequence[Rule]]:
    """By what each bundle's joints can earn release; of one that is there twice, by what both allow."""
    found: dict[str, Sequence[Rule]] = {}
    for bundle in ready.bundles:
        digest, rules = bundle.model.digest, bundle.rules
        found[digest] = min(found.get(digest, rules), rules, key=len)
    return found


def standing_of(settings: Settings, ready: Ready) -> Standing:
    """Is this device certified to judge with what was loaded?"""
    return standing(settings, [Served(bundle.model, bundle.created) for bundle in ready.bundles])


def qualified(now: Standing) -> QualifiedPayload:
    """As the retained status has it."""
    return QualifiedPayload(certified=now.certified, text=now.text, time=now.time or UNSET, digest=now.digest or UNSET)


class _Next(NamedTuple):
    settings: Settings
    judge: Startable
    ready: Ready
    standing: Standing


class Reloaded(NamedTuple):
    """How often it was asked for and is over, and what the last one was refused for; empty where it was not. ``later``:
    sections that changed, and take effect at the next start only.
    """

    times: int = 0
    problem: str = ""
    later: tuple[str, ...] = ()


class Reloader:
    """``request`` may be called from any thread, ``step`` from one that lives as long as the daemon (the judge's
    process dies with the thread that started it), ``change`` from the one that inspects.
    """

    def __init__(
        self,
        serving: Serving,
        load: Callable[[], Settings],
        judge_of: Callable[[Settings], Startable],
        *,
        now: Now,
        publish: Callable[[Message], None],
        requested: Callable[[], None],
    ) -> None:
        self.serving = serving
        self._load, self._judge_of = load, judge_of
        self._now, self._publish, self._requested = now, publish, requested
        self._wanted = threading.Event()
        self._lock = threading.Lock()
        self._next: _Next | None = None
        self.reloaded = Reloaded()

    def request(self) -> None:
        self._wanted.set()
        self._requested()

    def step(self) -> None:
        """Do what was requested: read the configuration, start a judge with it; what fails leaves all as it is."""
        if not self._wanted.is_set():
            return
        self._wanted.clear()
        try:
            settings = self._load()
            judge = self._judge_of(settings)
            ready = judge.start(lambda: None)
            now = standing_of(settings, ready)
        except AxiError as error:
            log.error("reload refused", extra={"problem": str(error)})  # noqa: TRY400
            text = f"{error}; all stays as it was"
            self._publish(self.serving.encoder.alarm("reload_refused", text, self._now()))
            self.reloaded = Reloaded(self.reloaded.times + 1, text)
            return
        with self._lock:
            overtaken, self._next = self._next, _Next(settings, judge, ready, now)
        if overtaken is not None:
            overtaken.judge.close()

    def change(self, permits: Permits) -> InUse | None:
        """What to judge with from now on, if that is something new; between two jobs."""
        with self._lock:
            new, self._next = self._next, None
        if new is None:
            return None
        before = self.serving
        later = tuple(one for one in _AT_NEXT_START if getattr(new.settings, one) != getattr(before.settings, one))
        for section in later:
            log.warning("changed, but takes effect at the next start only", extra={"section": section})
        before.judge.close()
        encoder = before.encoder._replace(
            model=new.ready.model,
            routes=new.ready.routes,
            policy=new.settings.release.policy,
            qualification=qualified(new.standing),
            station_url=new.settings.station.url.rstrip("/"),
        )
        self.serving = Serving(new.settings, new.judge, encoder, rules_of(new.ready), new.standing)
        self._publish(self.status_message("online"))
        for bundle in new.ready.bundles:
            log.info("reloaded", extra=bundle.about())
        self.reloaded = Reloaded(self.reloaded.times + 1, later=later)
        self._requested()  # so that it is said at once
        return self.serving.in_use(permits)

    def status_message(self, state: Presence) -> Message:
        """The retained status, stamped now."""
        return self.serving.encoder.status(state, self._now())

    def status(self) -> StatusPayload:
        """What it says while the daemon runs."""
        return self.serving.encoder.status_payload("online", self._now())

    def release(self) -> Release:
        """What joints are released on."""
        return self.serving.release()

    def model_times(self) -> ModelTimes:
        judge = self.serving.judge
        return ModelTimes(judge.score_ms, judge.best_ms)

    def judge_pids(self) -> Sequence[int]:
        return self.serving.judge.pids

    def close(self) -> None:
        """End whoever judges, or was about to."""
        with self._lock:
            new, self._next = self._next, None
        if new is not None:
            new.judge.close()
        self.serving.judge.close()
