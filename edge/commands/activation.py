"""``axi-edge bundle activate`` and ``rollback``: which bundle a link in the configuration points to.

``[model] bundle``, or a route's, is a link, beside the bundles themselves; ``<link>.previous`` points to the one
before. A bundle is verified and replayed before the link moves, and the link moves by one rename: there is always a
whole bundle behind it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec.structs import replace

from edge.bundle.format import CARD, Bundle, open_bundle
from edge.config import Settings, bundles_to_load
from edge.core.errors import BundleRefused, ConfigError
from edge.files import digest_bytes, move_durably, sync_folder
from edge.judging.loading import load_model
from edge.upkeep.trial import Trials


@contextmanager
def alone(settings: Settings) -> Iterator[Trials]:
    """Whoever moves links does that alone. Raises ConfigError where somebody else does so now."""
    journal = Path(settings.journal.path)
    try:
        journal.parent.mkdir(parents=True, exist_ok=True)
        with (trials := Trials(journal)).alone() as free:
            if not free:
                raise ConfigError("another activation, or going back, is under way; wait for it")
            yield trials
    except PermissionError as error:
        raise ConfigError(f"{error.filename}: {error.strerror}; run it as the service's user, or as root") from error


def activate(settings: Settings, candidate: Path, joint_type: str = "", *, force: bool = False) -> Bundle:
    """Verify, replay and copy a bundle beside the link, then point the link to it; the bundle as it lies there.

    ``joint_type``: the one whose route is meant; empty: ``[model] bundle``. Raises BundleRefused for a bundle that does
    not verify or replay, or is older than the active one of its name (unless ``force``); ConfigError when what is
    configured is not a link, or no such route is.
    """
    offered = placed(settings, joint_type, candidate, force=force)
    switch(settings, joint_type, offered)
    return offered


def switch(settings: Settings, joint_type: str, bundle: Bundle) -> None:
    """Point the link to a bundle that was ``placed``."""
    link = _link(settings, joint_type)
    if link.is_symlink() and link.resolve() != bundle.path.resolve():
        _point(previous_of(link), link.resolve())
    _point(link, bundle.path)


def placed(settings: Settings, joint_type: str, candidate: Path, *, force: bool) -> Bundle:
    """Verify and replay a bundle, and copy it beside the link; the link stays. Raises as ``activate``."""
    link = _link(settings, joint_type)
    offered = _proved(settings, joint_type, candidate)
    if link.exists():
        _refuse_downgrade(offered, open_bundle(link), force=force)
    target = link.parent / f"{offered.card.name}-{offered.card.version}"
    if target.resolve() == candidate.resolve():
        return offered._replace(path=target)
    _install(candidate, target, offered)
    return _proved(settings, joint_type, target)


def rollback(settings: Settings, joint_type: str = "") -> Bundle:
    """Point the link to the bundle before; the one it came from becomes the previous, so twice is back again.

    Raises BundleRefused when there is none, or it no longer verifies and replays.
    """
    link = _link(settings, joint_type)
    previous = previous_of(link)
    if not previous.is_symlink():
        raise BundleRefused(f"{previous}: missing, so there is no bundle to go back to; activate one")
    back = _proved(settings, joint_type, previous)
    was, now = link.resolve(), previous.resolve()
    _point(link, now)
    _point(previous, was)
    return back


def _proved(settings: Settings, joint_type: str, bundle: Path) -> Bundle:
    """The bundle, verified and replayed as the daemon would use it in every place that names this link."""
    load, link = bundles_to_load(settings), settings.model.bundle_of(joint_type)
    kinds = [kind for kind in ("", *settings.model.routes) if settings.model.bundle_of(kind) == link]
    places = [choice for choice in load.choices if "".join(choice.joint_types) in kinds]
    proved = [load_model(replace(place, bundle=os.fsencode(bundle)), load).bundle for place in places]
    return proved[0]


def _link(settings: Settings, joint_type: str) -> Path:
    link = Path(settings.model.bundle_of(joint_type))
    if link.exists() and not link.is_symlink():
        section = f"[model.routes.{joint_type}]" if joint_type else "[model]"
        raise ConfigError(f"{section} bundle: {link} is a folder; name a link, such as {link.parent / 'current'}")
    return link


def card_digest(bundle: Path) -> str:
    """By which a bundle is known, whatever else of it is damaged; '' where it has no card."""
    try:
        return digest_bytes((bundle / CARD).read_bytes())
    except OSError:
        return ""


def previous_of(link: Path) -> Path:
    """The link to the bundle before."""
    return link.with_name(f"{link.name}.previous")


def bundles_beside(links: Iterable[Path]) -> list[Path]:
    """Folders that lie where these links do, or that they point to, and look like bundles."""
    beside = {folder.resolve() for link in links for folder in [link, *link.parent.glob("[!.]*")]}
    return sorted(folder for folder in beside if (folder / "card.json").is_file())


def _refuse_downgrade(offered: Bundle, active: Bundle, *, force: bool) -> None:
    if offered.card.name != active.card.name or force:
        return
    if _ordered(offered.card.version) < _ordered(active.card.version):
        raise BundleRefused(
            f"{offered.path}: version {offered.card.version} is older than the active {active.card.version}; "
            "activate a newer one, or insist with --force"
        )


def _ordered(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _install(candidate: Path, target: Path, offered: Bundle) -> None:
    """Copy whole or not at all. A bundle of the same name and version must be the same bundle."""
    if target.exists():
        if open_bundle(target).digest != offered.digest:
            raise BundleRefused(f"{target}: another bundle of this name and version is there; raise the version")
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.tmp")
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.copytree(candidate, unfinished)
    if open_bundle(unfinished).digest != offered.digest:
        raise BundleRefused(f"{candidate}: changed while it was copied; activate it again")
    move_durably(unfinished, target)


def _point(link: Path, target: Path) -> None:
    """One rename: whoever follows the link finds the old bundle or the new one."""
    fresh = link.with_name(f".{link.name}.tmp")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target.name)
    fresh.replace(link)
    sync_folder(link.parent)
