"""Which computer this is, and what it computes with: what a certificate holds for, and no other."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
from collections.abc import Iterator
from pathlib import Path

from edge.core.qualification import Machine
from edge.files import digest_bytes
from edge.judging.ports import DISTRIBUTIONS

_ID = ("etc/machine-id", "var/lib/dbus/machine-id")
_SALT = b"axi-qualification/1\n"
_COMPUTING = (*DISTRIBUTIONS.values(), "numpy", "opencv-python-headless")
"""What scores come out of. The axi-edge version is no part of it: golden joints hold each to the same patches."""


def runtime_of(machine: Machine, choice: str) -> str:
    """What ``choice`` stands for there, as ``choose_runtime`` has it."""
    there = [name for name, package in DISTRIBUTIONS.items() if package in machine.packages]
    return choice if choice != "auto" else next(iter(there), "none")


def this_machine(version: str, root: Path = Path("/")) -> Machine:
    """``version``: of axi-edge; ``root``: where /etc and /proc are looked for."""
    return Machine(
        id=_id(root),
        processor=_processor(root),
        architecture=platform.machine(),
        cores=os.cpu_count() or 1,
        os=_os(root),
        kernel=platform.release(),
        python=platform.python_version(),
        version=version,
        packages=dict(_packages()),
    )


def changed(then: Machine, now: Machine) -> str:
    """What is no longer as it was, in words; empty where a certificate of ``then`` still holds."""
    if not now.id:
        return "this computer has no /etc/machine-id to be known by; make one with systemd-machine-id-setup"
    if then.id != now.id:
        return "it is of another device"
    if (then.processor, then.architecture, then.cores) != (now.processor, now.architecture, now.cores):
        return f"the processor was {then.processor} ({then.cores} cores), and is {now.processor} ({now.cores} cores)"
    for name in sorted(then.packages.keys() | now.packages.keys()):
        was, found = (where.packages.get(name, "not there") for where in (then, now))
        if was != found:
            return f"{name} was {was}, and is {found}"
    return ""


def _id(root: Path) -> str:
    for name in _ID:
        text = _text(root / name).strip()
        if text:
            return digest_bytes(_SALT + text.encode())
    return ""


def _processor(root: Path) -> str:
    """Its name; on Arm, which has none, that of the board and the number of the cores' design."""
    said = _text(root / "proc/cpuinfo")
    if found := re.search(r"^model name\s*:\s*(.+)$", said, re.MULTILINE):
        return found[1].strip()
    board = _text(root / "proc/device-tree/model").strip("\0 \n")
    parts = sorted(set(re.findall(r"^CPU part\s*:\s*(\S+)$", said, re.MULTILINE)))
    return " ".join([board or platform.machine(), *parts])


def _os(root: Path) -> str:
    found = re.search(r'^PRETTY_NAME="?([^"\n]+)', _text(root / "etc/os-release"), re.MULTILINE)
    return found[1] if found else platform.system()


def _packages() -> Iterator[tuple[str, str]]:
    for name in _COMPUTING:
        try:
            yield name, importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
