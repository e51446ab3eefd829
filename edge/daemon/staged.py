"""Bundles activated in stages, as the daemon sees it: begun by a command, watched, and left again where one does badly.

Activating and going back load models, which the daemon does not do: processes of their own do that.
"""

from __future__ import annotations

import logging
import re
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import IO, NamedTuple

import msgspec
from msgspec import Struct

from edge.config import Settings
from edge.core.clocks import Monotonic, Now
from edge.core.errors import AxiError
from edge.daemon.reload import Reloader
from edge.inspection.tally import Tally
from edge.upkeep.alarms import Alarms
from edge.upkeep.trial import LEAST_JOINTS, MOST_STARTS, Trial, Trials, trouble_with

log = logging.getLogger(__name__)

_ROLLBACK_S, _ACTIVATION_S, _AGAIN_S = 300, 900, 60
_LARGEST_PAYLOAD = 4096
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
_HOW = 'say {"bundle": "NAME-VERSION"}, and "type" where a joint type has its own'
Alarm = Callable[[str, str], None]
UNPROVED = "[release] policy is card: a new bundle would release unproved; activate it by hand"
"""Why nothing comes from afar to such a device."""


class _Asked(Struct, frozen=True, kw_only=True):
    """Payload of ``<base>/cmd/activate``. ``bundle``: the name of its folder, beside the active one."""

    bundle: str
    type: str = ""


def _command(path: Path, action: str, joint_type: str, *words: str) -> list[str]:
    kind = ["--type", joint_type] if joint_type else []
    return [sys.executable, "-m", "edge.cli", "bundle", action, *kind, "--config", str(path), *words]


def roll_back(path: Path, trial: Trial) -> str:
    """Point the link to the bundle before, if it still points to what is on trial. Why that failed, or ''."""
    words = _command(path, "rollback", trial.joint_type, "--only-if", trial.bundle)
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=_ROLLBACK_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return _last_word(done.stderr) if done.returncode else ""


def _last_word(said: str) -> str:
    return (said.strip().splitlines() or ["it said nothing"])[-1]


class _Running(NamedTuple):
    process: subprocess.Popen[str]
    said: IO[str]
    until: float


class Activation:
    """``ask`` may be called from any thread; ``step`` looks after the process that activates."""

    def __init__(self, path: Path, alarm: Alarm, clock: Monotonic) -> None:
        self._path, self._alarm, self._clock = path, alarm, clock
        self._lock = threading.Lock()
        self._running: _Running | None = None

    def ask(self, payload: bytes, settings: Settings) -> str:
        """Begin what a command asks for. Why that is not done; '' where it is."""
        try:
            asked = _asked(payload)
            link = Path(settings.model.bundle_of(asked.type))
            problem = _forbidden(settings) or _not_there(link, asked.bundle)
        except (ValueError, RecursionError, OSError, AxiError) as error:
            return f"{str(error)[:256]}; {_HOW}"
        if problem:
            return problem
        with self._lock:
            if self._running is not None:
                return "another activation is under way; wait for the retained status or an alarm"
            try:
                self._running = self._begun(asked, link)
            except OSError as error:
                return str(error)
        log.info("activation begun", extra={"bundle": asked.bundle, "joint_type": asked.type})
        return ""

    def _begun(self, asked: _Asked, link: Path) -> _Running:
        words = _command(self._path, "activate", asked.type, "--staged", str(link.parent / asked.bundle))
        said = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - closed at the end of the process
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=said, text=True)
        return _Running(process, said, self._clock() + _ACTIVATION_S)

    def step(self) -> None:
        with self._lock:
            running = self._running
            if running is None:
                return
            late = self._clock() > running.until
            if running.process.poll() is None and not late:
                return
            self._running = None
        problem = _ended(running, late=late)
        if problem:
            self._alarm("activate_refused", f"{problem}; all stays as it was")

    def close(self) -> None:
        with self._lock:
            if self._running is not None:
                _ended(self._running, late=True)


def _ended(running: _Running, *, late: bool) -> str:
    """Why it failed; '' where it did not."""
    with running.said as said:
        if running.process.poll() is None:
            running.process.kill()
        code = running.process.wait()
        said.seek(0)
        word = _last_word(said.read())
    return f"not done within {_ACTIVATION_S} s" if late and code else word if code else ""


def _asked(payload: bytes) -> _Asked:
    if len(payload) > _LARGEST_PAYLOAD:
        raise ValueError(f"more than {_LARGEST_PAYLOAD} bytes")
    return msgspec.json.decode(payload, type=_Asked)


def _forbidden(settings: Settings) -> str:
    """What no message may do, whoever sends it."""
    if not settings.model.public_key_file:
        return "[model] public_key_file: missing; name the keys that may sign before bundles are activated from afar"
    if settings.release.policy == "card":
        return UNPROVED
    return ""


def _not_there(link: Path, bundle: str) -> str:
    if not re.fullmatch(_NAME, bundle) or not (link.parent / bundle / "card.json").is_file():
        return f"{bundle[:128]!r}: no bundle of that name lies beside the active one; fetch it first"
    if (link.parent / bundle).resolve() == link.resolve():
        return f"{bundle!r}: active already"
    return ""


