"""The faults: each breaks something real, round after round, and lets the rig see what became of the joints."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

from tests.faults.brokers import no_writing, strict_broker, twin
from tests.faults.foreign import broken_exports, foreign_pictures
from tests.faults.jobs import damaged_images, hostile_manifests
from tests.faults.licences import under_fire
from tests.faults.processes import FAKETIME, bad_line, clock_steps, hang_judge, kill_broker, kill_daemon, kill_judge
from tests.faults.scarcity import (
    failing_fsync,
    fill,
    lock_journal,
    no_descriptors,
    no_memory,
    on_small_disk,
    read_only,
    use_up_inodes,
)
from tests.faults.stage import Fault


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
    Fault(
        "licences",
        "earned while daemon and broker are killed; then an older journal is put back",
        40,
        4,
        under_fire,
    ),
    Fault("broker blackholed", "connected, and nothing gets through", 8, 1, bad_line("blackhole")),
    Fault("broker slow", "40 kB/s", 8, 1, bad_line("slow")),
    Fault("broker resets", "every connection is cut", 8, 1, bad_line("reset")),
    Fault("broker refuses", "nobody listens", 8, 1, bad_line("refuse")),
    Fault("disk full", "not a byte left", 8, 1, on_small_disk("size=64m", fill, "disk_low"), _root("mount")),
    Fault(
        "no inodes",
        "not a file more",
        8,
        1,
        on_small_disk("size=64m,nr_inodes=4000", use_up_inodes, "disk_low"),
        _root("mount"),
    ),
    Fault(
        "spool read-only",
        "remounted, and back",
        8,
        1,
        on_small_disk("size=64m", read_only, "disk_blocked", spool_only=True),
        _root("mount"),
    ),
    Fault("fsync fails", "EIO, injected by strace", 12, 1, failing_fsync, _program("strace")),
    Fault("no descriptors", "RLIMIT_NOFILE of the daemon, for a while", 8, 1, no_descriptors),
    Fault("no memory", "RLIMIT_AS of the process that judges", 8, 1, no_memory),
    Fault(
        "clock set", "a day forward or back", 10, 2, clock_steps, lambda: "" if FAKETIME.exists() else "needs faketime"
    ),
    Fault("damaged images", "cut, flipped, spliced", 2_000, 60, damaged_images),
    Fault(
        "hostile manifests",
        "traversal, links, bombs, nesting, NaN, repeated keys, flipped bytes",
        480,
        48,
        hostile_manifests,
    ),
    Fault("broken exports", "result XML and tables cut, bent, zeroed, in other encodings", 800, 40, broken_exports),
    Fault(
        "foreign pictures",
        "to be turned, cut and ended, of several pages, of other depths",
        280,
        14,
        foreign_pictures,
    ),
    Fault(
        "broker of small packets",
        "takes status, and no verdict",
        12,
        1,
        strict_broker(lambda _: "max_packet_size 600\n", "messages_not_taken"),
    ),
    Fault(
        "broker without retain", "takes no retained message", 12, 1, strict_broker(lambda _: "retain_available false\n")
    ),
    Fault("broker with rules", "no right to write verdicts", 12, 1, strict_broker(no_writing)),
    Fault("twin", "another client under the device's id", 12, 1, twin),
    Fault("journal locked", "by another program, for a while", 12, 1, lock_journal),
)
