"""The wheels that a target needs, and no more: what ``pyproject.toml`` asks for, and what that asks for in turn."""

from __future__ import annotations

import email.parser
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from packaging.requirements import Requirement

from convert.packages.targets import ROOT, Target, applies, canonical
from edge.core.errors import ConfigError


def needed(extra: str = "") -> list[Requirement]:
    """What the device carries; of an extra what that adds."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lines = project["optional-dependencies"][extra] if extra else project["dependencies"]
    return [Requirement(line) for line in lines]


def gathered(
    target: Target, wanted: Iterable[Requirement], pins: Mapping[str, str], folder: Path, without: Iterable[str] = ()
) -> dict[str, Path]:
    """Wheels by package name, in ``folder``; ``without``: packages that are there already. Raises ConfigError where one
    has no pin, or no wheel of it fits.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, Path] = {}
    open_, known = [one for one in wanted if applies(one, target)], set(without)
    while open_:
        names = sorted({canonical(one.name) for one in open_} - set(found) - known)
        fresh = _fetched(target, names, pins, folder)
        found |= fresh
        open_ = [one for wheel in fresh.values() for one in _asked_by(wheel, target)]
    return found


def _asked_by(wheel: Path, target: Target) -> list[Requirement]:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (one for one in archive.namelist() if one.endswith(".dist-info/METADATA") and one.count("/") == 1)
        metadata = email.parser.Parser().parsestr(archive.read(name).decode("utf-8"))
    asked = [Requirement(line) for line in metadata.get_all("Requires-Dist", [])]
    return [one for one in asked if applies(one, target)]


def _fetched(target: Target, names: list[str], pins: Mapping[str, str], folder: Path) -> dict[str, Path]:
    """Those of them that were not fetched before, by one call of pip."""
    unpinned = [name for name in names if name not in pins]
    if unpinned:
        raise ConfigError(f"constraints.txt: {', '.join(unpinned)}: no version for {target}; pin one")
    missing = [f"{name}=={pins[name]}" for name in names if not _present(folder, name, pins[name])]
    if missing:
        words = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        words += ["--only-binary=:all:", "--implementation=cp", f"--python-version={target.release.python}"]
        words += [f"--abi={target.abi}", "--abi=abi3", "--abi=none"]
        words += [f"--platform={one}" for one in target.platforms]
        done = subprocess.run([*words, "--dest", folder, *missing], capture_output=True, text=True, check=False)
        if done.returncode:
            raise ConfigError(f"{target}: {', '.join(missing)}: pip found no wheels: {_last_error(done.stderr)}")
    wheels = {name: _present(folder, name, pins[name]) for name in names}
    return {name: wheel for name, wheel in wheels.items() if wheel}


def _present(folder: Path, name: str, version: str) -> Path | None:
    for wheel in sorted(folder.glob("*.whl")):
        its_name, its_version, *_ = wheel.name.split("-")
        if canonical(its_name) == name and its_version == version:
            return wheel
    return None


def _last_error(said: str) -> str:
    errors = [line for line in said.splitlines() if line.startswith("ERROR")]
    return (errors or said.splitlines() or ["it said nothing"])[-1]
