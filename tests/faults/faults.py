"""The faults: each breaks something real, round after round, and lets the rig see what became of the joints."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from tests.faults.inputs import HOSTILE, bend_manifest, damage_image
from tests.faults.proxy import Mode, Proxy
from tests.faults.rig import BaseJob, Bundles, Result, Rig, Trouble

_FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
_EAGER = {"[mqtt]": "[health]\ninterval_s = 0.2\nmin_free_mb = 4\n[mqtt]"}
"""Looks at its disks and its clock often, so that a round does not take long."""


class Stage(NamedTuple):
    """What a fault is given: where to work, and what with."""

    work: Path
    bundles: Bundles
    jobs: list[BaseJob]
    rounds: int
    chance: random.Random
    say: Callable[[int], None]
    rigs: list[Rig]

    def rig(
        self, changes: Mapping[str, str] | None = None, *, place: Path | None = None, spool: Path | None = None
    ) -> Rig:
        self.rigs.append(Rig(self.work, self.bundles, self.jobs, changes=changes, place=place, spool=spool))
        return self.rigs[-1]

    def each_round(self) -> Iterator[int]:
        for number in range(self.rounds):
            self.say(number)
            yield number


class Fault(NamedTuple):
    """``full`` and ``short``: rounds in ``make faults`` and in ``make test``. ``needs`` says why it cannot run here."""

    name: str
    what: str
    full: int
    short: int
    run: Callable[[Stage], Result]
    needs: Callable[[], str] = lambda: ""


def _pause(chance: random.Random, longest_s: float) -> None:
    """A random instant is what is wanted here, not an event."""
    time.sleep(chance.uniform(0, longest_s))


# --- kills ---


def kill_daemon(stage: Stage) -> Result:
    """Half of the rounds at any instant from the start of the process on, half with the line at work."""
    rig = stage.rig()
    for number in stage.each_round():
        rig.submit(max(0, 3 - len(rig.device.waiting())))
        if number % 2:
            rig.device.start()
            _pause(stage.chance, 1.5)
        else:
            rig.start()
            _pause(stage.chance, 0.6)
        rig.device.kill()
        rig.audited()
    return rig.finish()


def kill_judge(stage: Stage) -> Result:
    """The process that judges is killed at any instant; a job that meets that twice is set aside."""
    rig = stage.rig()
    rig.start()
    for _ in stage.each_round():
        rig.submit(max(0, 3 - len(rig.device.waiting())))
        rig.until(lambda: rig.device.worker, "a process that judges")
        _pause(stage.chance, 2.0)
        rig.strike(rig.device.worker, stage.chance.choice([signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT]))
        rig.audited()
    return rig.finish()


def hang_judge(stage: Stage) -> Result:
    rig = stage.rig({"[inference]": "[inference]\njoint_timeout_s = 0.8"})
    rig.start()
    for _ in stage.each_round():
        worker = rig.device.worker
        _pause(stage.chance, 0.1)
        rig.strike(worker, signal.SIGSTOP)
        rig.submit(2)
        rig.emptied()
        rig.audited()
    return rig.finish()


# --- the broker ---


def kill_broker(stage: Stage) -> Result:
    """The broker dies and comes back; its witness' session and queue are on its disk."""
    rig = stage.rig()
    rig.start()
    for number in stage.each_round():
        rig.submit(3)
        _pause(stage.chance, 0.4)
        if number % 2:
            rig.broker.kill()
        else:
            rig.broker.stop()
        rig.submit(2)
        _pause(stage.chance, 0.4)
        rig.broker.start()
        rig.audited(drained=True)
    return rig.finish()


def _bad_line(mode: Mode) -> Callable[[Stage], Result]:
    def run(stage: Stage) -> Result:
        rig = stage.rig()
        proxy = Proxy(rig.broker.port)
        rig.change(f"port = {rig.broker.port}", f"port = {proxy.port}")
        rig.change("timeout_s = 5.0", "timeout_s = 1.0")
        rig.start()
        for _ in stage.each_round():
            rig.submit(2)
            _pause(stage.chance, 0.3)
            proxy.become(mode)
            rig.submit(2)
            rig.emptied("inspection goes on")
            _pause(stage.chance, 1.5)
            proxy.become("pass")
            rig.audited(drained=True)
        result = rig.finish()
        proxy.close()
        return result

    return run


# --- disks ---


