"""Is this device certified, as it is now?"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from edge import __version__
from edge.bundle.format import open_bundle
from edge.config import Settings, bundles_to_load
from edge.core.errors import ConfigError
from edge.core.payloads import ModelRef
from edge.core.qualification import Machine, Qualification
from edge.qualify.certificate import Shelf, unseal
from edge.qualify.machine import changed, runtime_of, this_machine

_REMEDY = "run axi-edge qualify"


class Served(NamedTuple):
    """A bundle that is to judge. ``created``: when it was built, as its card has it."""

    model: ModelRef
    created: str


class Standing(NamedTuple):
    """``text``: by which certificate, or why by none and what to do. ``time`` and ``digest`` of the certificate, where
    it can be read; ``bundles``: those that it certifies.
    """

    certified: bool
    text: str
    time: str = ""
    digest: str = ""
    bundles: tuple[ModelRef, ...] = ()


def shelf_of(settings: Settings) -> Shelf:
    return Shelf(Path(settings.journal.path).parent)


def served_by(settings: Settings) -> list[Served]:
    """What the configuration names now. Raises BundleRefused."""
    bundles = (open_bundle(Path(os.fsdecode(choice.bundle))) for choice in bundles_to_load(settings).choices)
    return [Served(bundle.reference, bundle.card.lineage.created) for bundle in bundles]


def standing(settings: Settings, served: Sequence[Served], machine: Machine | None = None) -> Standing:
    """By the certificate on this device's shelf, what it says of the bundles, the computer and the settings."""
    try:
        found = unseal(shelf_of(settings))
    except ConfigError as error:
        asked = isinstance(error.__cause__, PermissionError)
        remedy = "ask as the service's user, or as root" if asked else _REMEDY
        return Standing(certified=False, text=f"not certified: {error}; {remedy}")
    if found is None:
        return Standing(certified=False, text=f"not certified: never qualified; {_REMEDY}")
    said = found.qualification
    here = machine or this_machine(__version__)
    problem = changed(said.machine, here) or _not_of(said, settings, served, here)
    if problem:
        return Standing(
            certified=False,
            text=f"not certified since {said.time}: {problem}; {_REMEDY}",
            time=said.time,
            digest=found.digest,
        )
    chosen = said.chosen
    text = (
        f"certified {said.time}: {chosen.runtime}, {chosen.kernels} kernels, {said.sustained.joints_per_s:.0f} joints/s"
    )
    return Standing(certified=True, text=text, time=said.time, digest=found.digest, bundles=tuple(said.bundles))


def _not_of(said: Qualification, settings: Settings, served: Sequence[Served], here: Machine) -> str:
    """What the certificate does not hold for; empty where it holds."""
    if said.device != settings.device.name:
        return f"it is of {said.device}, and this is {settings.device.name}"
    digests = {bundle.digest for bundle in said.bundles}
    for model, created in served:
        if model.digest not in digests or _later(created, said.time):
            return f"the certificate is older than {model.name} {model.version}, or of another file of that name"
    using, chosen = (runtime_of(here, settings.inference.runtime), settings.inference.kernels), said.chosen
    if using != (chosen.runtime, chosen.kernels):
        return f"[inference] is {using[0]} with {using[1]} kernels, not {chosen.runtime} with {chosen.kernels}"
    return ""


def _later(created: str, time: str) -> bool:
    try:
        return datetime.fromisoformat(created) > datetime.fromisoformat(time)
    except (TypeError, ValueError):  # no date, or one without a zone
        return True
