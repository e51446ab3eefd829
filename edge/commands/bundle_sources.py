"""``axi-edge bundle fetch`` and ``follow``: bundles from elsewhere."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from edge.adapters.download import source_of
from edge.commands import Commands, add_config
from edge.commands.fetching import fetch, keys_of
from edge.commands.following import wanted_of
from edge.commands.running import daemon_runs
from edge.commands.staged import activate_staged, was_left
from edge.config import Settings, load_settings
from edge.core.errors import AxiError, ConfigError, UsageError
from edge.daemon.staged import UNPROVED


def add_fetching(actions: Commands) -> None:
    fetched = actions.add_parser("fetch", help="a bundle from a web server or another folder, to beside the active one")
    fetched.add_argument("source", help="https:// address of a bundle's folder, or the folder")
    fetched.add_argument("--ca-file", default="", help="PEM of the authority of the server's certificate")
    add_config(fetched)
    fetched.set_defaults(action=_fetch)
    followed = actions.add_parser(
        "follow", help="fetch and activate, in stages, what a file of wanted bundles has for this device"
    )
    followed.add_argument("source", nargs="?", default="", help="https:// address or path; default: [model] follow")
    followed.add_argument("--ca-file", default="", help="default: [model] follow_ca_file")
    add_config(followed)
    followed.set_defaults(action=_follow)


def _fetch(arguments: argparse.Namespace) -> int:
    settings = load_settings(arguments.config)
    _fetched(settings, arguments.source, arguments.ca_file, "")
    return 0


def _fetched(settings: Settings, source: str, ca_file: str, joint_type: str) -> Path:
    beside, keys = Path(settings.model.bundle_of(joint_type)).parent, keys_of(settings)
    found = fetch(source_of(source, ca_file), beside, keys, _show if sys.stderr.isatty() else _silent)
    print(f"{found.path}: {'fetched, signature good' if found.fresh else 'here already'}")
    return found.path


def _follow(arguments: argparse.Namespace) -> int:
    settings = load_settings(arguments.config)
    manifest = arguments.source or settings.model.follow
    if not manifest:
        raise UsageError("SOURCE: missing; name the file of wanted bundles, or set [model] follow")
    ca_file = arguments.ca_file or settings.model.follow_ca_file
    if settings.release.policy == "card":
        raise ConfigError(UNPROVED)
    failed, wanted = False, wanted_of(manifest, ca_file, settings.device.name)
    if not wanted:
        name = settings.device.name
        print(f"{manifest}: wants no bundle for {name}; name one below [devices.{name}], or [all]", file=sys.stderr)
        return 1
    for kind, source in wanted.items():
        try:
            _follow_one(settings, kind, source, ca_file)
        except AxiError as error:  # of one kind of joints: the others are not kept from theirs
            print(f"axi-edge: {f'{kind}: ' if kind else ''}{error}", file=sys.stderr)
            failed = True
    return int(failed)


def _follow_one(settings: Settings, kind: str, source: str, ca_file: str) -> None:
    link = Path(settings.model.bundle_of(kind))
    path = _fetched(settings, source, ca_file, kind)
    if link.exists() and link.resolve() == path.resolve():
        return
    if was_left(settings, path):
        print(f"{path.name}: left before, and not tried again: raise its version, or activate it by hand")
    elif activate_staged(settings, path, kind, print, force=False):
        taken_up(settings)


def taken_up(settings: Settings) -> None:
    """Who takes it up, and when."""
    print(
        "the daemon takes it up by itself"
        if daemon_runs(Path(settings.journal.path))
        else "axi-edge judges with it from its next start on"
    )


def _show(name: str, size: int) -> None:
    print(f"\r  {name} {size / 1e6:.1f} MB", end="\r", file=sys.stderr, flush=True)


def _silent(_name: str, _size: int) -> None:
    pass
