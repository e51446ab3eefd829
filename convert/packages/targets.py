"""Which computers packages are made for: a Debian release, its Python, and a kind of processor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
RECIPES = ROOT / "firmware_cfg" / "packaging"
_GLIBC_MINORS = (36, 35, 34, 31, 28, 27, 26, 24, 17)
"""Of the wheels' platform tags; Debian 12 has glibc 2.36."""
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


class Release(NamedTuple):
    """A Debian release; ``python``: the only one it has."""

    suite: str
    number: int
    python: str


RELEASES = {one.suite: one for one in (Release("bookworm", 12, "3.11"), Release("trixie", 13, "3.13"))}


class Target(NamedTuple):
    """``architecture``: as Debian calls it."""

    release: Release
    architecture: str

    def __str__(self) -> str:
        return f"{self.release.suite}-{self.architecture}"

    @property
    def machine(self) -> str:
        return _MACHINES[self.architecture]

    @property
    def abi(self) -> str:
        return f"cp{self.release.python.replace('.', '')}"

    @property
    def platforms(self) -> list[str]:
        """Tags of wheels that run there, the newest first."""
        return [f"manylinux_2_{minor}_{self.machine}" for minor in _GLIBC_MINORS] + [f"manylinux2014_{self.machine}"]

    @property
    def markers(self) -> dict[str, str]:
        """What requirements ask of the computer (PEP 508)."""
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.release.python}.0",
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{self.release.python}.0",
            "python_version": self.release.python,
            "sys_platform": "linux",
            "extra": "",
        }


def all_targets() -> list[Target]:
    return [Target(release, architecture) for release in RELEASES.values() for architecture in _MACHINES]


def named(text: str) -> Target:
    """The target of that name. Raises ValueError that lists them."""
    found = {str(target): target for target in all_targets()}
    if text not in found:
        raise ValueError(f"{text}: no such target; there are {', '.join(found)}")
    return found[text]


def pins_of(target: Target) -> Mapping[str, str]:
    """The version of each package there, by its name: what ``constraints.txt`` pins."""
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pinned = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonical(one.name): str(one.specifier).removeprefix("==") for one in pinned if applies(one, target)}


def applies(wanted: Requirement, target: Target) -> bool:
    """Is it wanted on that computer?"""
    return wanted.marker is None or wanted.marker.evaluate(dict(target.markers))


def canonical(name: str) -> str:
    """A package's name as indexes compare it."""
    return name.strip().lower().replace("_", "-").replace(".", "-")
