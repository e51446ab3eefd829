"""``make deb`` and ``make apt-repo``."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from convert.packages.deb import EDGE, STATION, Package, lay_recipe, pack
from convert.packages.targets import ROOT, Target, all_targets, named, pins_of
from convert.packages.tree import lay_interpreter, lay_own, lay_wheels
from convert.packages.wheels import gathered, needed
from edge.core.errors import AxiError


def main(words: Sequence[str] | None = None) -> int:
    known = ", ".join(map(str, all_targets()))
    parser = argparse.ArgumentParser(prog="python -m convert.packages", description="Debian packages of axi-edge.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {known}; default: all of them")
    parser.add_argument("--out", type=Path, default=Path("build/deb"), help="default: build/deb")
    arguments = parser.parse_args(words)
    try:
        targets = [named(text) for text in arguments.targets] or all_targets()
    except ValueError as error:
        parser.error(str(error))
    try:
        for target in targets:
            for file in made(target, arguments.out):
                print(f"{file}  {file.stat().st_size / 1e6:.0f} MB", flush=True)
    except AxiError as error:
        print(f"packages: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def made(target: Target, out: Path, how: str = "xz") -> list[Path]:
    """Both packages for a target, packed ``how``. Raises ConfigError."""
    wheels, pins, epoch = out / "wheels" / str(target), pins_of(target), _epoch()
    device = gathered(target, needed(), pins, wheels)
    station = gathered(target, needed("station"), pins, wheels, without=device)
    files = []
    for package, brought in ((EDGE, device), (STATION, station)):
        root = out / "tree" / str(target) / package.name
        shutil.rmtree(root, ignore_errors=True)
        lay_wheels(root, target.release, brought.values())
        _lay(root, package, target, epoch)
        files.append(pack(root, package, target, out, epoch, how))
        shutil.rmtree(root)
    return files


def _lay(root: Path, package: Package, target: Target, epoch: int) -> None:
    if package is EDGE:
        lay_interpreter(root, target.release)
        lay_own(root, target.release)
    lay_recipe(root, package, target, epoch)


def _epoch() -> int:
    """The time that every file is given: that of the sources (SOURCE_DATE_EPOCH), or of their last commit."""
    told = os.environ.get("SOURCE_DATE_EPOCH")
    if told:
        return int(told)
    asked = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return int(done.stdout) if done.returncode == 0 and done.stdout.strip() else 0


if __name__ == "__main__":
    sys.exit(main())
