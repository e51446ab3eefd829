"""The daemon as a process: its lock, its signals, its threads, and the watchdog."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from edge import __version__
from edge.adapters.systemd import Notifier
from edge.config import load_settings
from edge.core.errors import AxiError, ConfigError, ConfigUnreadable
from edge.daemon.caught import Caught, catch_signals, ignore_signals
from edge.daemon.shared import judges_of
from edge.daemon.staged import before_start, left_at_start
from edge.daemon.wiring import Parts, wire
from edge.files import exclusive_lock
from edge.upkeep.state import lock_path

log = logging.getLogger(__name__)


def run_daemon(path: Path) -> None:
    """Run with the configuration at ``path`` until SIGTERM or SIGINT; SIGHUP reloads.

    Raises AxiError when it cannot start, and whatever a loop died of.
    """
    try:
        settings = load_settings(path)
    except ConfigError as error:
        raise ConfigUnreadable(f"{error}; then systemctl start axi-edge") from error
    with _own_lock(lock_path(Path(settings.journal.path))), ExitStack() as stack:
        left = before_start(path, settings)
        judge = stack.enter_context(closing(judges_of(settings)))
        try:
            ready = judge.start(lambda: None)  # until here a signal ends the process: nothing is in hand yet
        except AxiError as error:
            left = left_at_start(path, settings, str(error))
            if not left:
                raise
            judge = stack.enter_context(closing(judges_of(settings)))
            ready = judge.start(lambda: None)
        parts = wire(path, settings, judge, ready, left)
        caught = catch_signals()
        inference = settings.inference
        started = {
            "version": __version__,
            "device": settings.device.name,
            "runtime": ready.runtime,
            "kernels": inference.kernels,
            "processes": inference.processes,
            "threads": inference.threads,
        }
        log.info("started", extra=started)
        for bundle in ready.bundles:
            log.info("serving", extra=bundle.about())
        Daemon(parts, Notifier(), caught, stall_s=settings.health.stall_s).run()


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
    """Runs the loops in threads and watches over them from the main one."""

    def __init__(self, parts: Parts, notifier: Notifier, caught: Caught, *, stall_s: float) -> None:
        self._parts, self._notifier, self._caught, self._stall_s = parts, notifier, caught, stall_s

    def run(self) -> None:
        """Blocks until stopped; raises what a loop died of."""
        with ThreadPoolExecutor(max_workers=len(self._parts.loops), thread_name_prefix="loop") as pool:
            loops = [pool.submit(loop) for loop in self._parts.loops]
            try:
                self._notifier.ready("inspecting")
                self._watch(loops)
            finally:
                self._parts.signals.end()
                self._notifier.stopping()
        self._parts.close()
        ignore_signals()  # the interpreter, as it ends, would let them kill it
        for loop in loops:
            loop.result()
        log.info("stopped")

    def _watch(self, loops: list[Future[None]]) -> None:
        """Feed the watchdog while inspection and reporting progress; return on a stop or when a loop ended."""
        tick_s = min(1.0, (self._notifier.watchdog_s or 3.0) / 3)
        while not any(loop.done() for loop in loops):
            caught = self._caught.wait(tick_s)
            if caught is signal.SIGHUP:
                log.info("reload requested")
                self._parts.reloader.request()
            elif caught is not None:
                log.info("stopping", extra={"signal": caught.name})
                return
            stalled = self._parts.progress.stalled(self._stall_s)
            if stalled:
                log.error("no progress", extra={"loops": list(stalled), "limit_s": self._stall_s})
            else:
                self._notifier.alive()
