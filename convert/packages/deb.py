"""One Debian package: its files, what dpkg is told of them, and ``dpkg-deb``."""

from __future__ import annotations

import hashlib
import os
from email.utils import formatdate
from pathlib import Path
from typing import NamedTuple

from convert.packages.programs import said
from convert.packages.targets import RECIPES, ROOT, Target
from convert.packages.tree import settle, write, write_packed
from edge import __version__

_SCRIPTS = ("preinst", "postinst", "prerm", "postrm")
_MAINTAINER = "axi-edge packages <packages@axi-edge.example>"


class Package(NamedTuple):
    """``name``: of the folder of its recipe; ``units``: what of ``systemd/`` it brings."""

    name: str
    units: tuple[str, ...]


_FOLLOW = ("axi-edge-follow.service", "axi-edge-follow.timer")
EDGE = Package("axi-edge", ("axi-edge.service", "axi-edge.sysusers.conf", "axi-edge.tmpfiles.conf", *_FOLLOW))
STATION = Package("axi-station", ("axi-station.service", "axi-station.sysusers.conf"))
_PLACES = {
    ".service": ("usr/lib/systemd/system", ".service"),
    ".timer": ("usr/lib/systemd/system", ".timer"),
    ".sysusers.conf": ("usr/lib/sysusers.d", ".conf"),
    ".tmpfiles.conf": ("usr/lib/tmpfiles.d", ".conf"),
}
"""By how a file in ``systemd/`` ends: where it goes, and how it ends there."""


def version_for(target: Target) -> str:
    """That of a newer Debian counts as newer, so that an upgrade of the system takes it."""
    return f"{__version__}+deb{target.release.number}"


def file_name(package: Package, target: Target) -> str:
    return f"{package.name}_{version_for(target)}_{target.architecture}.deb"


def lay_recipe(root: Path, package: Package, target: Target, epoch: int) -> None:
    """Units, accounts, documents, and what is told of the package."""
    for name in package.units:
        stem, dot, rest = name.partition(".")
        folder, ending = _PLACES[dot + rest]
        write(root / folder / f"{stem}{ending}", (ROOT / "systemd" / name).read_text("utf-8"))
    recipe = RECIPES / package.name
    documents = root / "usr/share/doc" / package.name
    write_packed(documents / "changelog.gz", _changelog(package, target, epoch))
    write(documents / "copyright", (RECIPES / "copyright").read_text("utf-8"))
    overrides = recipe / "lintian-overrides"
    if overrides.exists():
        write(root / "usr/share/lintian/overrides" / package.name, overrides.read_text("utf-8"))
    for script in _SCRIPTS:
        source = recipe / script
        if source.exists():
            write(root / "DEBIAN" / script, source.read_text("utf-8"), executable=True)


def _changelog(package: Package, target: Target, epoch: int) -> str:
    head = f"{package.name} ({version_for(target)}) {target.release.suite}; urgency=medium"
    return f"{head}\n\n  * What is new: the project's CHANGELOG.md.\n\n -- {_maintainer()}  {formatdate(epoch)}\n"


def _maintainer() -> str:
    name, address = os.environ.get("DEBFULLNAME"), os.environ.get("DEBEMAIL")
    return f"{name} <{address}>" if name and address else _MAINTAINER


def pack(root: Path, package: Package, target: Target, out: Path, epoch: int, how: str) -> Path:
    """The package's file; ``how`` it is packed: "xz", or "none", which is quick. Raises ConfigError where ``dpkg-deb``
    is missing or refuses.
    """
    told = root / "DEBIAN"
    files = [path for path in sorted(root.rglob("*")) if path.is_file() and told not in path.parents]
    write(
        told / "md5sums",
        "".join(f"{_md5(path)}  {path.relative_to(root)}\n" for path in files if not path.is_symlink()),
    )
    size = sum(-(-path.lstat().st_size // 1024) for path in files)
    write(told / "control", _control(package, target, size))
    settle(root, epoch)
    out.mkdir(parents=True, exist_ok=True)
    file = out / file_name(package, target)
    words = ["dpkg-deb", "--root-owner-group", f"-Z{how}", "-z0", "--build", str(root), str(file)]
    said(words, {"SOURCE_DATE_EPOCH": str(epoch)})
    return file


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()  # noqa: S324 - the format of dpkg


def _control(package: Package, target: Target, size: int) -> str:
    """The recipe's control file, with what depends on the target."""
    values = {
        "VERSION": version_for(target),
        "ARCHITECTURE": target.architecture,
        "SIZE": str(size),
        "PYTHON": target.release.python,
        "MAINTAINER": _maintainer(),
    }
    text = (RECIPES / package.name / "control").read_text("utf-8")
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    return text
