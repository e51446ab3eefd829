"""The two loops, signals, and the watchdog."""

from __future__ import annotations

import errno
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from edge import __version__
from edge.adapters.systemd import Notifier
from edge.bootstrap import INSPECTION, REPORTING, Parts, judge_process, wire
from edge.config import Settings, load_settings
from edge.core.errors import AxiError, ConfigError, JournalBlocked, JournalDamaged
from edge.files import exclusive_lock

log = logging.getLogger(__name__)

_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
_IDLE_S = 1.0
_RETRY_S = 2.0
_RETENTION_S = 3_600.0
_BLOCKED = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


def is_blocked(error: Exception) -> bool:
    """Is a disk full or read-only? That mends itself, or somebody does; a restart does not."""
    return isinstance(error, JournalBlocked) or (isinstance(error, OSError) and error.errno in _BLOCKED)


def lock_path(settings: Settings) -> Path:
    """The file a running daemon holds locked."""
    return Path(settings.journal.path + ".lock")


def run_daemon(path: Path) -> None:
    """Run with the configuration at ``path`` until SIGTERM or SIGINT; SIGHUP reloads.

    Raises AxiError when it cannot start, and whatever a loop died of.
    """
    settings = load_settings(path)
    with _own_lock(lock_path(settings)), closing(judge_process(settings)) as judge:
        ready = judge.start(lambda: None)
        parts = wire(path, settings, judge, ready)
        # Blocked here and waited for in the main loop: no handler runs, so none can deadlock on a lock held below it.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        log.info(
            "started",
            extra={
                "version": __version__,
                "device": settings.device.name,
                "runtime": ready.runtime,
                "kernels": settings.inference.kernels,
                "threads": settings.inference.threads,
            },
        )
        for served in ready.bundles:
            log.info("serving", extra=served.about())
        Daemon(parts, Notifier(), settings).run()


@contextmanager
def _own_lock(lock: Path) -> Iterator[None]:
    """Hold the journal's lock, or raise ConfigError saying why not."""
    with ExitStack() as stack:
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            mine = stack.enter_context(exclusive_lock(lock))
        except OSError as error:
            raise ConfigError(f"{lock}: {error.strerror or error}; give the daemon's user write access") from error
        if not mine:
            raise ConfigError(f"{lock}: another axi-edge runs with this journal; stop it first")
        yield


class Daemon:
    """Runs both loops in threads and watches over them from the main one."""

    def __init__(self, parts: Parts, notifier: Notifier, settings: Settings) -> None:
        self._parts, self._notifier = parts, notifier
        self._poll_s = settings.spool.poll_s
        self._stall_s, self._drain_s = settings.health.stall_s, settings.health.drain_s
        self._interval_s = settings.health.interval_s
        self._inspected = threading.Event()

    def run(self) -> None:
        """Blocks until stopped; raises what a loop died of."""
        with ThreadPoolExecutor(max_workers=3, thread_name_prefix="loop") as pool:
            loops = [pool.submit(body) for body in (self._inspect, self._report, self._keep_house)]
            try:
                self._notifier.ready("inspecting")
                self._watch(loops)
            finally:
                self._parts.stop.set()
                self._parts.bell.set()
                self._parts.wake.set()
                self._notifier.stopping()
        self._parts.close()
        for loop in loops:
            loop.result()
        log.info("stopped")

    def _watch(self, loops: list[Future[None]]) -> None:
        """Feed the watchdog while both loops progress; return on a stop or when a loop ended."""
        tick_s = min(1.0, (self._notifier.watchdog_s or 3.0) / 3)
        while not any(loop.done() for loop in loops):
            caught = signal.sigtimedwait(_SIGNALS, tick_s)
            if caught is not None and caught.si_signo == signal.SIGHUP:
                log.info("reload requested")
                self._parts.reloader.request()
            elif caught is not None:
                log.info("stopping", extra={"signal": signal.Signals(caught.si_signo).name})
                return
            stalled = self._parts.progress.stalled(self._stall_s)
            if stalled:
                log.error("no progress", extra={"loops": list(stalled), "limit_s": self._stall_s})
            else:
                self._notifier.alive()

    def _inspect(self) -> None:
        parts = self._parts
        inspection, beat = parts.inspection, parts.progress.beat_of(INSPECTION)
        try:
            while not parts.stop.is_set():
                if not parts.room.is_set():
                    beat()
                    parts.stop.wait(_IDLE_S)
                    continue
                try:
                    inspection = parts.reloader.change(inspection)
                    busy = inspection.step()
                except JournalDamaged:
                    raise  # the next start sets it aside and rebuilds it
                except (OSError, AxiError) as error:
                    # The job stays in work and is taken up again; no beat, so a lasting fault starves the watchdog,
                    # but for a disk that is full: starting anew would not empty it.
                    log.exception("inspection failed, will retry", extra={"problem": str(error)})
                    blocked = is_blocked(error)
                    parts.housekeeping.alarms.set("disk_blocked", str(error), on=blocked)
                    if blocked:
                        beat()
                    parts.stop.wait(_RETRY_S)
                    continue
                parts.housekeeping.alarms.set("disk_blocked", "the disk takes data again", on=False)
                beat()
                if not busy:
                    parts.arrivals.wait(self._poll_s)
        finally:
            self._inspected.set()
            parts.bell.set()

    def _keep_house(self) -> None:
        """Metrics and alarms at every interval, retention now and then; their trouble is nobody else's."""
        parts, next_retention = self._parts, 0.0
        while True:
            parts.wake.clear()
            due = [parts.reloader.step, parts.housekeeping.step]
            if time.monotonic() >= next_retention:
                next_retention = time.monotonic() + _RETENTION_S
                due.append(parts.retention.step)
            for duty in due:
                try:
                    duty()
                except (OSError, AxiError) as error:
                    log.warning("housekeeping failed", extra={"duty": duty.__qualname__, "problem": str(error)})
            if parts.stop.is_set():
                self._inspected.wait()  # a judge that was started from this thread lives no longer than it
                return
            parts.wake.wait(self._interval_s)

    def _report(self) -> None:
        parts = self._parts
        beat = parts.progress.beat_of(REPORTING)
        while not self._inspected.is_set():
            parts.bell.clear()
            try:
                wait_s = parts.reporting.step()
            except JournalDamaged:
                raise
            except (OSError, AxiError) as error:
                log.exception("reporting failed, will retry", extra={"problem": str(error)})
                if is_blocked(error):
                    beat()
                self._inspected.wait(_RETRY_S)
                continue
            beat()
            if wait_s is None:
                parts.bell.wait(_IDLE_S)
            else:
                self._pause(wait_s, beat)
        self._drain()

    def _pause(self, seconds: float, beat: Callable[[], None]) -> None:
        """Wait before the next attempt, but not for an inspection that has ended; waiting is no lack of progress."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._inspected.wait(min(left, _IDLE_S)):
            beat()

    def _drain(self) -> None:
        """Send what is decided, as long as the broker takes it; what remains waits in the journal."""
        deadline = time.monotonic() + self._drain_s
        try:
            while time.monotonic() < deadline and self._parts.reporting.step() == 0.0:
                pass
        finally:
            self._parts.reporting.close()
