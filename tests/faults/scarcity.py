"""Disks that are full or fail, and what else may run out."""

from __future__ import annotations

import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.faults.rig import Result, Trouble
from tests.faults.stage import EAGER, Stage, pause
from tests.support.locks import held_by_another


@contextmanager
def _small_disk(options: str) -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="axi-disk-"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "small", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)  # lazily: after a failure the device is still there
        place.rmdir()


def on_small_disk(
    options: str, break_it: Callable[[Path], Callable[[], None]], alarm: str, *, spool_only: bool = False
) -> Callable[[Stage], Result]:
    """``break_it`` spoils the disk and returns what mends it again."""

    def run(stage: Stage) -> Result:
        with _small_disk(options) as disk:
            rig = stage.rig(EAGER, spool=disk) if spool_only else stage.rig(EAGER, place=disk / "device")
            rig.start()
            for _ in stage.each_round():
                rig.submit(2)
                pause(stage.chance, 0.2)
                rig.reviewing.review()
                mend = break_it(disk)
                pause(stage.chance, 1.0)
                rig.reviewing.review()
                mend()
                rig.emptied("the line goes on by itself")
                rig.audited(drained=True)
            rig.device.signal(signal.SIGSTOP)  # or a quick device has no job left that the disk could keep from it
            rig.submit(2)
            mend = break_it(disk)
            rig.device.signal(signal.SIGCONT)
            rig.alarm(alarm)
            mend()
            rig.emptied("the line goes on by itself")
            if not rig.device.alive:
                raise Trouble(f"the device gave up: {rig.device.log[-2_000:]}")
            return rig.finish()

    return run


def fill(disk: Path) -> Callable[[], None]:
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as out:
        for size in (1_000_000, 4_096, 1):
            with suppress(OSError):
                while True:
                    out.write(bytes(size))
    return ballast.unlink


def use_up_inodes(disk: Path) -> Callable[[], None]:
    litter = disk / "litter"
    litter.mkdir()
    with suppress(OSError):
        for number in range(1_000_000):
            (litter / str(number)).touch()
    return lambda: shutil.rmtree(litter)


def read_only(disk: Path) -> Callable[[], None]:
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
        pause(stage.chance, 0.3)
        rig.device.kill()
        subprocess.run(["pkill", "-9", "-f", str(rig.device.config)], check=False)
        rig.until(lambda: not _running(rig.device.config), "the traced process ends")
        rig.audited()
    return rig.finish()


def _running(config: Path) -> bool:
    return subprocess.run(["pgrep", "-f", str(config)], check=False, capture_output=True).returncode == 0


def no_descriptors(stage: Stage) -> Result:
    """The daemon may open no further file for a while, then again."""
    rig = stage.rig()
    rig.start()
    for _ in stage.each_round():
        soft, hard = resource.prlimit(rig.device.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(rig.device.pid, resource.RLIMIT_NOFILE, (stage.chance.randrange(8, 24), hard))
        rig.submit(2)
        pause(stage.chance, 2.0)
        resource.prlimit(rig.device.pid, resource.RLIMIT_NOFILE, (soft, hard))
        rig.emptied("the line goes on by itself")
        rig.audited(drained=True)
    return rig.finish()


def no_memory(stage: Stage) -> Result:
    """One of the processes that judge gets hardly more address space than it has."""
    rig = stage.rig()
    rig.start()
    for _ in stage.each_round():
        rig.until(lambda: rig.device.workers, "a process that judges")
        worker = stage.chance.choice(rig.device.workers or [None])
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


def lock_journal(stage: Stage) -> Result:
    """Another program holds the journal's lock for longer than a commit waits before it asks who that is."""
    rig = stage.rig()
    rig.start()
    for _ in stage.each_round():
        rig.submit(2)
        pause(stage.chance, 0.3)
        with held_by_another(rig.journal):
            rig.submit(1)
            rig.reviewing.review()
            pause(stage.chance, 4.0)
        rig.emptied("the line goes on by itself")
        rig.audited(drained=True)
    with held_by_another(rig.journal):
        rig.submit(1)
        rig.alarm("journal_locked")
    return rig.finish()