@contextmanager
def _small_disk(options: str) -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="axi-disk-"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "small", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)  # lazily: after a failure the device is still there
        place.rmdir()


def _on_small_disk(
    options: str, break_it: Callable[[Path], Callable[[], None]], alarm: str, *, spool_only: bool = False
) -> Callable[[Stage], Result]:
    """``break_it`` spoils the disk and returns what mends it again."""

    def run(stage: Stage) -> Result:
        with _small_disk(options) as disk:
            rig = stage.rig(_EAGER, spool=disk) if spool_only else stage.rig(_EAGER, place=disk / "device")
            rig.start()
            for _ in stage.each_round():
                rig.submit(2)
                _pause(stage.chance, 0.2)
                mend = break_it(disk)
                _pause(stage.chance, 1.0)
                mend()
                rig.emptied("the line goes on by itself")
                rig.audited(drained=True)
            mend = break_it(disk)
            rig.alarm(alarm)
            mend()
            if not rig.device.alive:
                raise Trouble(f"the device gave up: {rig.device.log[-2_000:]}")
            return rig.finish()

    return run


def _fill(disk: Path) -> Callable[[], None]:
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as out:
        for size in (1_000_000, 4_096, 1):
            with suppress(OSError):
                while True:
                    out.write(bytes(size))
    return ballast.unlink


def _use_up_inodes(disk: Path) -> Callable[[], None]:
    litter = disk / "litter"
    litter.mkdir()
    with suppress(OSError):
        for number in range(1_000_000):
            (litter / str(number)).touch()
    return lambda: shutil.rmtree(litter)


def _read_only(disk: Path) -> Callable[[], None]:
    """Linux refuses while a file there is open for writing, so this is for a disk that holds the spool alone."""

    def remount(how: str) -> None:
        for _ in range(100):
            if subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=False).returncode == 0:
                return
            time.sleep(0.01)
        raise Trouble(f"{disk} is too busy to be made {how}")

    remount("ro")
    return lambda: remount("rw")


def failing_fsync(stage: Stage) -> Result:
    """fsync and fdatasync fail with EIO now and then: under strace, which injects the fault into the real daemon."""
    rig = stage.rig()
    strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync"]
    for _ in stage.each_round():
        rig.submit(2)
        every = stage.chance.randrange(7, 40)
        rig.device.start([*strace, "-e", f"inject=fsync,fdatasync:error=EIO:when={every}+{every}"])
        rig.until(lambda: not rig.device.waiting() or not rig.device.alive, "the jobs get through, or a clean end")
        _pause(stage.chance, 0.3)
        rig.device.kill()
        subprocess.run(["pkill", "-9", "-f", str(rig.device.config)], check=False)
        rig.until(lambda: not _running(rig.device.config), "the traced process ends")
        rig.audited()
    return rig.finish()


def _running(config: Path) -> bool:
    return subprocess.run(["pgrep", "-f", str(config)], check=False, capture_output=True).returncode == 0


# --- limits ---


