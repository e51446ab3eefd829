"""What is known to go wrong on some computers, looked for on this one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from edge.adapters.systemd import properties_of
from edge.commands.findings import Finding, Health

WHEELS = ("numpy", "cv2", "cryptography.x509", "msgspec", "paho.mqtt.client")
"""Modules with compiled parts, or without which nothing runs; the runtimes are loaded by a finding of their own."""
_USUAL_PAGE = 4096
_NPUS = ("dev/galcore", "usr/lib/libvx_delegate.so", "usr/lib/libethosu.so", "dev/ethosu0")
_CPUS = "sys/devices/system/cpu"


def traps(root: Path = Path("/"), load: Callable[[str], str] | None = None) -> Iterator[Finding]:
    """``root``: where /sys, /dev and /usr are looked for; ``load``: why a module cannot be imported, or ''."""
    yield _wheels(load or _loaded)
    if any((root / name).exists() for name in _NPUS):
        text = "there is one, and it is not used: its integers are not those that a build has proved"
        yield Finding("NPU", Health.OK, text)
    yield from _cores(root, service_cpus())


def _wheels(load: Callable[[str], str]) -> Finding:
    """Each in a process of its own: one built for other pages may kill it."""
    size = os.sysconf("SC_PAGE_SIZE")
    pages = f"pages of {size // 1024} KiB"
    for module in WHEELS:
        if problem := load(module):
            remedy = "install axi-edge anew"
            if size > _USUAL_PAGE:
                remedy = "start a kernel with pages of 4 KiB (Raspberry Pi: kernel=kernel8.img in config.txt)"
            return Finding("packages", Health.FAIL, f"{module} cannot be loaded, {pages}: {problem}; {remedy}")
    return Finding("packages", Health.OK, f"{len(WHEELS)} loaded, {pages}")


def _loaded(module: str) -> str:
    words = [sys.executable, "-c", f"import {module}"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except OSError as error:
        return str(error)
    if done.returncode < 0:
        return f"it dies of signal {-done.returncode}"
    last = done.stderr.strip().splitlines()[-1:] or ["it says nothing"]
    return last[0] if done.returncode else ""


def _cores(root: Path, mine: set[int]) -> Iterator[Finding]:
    """Where there are fast cores and slow ones, joints are for the fast."""
    fast, slow = kinds_of_cores(root)
    if not slow:
        return
    where = f"{ranges(fast)} are fast, {ranges(slow)} slow"
    if mine & slow:
        remedy = f"give axi-edge CPUAffinity={ranges(fast)} (axi-edge setup computer cores)"
        enough = f"[inference] processes x threads = {max(len(fast) - 1, 1)}"
        yield Finding("cores", Health.WARN, f"{where}: {remedy}, and {enough}")
    else:
        yield Finding("cores", Health.OK, f"{where}, which are not used")


def service_cpus() -> set[int]:
    """The processors that the service may use, which are not always those of whoever asks; all of this process's where
    no service manager says otherwise.
    """
    try:
        said = _numbers(properties_of("axi-edge.service", "CPUAffinity").get("CPUAffinity", "").replace(" ", ","))
    except ValueError:
        said = set()
    return said & set(range(os.cpu_count() or 1)) or os.sched_getaffinity(0)


def kinds_of_cores(root: Path) -> tuple[set[int], set[int]]:
    """(fast, slow) processors by number; slow is empty where all are of one kind. Linux says it of Intel's hybrids by
    two kinds of counters, and of Arm's by each core's capacity.
    """
    fast, slow = (_listed(root / f"sys/devices/{kind}/cpus") for kind in ("cpu_core", "cpu_atom"))
    if fast and slow:
        return fast, slow
    found = {int(path.parent.name[3:]): _number(path) for path in (root / _CPUS).glob("cpu[0-9]*/cpu_capacity")}
    top = max(found.values(), default=0)
    fast = {cpu for cpu, capacity in found.items() if capacity == top}
    return fast, found.keys() - fast


def _number(path: Path) -> int:
    return int(path.read_text().strip() or 0)


def _listed(path: Path) -> set[int]:
    return _numbers(path.read_text()) if path.exists() else set()


def _numbers(text: str) -> set[int]:
    """Of "0-3,8", for example."""
    pairs = (part.partition("-") for part in text.strip().split(",") if part)
    return {cpu for first, _, last in pairs for cpu in range(int(first), int(last or first) + 1)}


def ranges(cpus: Sequence[int] | set[int]) -> str:
    """The other way round."""
    words, left = list[str](), sorted(cpus)
    while left:
        first = last = left.pop(0)
        while left and left[0] == last + 1:
            last = left.pop(0)
        words.append(str(first) if first == last else f"{first}-{last}")
    return ",".join(words)
