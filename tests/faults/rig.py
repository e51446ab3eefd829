"""A device on real parts, watched: what was submitted, what the broker delivered, what the audit says."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace

from edge.adapters.journal.view import held
from edge.adapters.spool_view import survey
from edge.core.verdict import Call
from edge.upkeep.audit import Account, Problem, audit
from tests.faults.reviewing import Reviewing
from tests.support.daemon import DaemonProcess
from tests.support.mosquitto import Mosquitto, Subscriber

_PATIENCE_S = 90.0
_LOOK_S = 0.05


class BaseJob(NamedTuple):
    """A sound job to make copies of, and the verdict that an undisturbed device gives each of its joints."""

    folder: Path
    calls: dict[str, str]


class Trouble(AssertionError):
    """A promise was broken."""


class Result(NamedTuple):
    """What came of all rounds of one fault. ``repeated``: deliveries beyond the first of an event_id; ``reviews``: that
    were handed over, ``lost`` and ``duplicated`` hold those that do not count, or count twice.
    """

    jobs: int
    joints: int
    unjudged: int
    lost: int
    duplicated: int
    wrong: int
    repeated: int
    reviews: int = 0


class Bundles(NamedTuple):
    """What a device judges with: X-ray joints, and optical ones by a route of their own."""

    main: Path
    smt: Path


def base_jobs(lots: Sequence[Path], bundles: Bundles) -> list[BaseJob]:
    """The jobs of all lots in turn, with their undisturbed verdicts, by ``axi-edge inspect``."""
    found = []
    each = [sorted(path for path in lot.iterdir() if path.is_dir()) for lot in lots]
    for folder in (folder for turn in zip(*each, strict=True) for folder in turn):
        call = [sys.executable, "-m", "edge.cli", "inspect", str(folder)]
        for bundle in bundles:
            call += ["--bundle", str(bundle)]
        lines = subprocess.run(call, capture_output=True, text=True, check=True).stdout.splitlines()
        said = [json.loads(line) for line in lines]
        found.append(BaseJob(folder, {payload["joint"]: payload["verdict"] for payload in said}))
    return found


class Rig:
    """One device, one broker, one subscriber that hears everything."""

    def __init__(
        self,
        work: Path,
        bundles: Bundles,
        jobs: list[BaseJob],
        *,
        changes: Mapping[str, str] | None = None,
        place: Path | None = None,
        spool: Path | None = None,
    ) -> None:
        """``changes``: texts of the configuration and what stands there instead. ``place``: the device's folder;
        ``spool``: its spool, where that lies on a disk of its own.
        """
        work.mkdir(parents=True, exist_ok=True)
        (work / "broker").mkdir(exist_ok=True)
        self.broker = Mosquitto(work / "broker")
        self.broker.start()
        self.subscriber = Subscriber(self.broker.port, client_id="witness")
        self.place = place or work / "device"
        self.place.mkdir(exist_ok=True)
        if spool is not None:
            (self.place / "spool").symlink_to(spool)
        self.device = DaemonProcess(self.place, bundles.main, self.broker.port)
        self.change("[inference]", f'[model.routes.SMT]\nbundle = "{bundles.smt}"\n[inference]')
        for old, new in (changes or {}).items():
            self.change(old, new)
        self._jobs = jobs
        self._calls: dict[str, dict[str, str]] = {}
        self._opaque: set[str] = set()
        self._number = 0
        self.reviewing = Reviewing(self.journal, self.device.spool, self._calls)

    @property
    def journal(self) -> Path:
        return self.place / "journal.db"

    def change(self, old: str, new: str) -> None:
        """Change the device's configuration; it must not run."""
        text = self.device.config.read_text()
        assert old in text
        self.device.config.write_text(text.replace(old, new))

    # --- jobs ---

    def submit(self, n: int = 1, bend: Callable[[Path], None] = lambda _: None) -> list[str]:
        """Let copies of base jobs appear, each under an id of its own; ``bend`` may spoil the folder before."""
        names = []
        for _ in range(n):
            base = self._jobs[self._number % len(self._jobs)]
            name = f"F-{self._number:06d}"
            self._number += 1
            unfinished = self.device.incoming / f"{name}.tmp"
            shutil.copytree(base.folder, unfinished)
            manifest = json.loads((unfinished / "manifest.json").read_text())
            manifest["job_id"] = name
            (unfinished / "manifest.json").write_text(json.dumps(manifest))
            self._calls[name] = base.calls
            bend(unfinished)
            unfinished.rename(self.device.incoming / name)
            names.append(name)
        return names

    # --- what has become of them ---

    def verdicts(self) -> list[dict[str, Any]]:
        return self.subscriber.payloads("/verdict/")

    def account(self) -> Account:
        """Audit against everything that was delivered so far.

        That a job holds joints which nobody can read is right to be said where it was bent to be so.
        """
        journal = self.journal
        found = list(survey(self.device.spool))
        account = audit(found, held(journal) if journal.exists() else {}, self.verdicts())
        return replace(account, problems=tuple(each for each in account.problems if not self._meant(each)))

    def _meant(self, problem: Problem) -> bool:
        return problem.code == "joints_unread" and any(f"/{name}:" in problem.text for name in self._opaque)

    def audited(self, *, drained: bool = False) -> Account:
        """The account once it is clean (and nothing waits any more).

        Raises Trouble when it does not become so and, for as long as one may wait, nothing got through either.
        """
        until, least = time.monotonic() + _PATIENCE_S, None
        while True:
            began = time.monotonic()
            account = self.account()
            if not account.problems and not (drained and (account.waiting or account.queued)):
                return account
            left = len(account.problems) + account.waiting + account.queued
            if least is None or left < least:
                until, least = time.monotonic() + _PATIENCE_S, left
            if time.monotonic() > until:
                raise Trouble(f"{account.problems[:5]}, {account.waiting} waiting, {account.queued} queued")
            # files and another process' database give no event; whoever listens meanwhile needs as long as a look takes
            time.sleep(max(_LOOK_S, time.monotonic() - began))

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait for what only files and processes show."""
        until = time.monotonic() + _PATIENCE_S
        while not condition():
            if time.monotonic() > until:
                raise Trouble(f"not within {_PATIENCE_S} s: {what}")
            time.sleep(_LOOK_S)

    def emptied(self, what: str = "the jobs get through") -> None:
        """Wait until no job is left in incoming or work."""
        self.until(lambda: not self.device.waiting(), what)

    def audited_every(self, rounds: int, number: int) -> None:
        """After so many rounds, ``number`` counting from 0: let what there is get through, and audit."""
        if number % rounds == rounds - 1:
            self.emptied()
            self.audited()

    def strike(self, worker: int | None, blow: signal.Signals) -> None:
        """Send a signal to the process that judges, if it is still there."""
        if worker is not None:
            with suppress(ProcessLookupError):
                os.kill(worker, blow)

    def alarm(self, code: str) -> None:
        """Wait until the device raised this alarm."""
        self.until(lambda: code in {payload["code"] for payload in self.subscriber.payloads("/alarm")}, f"alarm {code}")

    def start(self) -> None:
        """Start the device and wait until it says that it is online."""
        before = self._online()
        self.device.start()
        self.until(lambda: self._online() > before or not self.device.alive, "the device comes online")
        if not self.device.alive:
            raise Trouble(f"the device did not start: {self.device.log[-2_000:]}")

    def _online(self) -> int:
        return sum(payload["state"] == "online" for payload in self.subscriber.payloads("axi1/status"))

    def finish(self) -> Result:
        """Let everything drain, stop, and count broken promises."""
        if not self.device.alive:
            self.start()
        self.emptied("the spool is empty")
        account = self.audited(drained=True)
        self.until(lambda: not self.reviewing.missing(), "every review counts")
        code = self.device.stop()
        if code != 0:
            raise Trouble(f"exit code {code} after SIGTERM: {self.device.log[-2_000:]}")
        self.close()
        return self._count(account)

    def _count(self, account: Account) -> Result:
        journal = {job.job_id: job for job in held(self.journal).values()}
        expected = {(job, joint) for job, calls in self._calls.items() if job not in self._opaque for joint in calls}
        decided = {
            (job_id, joint): held_verdict.verdict
            for job_id, job in journal.items()
            for joint, held_verdict in job.verdicts.items()
        }
        events: dict[tuple[str, str], set[str]] = defaultdict(set)
        said = self.verdicts()
        for payload in said:
            events[payload["job_id"], payload["joint"]].add(payload["event_id"])
        wrong = [
            key
            for key, verdict in decided.items()
            if verdict == Call.NORMAL and key[0] in self._calls and key[0] not in self._opaque
            if self._calls[key[0]].get(key[1]) != Call.NORMAL
        ]
        return Result(
            jobs=len(journal),
            joints=len(decided),
            unjudged=sum(verdict == Call.UNJUDGED for verdict in decided.values()),
            lost=len(expected - decided.keys()) + len(account.problems) + len(self.reviewing.missing()),
            duplicated=sum(len(ids) > 1 for ids in events.values()) + self.reviewing.beyond(),
            wrong=len(wrong),
            repeated=len(said) - len({payload["event_id"] for payload in said}),
            reviews=len(self.reviewing.handed_over),
        )

    def expect_unjudged(self, job: str, joints: Iterable[str]) -> None:
        """These joints of a job that was bent must not be called normal."""
        self._calls[job] = {**self._calls[job], **dict.fromkeys(joints, Call.UNJUDGED.value)}

    def leave_to_the_audit(self, job: str) -> None:
        """What a job says was bent so far that only the device's own reading tells which joints there are."""
        self._opaque.add(job)

    def close(self) -> None:
        self.device.kill()
        self.subscriber.close()
        self.broker.stop()
