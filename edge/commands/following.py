"""A file of wanted bundles for many devices: each takes what is meant for it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from edge.adapters.download import source_of
from edge.core.errors import ConfigError
from edge.toml import parse_toml

_LARGEST = 1 << 20
Name = Annotated[str, Meta(min_length=1, max_length=256)]


class Wanted(Struct, frozen=True, kw_only=True):
    """``bundle``: address or folder of the main one; ``routes``: of the joint types that have one of their own."""

    bundle: str = ""
    routes: dict[Name, str] = {}


class Manifest(Struct, frozen=True, kw_only=True):
    """What ``all`` devices are to have, and what each is to have besides, or instead."""

    all: Wanted = Wanted()
    devices: dict[Name, Wanted] = {}


def wanted_of(manifest: str, ca_file: str, device: str) -> dict[str, str]:
    """Where the wanted bundles are, by joint type, the main one under ''. Raises ConfigError or BundleRefused.

    A relative address or folder is beside the manifest.
    """
    if "://" not in manifest and not Path(manifest).is_file():
        problem = "a folder" if Path(manifest).is_dir() else "no such file"
        raise ConfigError(f"{manifest}: {problem}; name the file of wanted bundles, such as wanted.toml")
    base, slash, name = manifest.rpartition("/")
    base = base or slash or "."
    told = parse_toml(source_of(base, ca_file).small(name, _LARGEST), Manifest, manifest)
    own = told.devices.get(device, Wanted())
    found = {"": own.bundle or told.all.bundle, **told.all.routes, **own.routes}
    return {kind: _beside(base, where) for kind, where in found.items() if where}


def _beside(base: str, where: str) -> str:
    return where if "://" in where or where.startswith("/") else f"{base}/{where}"
