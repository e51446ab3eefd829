"""Another bundle, operating point or deadline while the daemon runs: proved first, switched to between two jobs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import NamedTuple, Protocol

from edge.config import Settings
from edge.core.errors import AxiError
from edge.core.wire import Encoder, Message
from edge.exchange import Ready
from edge.inspection import Inspection
from edge.pace import Pace
from edge.ports import Judging, Now

log = logging.getLogger(__name__)

_AT_NEXT_START = ("device", "spool", "journal", "mqtt", "health")
"""Sections that a reload does not touch: a device does not change its name, or its journal, in the middle."""


class Startable(Judging, Protocol):
    """Whoever judges, as something that can be started and ended."""

    best_ms: float
    """What the model took for a golden joint, at best, as it was loaded."""

    @property
    def pid(self) -> int | None: ...

    def start(self, beat: Callable[[], None]) -> Ready:
        """Verify, load and replay the bundle. Raises AxiError."""

    def close(self) -> None: ...


class _Next(NamedTuple):
    settings: Settings
    judge: Startable
    ready: Ready


class Reloader:
    """``request`` may be called from any thread, ``step`` from one that lives as long as the daemon (the judge's
    process dies with the thread that started it), ``change`` from the one that inspects.
    """

    def __init__(
        self,
        load: Callable[[], Settings],
        settings: Settings,
        judge: Startable,
        judge_of: Callable[[Settings], Startable],
        encoder: Encoder,
        *,
        now: Now,
        say: Callable[[Message], None],
        wake: Callable[[], None],
    ) -> None:
        self._load, self._settings, self._judge_of = load, settings, judge_of
        self._now, self._say, self._wake = now, say, wake
        self.judge, self.encoder = judge, encoder
        self._wanted = threading.Event()
        self._lock = threading.Lock()
        self._next: _Next | None = None

    def request(self) -> None:
        self._wanted.set()
        self._wake()

    def step(self) -> None:
        """Do what was requested: read the configuration, start a judge with it; what fails leaves all as it is."""
        if not self._wanted.is_set():
            return
        self._wanted.clear()
        try:
            settings = self._load()
            judge = self._judge_of(settings)
            ready = judge.start(lambda: None)
        except AxiError as error:
            log.error("reload refused", extra={"problem": str(error)})  # noqa: TRY400
            self._say(self.encoder.alarm("reload_refused", f"{error}; all stays as it was", self._now()))
            return
        with self._lock:
            overtaken, self._next = self._next, _Next(settings, judge, ready)
        if overtaken is not None:
            overtaken.judge.close()

    def change(self, inspection: Inspection) -> Inspection:
        """The inspection with the new judge, if there is one; between two jobs."""
        with self._lock:
            new, self._next = self._next, None
        if new is None:
            return inspection
        for section in _AT_NEXT_START:
            if getattr(new.settings, section) != getattr(self._settings, section):
                log.warning("changed, but takes effect at the next start only", extra={"section": section})
        self.judge.close()
        self.judge, self._settings = new.judge, new.settings
        self.encoder = self.encoder._replace(model=new.ready.model, routes=new.ready.routes)
        self._say(self.encoder.status("online", self._now()))
        inspection.tally.forget_trends()
        for served in new.ready.bundles:
            log.info("reloaded", extra=served.about())
        return inspection._replace(
            judge=new.judge,
            encoder=self.encoder,
            pace=Pace(new.settings.inference.verdict_within_s),
            job_timeout_s=new.settings.inference.job_timeout_s,
        )

    def close(self) -> None:
        """End whoever judges, or was about to."""
        with self._lock:
            new, self._next = self._next, None
        if new is not None:
            new.judge.close()
        self.judge.close()
