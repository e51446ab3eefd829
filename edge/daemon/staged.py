"""Bundles activated in stages, as the daemon sees it: begun by a command, watched, and left again where one does badly.

Activating and going back load models, which the daemon does not do: processes of their own do that.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from edge.config import Settings
from edge.core.clocks import Now
from edge.core.errors import AxiError
from edge.daemon.reload import Reloader
from edge.inspection.tally import Tally
from edge.upkeep.alarms import Alarms
from edge.upkeep.trial import MOST_STARTS, Trial, Trials, trouble_with

log = logging.getLogger(__name__)

_ROLLBACK_S = 300


class _Asked(Struct, frozen=True, kw_only=True):
    """Payload of ``<base>/cmd/activate``. ``bundle``: the name of its folder, beside the active one."""

    bundle: str
    type: str = ""


def bundle_command(path: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "edge.cli", "bundle", *words, "--config", str(path)]


def roll_back(path: Path, trial: Trial) -> str:
    """Point the link to the bundle before. Why that failed; '' where it did not."""
    kind = ["--type", trial.joint_type] if trial.joint_type else []
    try:
        done = subprocess.run(
            bundle_command(path, "rollback", *kind), capture_output=True, text=True, check=False, timeout=_ROLLBACK_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return _last_word(done.stderr) if done.returncode else ""


def _last_word(said: str) -> str:
    return (said.strip().splitlines() or ["it said nothing"])[-1]


class Activation:
    """``ask`` may be called from any thread; ``step`` looks after the process that activates."""

    def __init__(self, path: Path, alarm: Callable[[str, str], None]) -> None:
        self._path, self._alarm = path, alarm
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def ask(self, payload: bytes, settings: Settings) -> str:
        """Begin what a command asks for. Why that is not done; '' where it is."""
        try:
            asked = msgspec.json.decode(payload, type=_Asked)
            link = Path(settings.model.bundle_of(asked.type))
        except (ValueError, AxiError) as error:
            return f'{error}; say {{"bundle": "NAME-VERSION"}}, and "type" where a joint type has its own'
        if Path(asked.bundle).name != asked.bundle or not (link.parent / asked.bundle / "card.json").is_file():
            return f"{asked.bundle[:256]!r}: no bundle of that name lies beside the active one; fetch it first"
        with self._lock:
            if self._process is not None:
                return "another activation is under way; wait for the retained status or an alarm"
            kind = ["--type", asked.type] if asked.type else []
            words = bundle_command(self._path, "activate", "--staged", *kind, str(link.parent / asked.bundle))
            try:
                self._process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            except OSError as error:
                return str(error)
        log.info("activation begun", extra={"bundle": asked.bundle, "joint_type": asked.type})
        return ""

    def step(self) -> None:
        with self._lock:
            process = self._process
            if process is None or process.poll() is None:
                return
            self._process = None
        said = process.stderr.read() if process.stderr else ""
        if process.returncode:
            self._alarm("activate_refused", f"{_last_word(said)}; all stays as it was")

    def close(self) -> None:
        with self._lock:
            if self._process is not None:
                self._process.kill()
                self._process.wait()


class Watch:
    """``step``: have what is on trial taken up; is it still good? ``alarm`` says what no end follows."""

    def __init__(
        self, path: Path, trials: Trials, reloader: Reloader, tally: Tally, alarms: Alarms, now: Now,
        alarm: Callable[[str, str], None],
    ) -> None:  # fmt: skip
        self._path, self._trials, self._reloader, self._tally = path, trials, reloader, tally
        self._alarms, self._now, self._alarm = alarms, now, alarm
        self._asked_for = ""

    def step(self) -> None:
        trial = self._trials.read()
        text = f"{trial.bundle} is watched" if trial else "it is kept, or was left"
        self._alarms.set("bundle_on_trial", text, on=trial is not None)
        if trial is None:
            return
        if self._serves(trial):
            self._look(trial)
        elif trial.overdue(self._now()):
            self._leave(trial, "it was not taken up")
        elif self._asked_for != trial.since:
            self._asked_for = trial.since
            self._reloader.request()

    def _serves(self, trial: Trial) -> bool:
        encoder = self._reloader.serving.encoder
        serving = encoder.model_for(trial.joint_type) if trial.joint_type else encoder.model
        return serving.digest == trial.digest

    def _look(self, trial: Trial) -> None:
        limit = self._reloader.serving.settings.release.max_unfamiliar_share
        problem = trouble_with(self._tally.reasons(), limit)
        if problem:
            self._leave(trial, problem)
        elif trial.over(self._now()):
            log.info("bundle kept", extra={"bundle": trial.bundle})
            self._trials.end()

    def _leave(self, trial: Trial, problem: str) -> None:
        failed = roll_back(self._path, trial)
        self._trials.leave(trial)
        if failed:
            self._alarm("bundle_rolled_back", f"{trial.bundle}: {problem}; going back failed: {failed}; it judges on")
            return
        self._alarm("bundle_rolled_back", f"{trial.bundle}: {problem}; the bundle before judges again")
        self._reloader.request()


def before_start(path: Path, settings: Settings) -> str:
    """A daemon that is started again and again within a trial goes back first. What was left and why, or ''."""
    trials = Trials(Path(settings.journal.path))
    trial = trials.read()
    if trial is None:
        return ""
    if trial.starts + 1 < MOST_STARTS:
        trials.write(msgspec.structs.replace(trial, starts=trial.starts + 1))
        return ""
    return left_at_start(path, settings, f"the daemon was started {MOST_STARTS} times")


def left_at_start(path: Path, settings: Settings, problem: str) -> str:
    """Leave what is on trial before anything is loaded. What was left and why, or ''."""
    trials = Trials(Path(settings.journal.path))
    trial = trials.read()
    if trial is None:
        return ""
    failed = roll_back(path, trial)
    trials.leave(trial)
    log.error(
        "bundle on trial left", extra={"bundle": trial.bundle, "problem": problem, "going_back": failed or "done"}
    )
    return "" if failed else f"{trial.bundle}: {problem}; the bundle before judges again"
