"""The four loops, each in a thread of its own. What they share is the journal, events, and values with a lock."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge.adapters.arrivals import Arrivals
from edge.core.errors import AxiError, JournalDamaged
from edge.daemon.reload import Reloader
from edge.daemon.signals import Signals
from edge.daemon.waits import Waits
from edge.feedback.ports import Post
from edge.inspection.loop import Inspection
from edge.inspection.ports import Permits
from edge.reporting.loop import Reporting

log = logging.getLogger(__name__)

_IDLE_S = 1.0
_RETRY_S = 2.0


@dataclass(frozen=True)
class InspectionLoop:
    """From arrivals to the journal, until a stop."""

    inspection: Inspection
    reloader: Reloader
    permits: Permits
    arrivals: Arrivals
    waits: Waits
    signals: Signals
    progressed: Callable[[], None]
    poll_s: float

    def run(self) -> None:
        """Blocks until stopped. Raises JournalDamaged: the next start sets it aside and rebuilds it."""
        try:
            while not self.signals.stop.is_set():
                if self.signals.may_claim.is_set():
                    self._turn()
                else:
                    self.progressed()
                    self.signals.stop.wait(_IDLE_S)
        finally:
            self.signals.inspected.set()
            self.signals.queued.set()

    def _turn(self) -> None:
        try:
            new = self.reloader.change(self.permits)
            if new is not None:
                self.inspection.use(new)
            busy = self.inspection.step()
        except JournalDamaged:
            raise
        except (OSError, AxiError) as error:
            # The job stays in work and is taken up again; no progress is reported, so a lasting fault starves the
            # watchdog, but for what starting anew would not mend.
            log.exception("inspection failed, will retry", extra={"problem": str(error)})
            if self.waits.note("inspection", error):
                self.progressed()
            self.signals.stop.wait(_RETRY_S)
            return
        self.waits.note("inspection", None)
        self.progressed()
        if not busy:
            self.arrivals.wait(self.poll_s)


@dataclass(frozen=True)
class ReportingLoop:
    """From the journal to the broker, until inspection has ended and what is decided is sent, or time is up."""

    reporting: Reporting
    waits: Waits
    signals: Signals
    progressed: Callable[[], None]
    drain_s: float

    def run(self) -> None:
        """Blocks until stopped. Raises JournalDamaged."""
        while not self.signals.inspected.is_set():
            self.signals.queued.clear()
            try:
                wait_s = self.reporting.step()
            except JournalDamaged:
                raise
            except (OSError, AxiError) as error:
                log.exception("reporting failed, will retry", extra={"problem": str(error)})
                if self.waits.note("reporting", error):
                    self.progressed()
                self.signals.inspected.wait(_RETRY_S)
                continue
            self.waits.note("reporting", None)
            self.progressed()
            if wait_s is None:
                self.signals.queued.wait(_IDLE_S)
            else:
                self._pause(wait_s)
        self._drain()

    def _pause(self, seconds: float) -> None:
        """Wait before the next attempt, but not for an inspection that has ended; waiting is no lack of progress."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self.signals.inspected.wait(min(left, _IDLE_S)):
            self.progressed()

    def _drain(self) -> None:
        """Send what is decided, as long as the broker takes it; what remains waits in the journal."""
        deadline = time.monotonic() + self.drain_s
        try:
            while time.monotonic() < deadline and self.reporting.step() == 0.0:
                pass
        finally:
            self.reporting.close()


@dataclass(frozen=True)
class Duty:
    """Something to be done now and then."""

    name: str
    step: Callable[[], None]
    every_s: float = 0.0


@dataclass(frozen=True)
class FeedbackLoop:
    """From reviews to the journal and to licences, as messages come and whenever files may have; its trouble is nobody
    else's.
    """

    duties: Sequence[Duty]
    post: Post
    signals: Signals
    interval_s: float

    def run(self) -> None:
        """Blocks until stopped."""
        try:
            while not self.signals.stop.is_set():
                self.signals.reviewed.clear()
                for duty in self.duties:
                    _attempt(duty)
                if not self.signals.stop.is_set():
                    self.signals.reviewed.wait(self.interval_s)
        finally:
            self.post.close()


@dataclass(frozen=True)
class UpkeepLoop:
    """Reload, metrics and alarms at every interval, retention now and then; their trouble is nobody else's."""

    duties: Sequence[Duty]
    signals: Signals
    interval_s: float

    def run(self) -> None:
        """Blocks until stopped."""
        due = {duty.name: 0.0 for duty in self.duties}
        while True:
            self.signals.upkeep_due.clear()
            for duty in self.duties:
                if time.monotonic() >= due[duty.name]:
                    due[duty.name] = time.monotonic() + duty.every_s
                    _attempt(duty)
            if self.signals.stop.is_set():
                self.signals.inspected.wait()  # a judge that was started from this thread lives no longer than it
                return
            self.signals.upkeep_due.wait(self.interval_s)


def _attempt(duty: Duty) -> None:
    """Whatever ails it: verdicts are worth more than upkeep, which is tried again at its next turn."""
    try:
        duty.step()
    except (OSError, AxiError) as error:
        log.warning("upkeep failed", extra={"duty": duty.name, "problem": str(error)})
    except Exception as error:
        log.exception("upkeep failed", extra={"duty": duty.name, "problem": repr(error)})
