"""``axi-edge bundle activate --staged``: proved and qualified beside the daemon, then taken up, watched, and left again
by itself where it does badly.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from edge.adapters.host import utc_now
from edge.bundle.format import Bundle
from edge.commands.activation import alone, card_digest, placed, switch
from edge.commands.replaying import replay_reviewed
from edge.config import Settings
from edge.core.errors import ConfigError
from edge.qualify.certificate import seal
from edge.qualify.course import Pace, Tell, qualify
from edge.qualify.settings import wanted_by
from edge.qualify.standing import served_by, shelf_of, standing
from edge.upkeep.trial import LEAST_JOINTS, Trials

PACE = Pace(trials_s=40.0, arrangement_s=0.0, sustained_s=5.0)
"""Beside a daemon that judges: one thread, and no search for a better arrangement."""
Say = Callable[[str], None]


def activate_staged(settings: Settings, candidate: Path, joint_type: str, say: Say, *, force: bool) -> Bundle | None:
    """Verify, qualify, replay reviews, switch, and have the daemon watch it; None where it is active already. Raises
    what each of them raises; until the switch all is as it was.
    """
    with alone(settings) as trials:
        link = Path(settings.model.bundle_of(joint_type))
        if not link.exists():
            raise ConfigError(f"{link}: nothing is active yet; axi-edge bundle activate, without --staged, comes first")
        if card_digest(link) == card_digest(candidate):
            say(f"{candidate.name}: active already")
            return None
        if (other := trials.read(joint_type)) is not None:
            remedy = "wait until it is kept or left, or go back: axi-edge bundle rollback"
            raise ConfigError(f"{other.bundle} is on trial; {remedy}")
        bundle = placed(settings, joint_type, candidate, force=force)
        say(f"{bundle.path.name}: verified, golden joints reproduced")
        after = _as_if_active(settings, joint_type, bundle.path)
        _qualified(settings, after, bundle, say)
        for line in replay_reviewed(after, bundle):
            say(line)
        watch_s = settings.model.watch_s
        trials.begin(bundle.path.name, bundle.digest, joint_type, utc_now(), watch_s)
        try:
            switch(settings, joint_type, bundle)
        except BaseException:
            trials.end(joint_type)
            raise
    say(f"{bundle.path.name}: active, and watched for {watch_s:g} s and {LEAST_JOINTS} joints at least")
    return bundle


def was_left(settings: Settings, bundle: Path) -> bool:
    """Did it do badly in a trial here?"""
    return Trials(Path(settings.journal.path)).was_left(card_digest(bundle))


def _as_if_active(settings: Settings, joint_type: str, bundle: Path) -> Settings:
    model = settings.model
    if not joint_type:
        return replace(settings, model=replace(model, bundle=str(bundle)))
    routes = {**model.routes, joint_type: replace(model.routes[joint_type], bundle=str(bundle))}
    return replace(settings, model=replace(model, routes=routes))


def _qualified(before: Settings, after: Settings, bundle: Bundle, say: Say) -> None:
    """The certificate for what will judge, and for what does, so that going back is certified, too. A device that has
    none, and needs none, gets none; nor does a bundle that there is nothing to compare with, where none is needed.
    """
    known = standing(before, served_by(before))
    if not known.certified and not after.model.require_certificate:
        say("not qualified anew: this device is not certified, and need not be")
        return
    if bundle.parity is None and not after.model.require_certificate:
        say("not qualified anew: the bundle holds nothing to compare with; the device is no longer certified with it")
        return
    tell = Tell(step=say, proved=lambda _: None, rate=lambda _: None)
    found = qualify(after, wanted_by(after), tell, PACE, beside_daemon=True)
    also = [one for one in known.bundles if one not in found.bundles]
    seal(replace(found, bundles=[*found.bundles, *also]), shelf_of(before))