def no_descriptors(stage: Stage) -> Result:
    """The daemon may open no further file for a while, then again."""
    rig = stage.rig()
    rig.start()
    for _ in stage.each_round():
        soft, hard = resource.prlimit(rig.device.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(rig.device.pid, resource.RLIMIT_NOFILE, (stage.chance.randrange(8, 24), hard))
        rig.submit(2)
        _pause(stage.chance, 2.0)
        resource.prlimit(rig.device.pid, resource.RLIMIT_NOFILE, (soft, hard))
        rig.emptied("the line goes on by itself")
        rig.audited(drained=True)
    return rig.finish()


def no_memory(stage: Stage) -> Result:
    """The process that judges gets hardly more address space than it has."""
    rig = stage.rig()
    rig.start()
    for _ in stage.each_round():
        rig.until(lambda: rig.device.worker, "a process that judges")
        worker = rig.device.worker
        if worker is not None:
            with suppress(ProcessLookupError, IndexError):
                pages = int(Path(f"/proc/{worker}/statm").read_text().split()[0])
                room = pages * resource.getpagesize() + stage.chance.randrange(1, 4) * 1_000_000
                resource.prlimit(worker, resource.RLIMIT_AS, (room, resource.RLIM_INFINITY))
        rig.submit(2)
        rig.emptied()
        rig.strike(worker, signal.SIGKILL)
        rig.audited(drained=True)
    return rig.finish()


def clock_steps(stage: Stage) -> Result:
    """The wall clock is set forward and back by up to a day."""
    rig = stage.rig(_EAGER)
    offset = stage.work / "offset"
    offset.write_text("+0")
    env = {
        "LD_PRELOAD": str(_FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    rig.device.start(env=env)
    for _ in stage.each_round():
        rig.submit(2)
        _pause(stage.chance, 0.3)
        seconds = stage.chance.randrange(-86_400, 86_400)
        fresh = offset.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}")
        fresh.rename(offset)
        rig.submit(1)
        rig.emptied()
        rig.audited(drained=True)
    rig.alarm("clock_jump")
    return rig.finish()


# --- inputs ---


def damaged_images(stage: Stage) -> Result:
    """Slices cut short, with bits flipped, bytes missing or replaced."""
    rig = stage.rig()
    rig.start()
    for number in stage.each_round():
        spoilt: list[str] = []
        (name,) = rig.submit(1, lambda folder, spoilt=spoilt: spoilt.extend(damage_image(folder, stage.chance)))  # type: ignore[misc]
        rig.expect_unjudged(name, spoilt)
        if number % 100 == 99:
            rig.emptied()
            rig.audited()
    return rig.finish()


def hostile_manifests(stage: Stage) -> Result:
    """Path traversal, symbolic links, pipes, huge numbers, deep nesting, repeated keys, NaN, bombs, flipped bytes."""
    rig = stage.rig()
    rig.start()
    for number in stage.each_round():
        bend = HOSTILE[number % len(HOSTILE)]
        (name,) = rig.submit(1, lambda folder, bend=bend: bend_manifest(folder, bend, stage.chance))  # type: ignore[misc]
        rig.leave_to_the_audit(name)
        if number % 50 == 49:
            rig.emptied()
            rig.audited()
    rig.submit(2)
    return rig.finish()


def _root(*programs: str) -> Callable[[], str]:
    def why_not() -> str:
        if os.geteuid() != 0:
            return "needs root, to mount a small disk"
        missing = [program for program in programs if not shutil.which(program)]
        return f"needs {', '.join(missing)}" if missing else ""

    return why_not


def _program(name: str) -> Callable[[], str]:
    return lambda: "" if shutil.which(name) else f"needs {name}"


FAULTS: tuple[Fault, ...] = (
    Fault("kill the daemon", "kill -9 at random instants of its life", 200, 6, kill_daemon),
    Fault("kill the judge", "SIGKILL, SIGSEGV, SIGABRT to the process that judges", 40, 4, kill_judge),
    Fault("hang the judge", "SIGSTOP to the process that judges", 15, 2, hang_judge),
    Fault("broker dies", "killed or stopped, and started again", 20, 2, kill_broker),
    Fault("broker blackholed", "connected, and nothing gets through", 8, 1, _bad_line("blackhole")),
    Fault("broker slow", "40 kB/s", 8, 1, _bad_line("slow")),
    Fault("broker resets", "every connection is cut", 8, 1, _bad_line("reset")),
    Fault("broker refuses", "nobody listens", 8, 1, _bad_line("refuse")),
    Fault("disk full", "not a byte left", 8, 1, _on_small_disk("size=64m", _fill, "disk_low"), _root("mount")),
    Fault(
        "no inodes",
        "not a file more",
        8,
        1,
        _on_small_disk("size=64m,nr_inodes=4000", _use_up_inodes, "disk_low"),
        _root("mount"),
    ),
    Fault(
        "spool read-only",
        "remounted, and back",
        8,
        1,
        _on_small_disk("size=64m", _read_only, "disk_blocked", spool_only=True),
        _root("mount"),
    ),
    Fault("fsync fails", "EIO, injected by strace", 12, 1, failing_fsync, _program("strace")),
    Fault("no descriptors", "RLIMIT_NOFILE of the daemon, for a while", 8, 1, no_descriptors),
    Fault("no memory", "RLIMIT_AS of the process that judges", 8, 1, no_memory),
    Fault(
        "clock set", "a day forward or back", 10, 2, clock_steps, lambda: "" if _FAKETIME.exists() else "needs faketime"
    ),
    Fault("damaged images", "cut, flipped, spliced", 2_000, 60, damaged_images),
    Fault(
        "hostile manifests",
        "traversal, links, bombs, nesting, NaN, repeated keys, flipped bytes",
        480,
        48,
        hostile_manifests,
    ),
)