class Watch:
    """``step``: have what is on trial taken up; is it still good? ``alarm`` says what no end follows."""

    def __init__(
        self, path: Path, trials: Trials, reloader: Reloader, tally: Tally, alarms: Alarms, now: Now, clock: Monotonic,
        alarm: Alarm,
    ) -> None:  # fmt: skip
        self._path, self._trials, self._reloader, self._tally = path, trials, reloader, tally
        self._alarms, self._now, self._clock, self._alarm = alarms, now, clock, alarm
        self._before: dict[str, Counter[str]] = {}
        self._again: dict[str, float] = {}

    def step(self) -> None:
        try:
            on_trial = {trial.bundle: trial for trial in self._trials.all()}
        except AxiError as error:
            self._alarms.set("bundle_on_trial", f"{error}: nobody watches it", on=True)
            return
        for bundle in self._alarms.about("bundle_on_trial") - on_trial.keys():
            self._alarms.set("bundle_on_trial", f"{bundle} is kept, or was left", on=False, about=bundle)
        for bundle, trial in on_trial.items():
            self._alarms.set("bundle_on_trial", f"{bundle} is watched", on=True, about=bundle)
            self._step(trial)

    def _step(self, trial: Trial) -> None:
        settings = self._reloader.serving.settings
        encoder = self._reloader.serving.encoder
        model = encoder.model_for(trial.joint_type) if trial.joint_type else encoder.model
        if not points_to(settings, trial):  # somebody has decided otherwise
            self._end(trial)
        elif model.digest == trial.digest:
            self._look(trial, settings.release.max_unfamiliar_share)
        else:
            self._before[trial.since] = self._tally.reasons(trial.digest)
            if trial.overdue(self._now()):
                self._leave(trial, "it was not taken up")
            elif self._due(f"reload {trial.since}"):
                self._reloader.request()

    def _look(self, trial: Trial, max_doubtful: float) -> None:
        reasons = self._tally.reasons(trial.digest) - self._before.get(trial.since, Counter())
        problem = trouble_with(reasons, max_doubtful)
        if problem:
            self._leave(trial, problem)
        elif trial.over(self._now()) and reasons.total() >= LEAST_JOINTS:
            log.info("bundle kept", extra={"bundle": trial.bundle})
            self._end(trial)

    def _leave(self, trial: Trial, problem: str) -> None:
        """Tried again later where it fails: whoever moves links now may be about to end."""
        if not self._due(f"leave {trial.since}"):
            return
        failed = roll_back(self._path, trial)
        if failed:
            text = f"{trial.bundle}: {problem}; going back failed, and is tried again: {failed}"
            self._alarm("bundle_rolled_back", text)
            return
        self._alarm("bundle_rolled_back", f"{trial.bundle}: {problem}; the bundle before judges again")
        self._reloader.request()

    def _end(self, trial: Trial) -> None:
        with self._trials.alone() as free:
            if free and self._trials.read(trial.joint_type) == trial:
                self._trials.end(trial.joint_type)

    def _due(self, what: str) -> bool:
        """The first time, and once a minute after it."""
        now = self._clock()
        if now < self._again.get(what, now):
            return False
        self._again[what] = now + _AGAIN_S
        return True


def points_to(settings: Settings, trial: Trial) -> bool:
    """Does the link that is meant point to what is on trial?"""
    try:
        return Path(settings.model.bundle_of(trial.joint_type)).resolve().name == trial.bundle
    except (AxiError, OSError):
        return False


def before_start(path: Path, settings: Settings) -> str:
    """A daemon that is started again and again within a trial goes back first. What was left and why, or ''."""
    said = list[str]()
    for trial in _on_trial(settings):
        if trial.starts + 1 >= MOST_STARTS:
            said.append(_left(path, trial, f"the daemon was started {MOST_STARTS} times"))
        else:
            try:
                _trials(settings).write(msgspec.structs.replace(trial, starts=trial.starts + 1))
            except OSError as error:
                log.warning("start within a trial not counted", extra={"problem": str(error)})
    return "; ".join(said)


def left_at_start(path: Path, settings: Settings, problem: str) -> str:
    """Leave what is on trial before anything is loaded. What was left and why, or ''."""
    said = (_left(path, trial, problem) for trial in _on_trial(settings))
    return "; ".join(one for one in said if one.endswith(_BACK))


_BACK = "the bundle before judges again"


def _trials(settings: Settings) -> Trials:
    return Trials(Path(settings.journal.path))


def _on_trial(settings: Settings) -> list[Trial]:
    """Those that their link still points to; none where that cannot be read: the watch says so."""
    try:
        return [trial for trial in _trials(settings).all() if points_to(settings, trial)]
    except AxiError as error:
        log.warning("trials not read", extra={"problem": str(error)})
        return []


def _left(path: Path, trial: Trial, problem: str) -> str:
    failed = roll_back(path, trial)
    log.error(
        "bundle on trial left", extra={"bundle": trial.bundle, "problem": problem, "going_back": failed or "done"}
    )
    return f"{trial.bundle}: {problem}; " + (f"going back failed: {failed}" if failed else _BACK)
