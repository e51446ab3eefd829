"""``axi-edge bundle``: look at bundles, and choose the active one."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from edge.bundle.format import open_bundle
from edge.bundle.shipped import KEYS, WORD, bundle_folder
from edge.bundle.signing import pinned_keys
from edge.commands import Commands, add_config, measured
from edge.commands.activation import activate, alone, bundles_beside, card_digest, previous_of, rollback
from edge.commands.bundle_sources import add_fetching, taken_up
from edge.commands.replaying import replay_reviewed
from edge.commands.staged import activate_staged
from edge.config import DEFAULT_PATH, Settings, load_settings
from edge.core.card import encode_card
from edge.core.errors import AxiError
from edge.judging.loading import load_model
from edge.judging.messages import Choice, Load
from edge.upkeep.trial import Trials


def add_bundle(commands: Commands) -> None:
    bundle = commands.add_parser("bundle", help="look at bundles, and choose the active one")
    actions = bundle.add_subparsers(required=True, metavar="ACTION")
    show = actions.add_parser("show", help="print the model card")
    _add_folder(show)
    show.set_defaults(action=_show)
    verify = actions.add_parser("verify", help="check digests, signature and golden joints")
    _add_folder(verify)
    add_config(verify)
    verify.add_argument(
        "--public-key",
        default="",
        metavar="FILE",
        help="who may have signed it; default: [model] public_key_file of the configuration, where there is one",
    )
    verify.set_defaults(action=_verify)
    activate = actions.add_parser("activate", help="verify and replay a bundle, then point [model] bundle to it")
    add_config(activate)
    _add_type(activate)
    _add_folder(activate)
    activate.add_argument("--force", action="store_true", help="also a version older than the active one")
    activate.add_argument(
        "--staged",
        action="store_true",
        help="qualify it first; then the daemon takes it up, watches it, and may leave it",
    )
    activate.set_defaults(action=_activate)
    add_fetching(actions)
    listed = actions.add_parser("list", help="the bundles beside [model] bundle, and which of them is active")
    add_config(listed)
    listed.set_defaults(action=_list)
    key = actions.add_parser("key", help="print the public key that the bundle that ships was signed under")
    key.set_defaults(action=_key)
    rollback = actions.add_parser("rollback", help="point [model] bundle to the bundle before")
    add_config(rollback)
    _add_type(rollback)
    rollback.add_argument("--only-if", default="", metavar="NAME", help="only where that one is active")
    rollback.set_defaults(action=_rollback)


def _add_folder(command: argparse.ArgumentParser) -> None:
    command.add_argument("bundle", type=bundle_folder, help="a bundle's folder, or reference: the one that ships")


def _add_type(command: argparse.ArgumentParser) -> None:
    command.add_argument("--type", default="", metavar="JOINT_TYPE", help="the bundle of this joint type's route")


def _show(arguments: argparse.Namespace) -> int:
    print(encode_card(open_bundle(arguments.bundle).card).decode(), end="")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    """Those of each link in the configuration; one that is damaged is listed, too, and why."""
    settings = load_settings(arguments.config)
    model, trials = settings.model, Trials(Path(settings.journal.path)).all()
    links = {"": Path(model.bundle), **{kind: Path(route.bundle) for kind, route in model.routes.items()}}
    found = bundles_beside(links.values())
    if not found:
        print("no bundle is there yet; axi-edge bundle activate reference")
    for folder in found:
        watched = [f"(on trial until {one.until})" for one in trials if Path(one.bundle).name == folder.name]
        print(" ".join(word for word in (_about(folder), *_roles(folder, links), *watched) if word))
    return 0


def _about(folder: Path) -> str:
    try:
        card = open_bundle(folder).card
    except AxiError as error:
        return f"{folder.name}: refused: {error}"
    about = f"{card.name} {card.version} for {', '.join(card.joint_types)}, built {card.lineage.created}"
    return f"{about}, {measured(card.rule())}, {folder}"


def _roles(folder: Path, links: Mapping[str, Path]) -> Iterator[str]:
    for kind, link in links.items():
        whose = f" for {kind}" if kind else ""
        if link.resolve() == folder:
            yield f"(active{whose})"
        elif previous_of(link).resolve() == folder:
            yield f"(before{whose})"


def _key(_arguments: argparse.Namespace) -> int:
    print(KEYS.read_text("ascii"), end="")
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    key_file = _key_file(arguments)
    bundle = open_bundle(arguments.bundle, pinned_keys(key_file))
    choice = Choice(bundle=os.fsencode(arguments.bundle))
    model = load_model(choice, Load(choices=(choice,), public_key_file=key_file))
    named = f"{bundle.card.name}-{bundle.card.version}"
    if not bundle.signed:
        problem = "whoever altered it may have altered its digests, too: name who signed it with --public-key"
        print(f"{named}: signature NOT checked; {problem}")
        return 1
    print(f"{named}: digests good, signature good, {model.replayed} golden joints reproduced")
    return 0


def _key_file(arguments: argparse.Namespace) -> str:
    """Whom the flag names, else the configuration; for the bundle that ships, who signed that. '' for nobody."""
    if arguments.public_key:
        return str(arguments.public_key)
    if arguments.config != DEFAULT_PATH or DEFAULT_PATH.exists():
        found = load_settings(arguments.config).model.public_key_file
        if found:
            return found
    return str(KEYS) if arguments.bundle == bundle_folder(WORD) else ""


def _activate(arguments: argparse.Namespace) -> int:
    settings = load_settings(arguments.config)
    offered = _beside(settings, arguments.bundle, arguments.type)
    if arguments.staged:
        if activate_staged(settings, offered, arguments.type, print, force=arguments.force):
            taken_up(settings)
        return 0
    with alone(settings) as trials:
        bundle = activate(settings, offered, arguments.type, force=arguments.force)
        trials.end(arguments.type)
        trials.forgive(bundle.digest)
    for line in replay_reviewed(settings, bundle):
        print(line)
    print(f"{bundle.card.name} {bundle.card.version} is active; to judge with it: systemctl reload axi-edge")
    return 0


def _beside(settings: Settings, bundle: Path, joint_type: str) -> Path:
    """A name alone may be that of a folder beside the active bundle, as ``bundle list`` has them."""
    there = Path(settings.model.bundle_of(joint_type)).parent / bundle
    return there if not bundle.exists() and bundle.name == str(bundle) and there.is_dir() else bundle


def _rollback(arguments: argparse.Namespace) -> int:
    settings = load_settings(arguments.config)
    with alone(settings) as trials:
        link = Path(settings.model.bundle_of(arguments.type))
        was = link.resolve()
        if arguments.only_if and was.name != arguments.only_if:
            print(f"{arguments.only_if} is not active, {was.name} is: nothing was done")
            return 0
        left = card_digest(was)
        bundle = rollback(settings, arguments.type)
        trials.end(arguments.type)
        trials.leave(left)
        trials.forgive(bundle.digest)
    print(f"{bundle.card.name} {bundle.card.version} is active again; to judge with it: systemctl reload axi-edge")
    print(f"once more goes forward again, to {was.name}")
    return 0
