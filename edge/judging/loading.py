"""Bundles into a judge: opened, verified, loaded, replayed, and each given its joint types."""

from __future__ import annotations

import os
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

from edge.bundle.format import Bundle, open_bundle
from edge.bundle.signing import pinned_keys
from edge.core.decide import supported
from edge.core.errors import BundleRefused, ConfigError
from edge.core.payloads import ModelRef
from edge.core.qualification import Kernels
from edge.core.rules import Rule
from edge.judging.decider import Decider
from edge.judging.judge import Judge
from edge.judging.messages import Choice, Load
from edge.judging.ports import Each
from edge.judging.replay import replay
from edge.judging.runtime import RuntimeInfo, TfliteScorer, choose_runtime
from edge.judging.slices import read_slice

_RECORDED_ON = ("x86_64", "AMD64")
"""Kinds of processors on which bundles are built, by their names."""


class LoadedModel(NamedTuple):
    """A verified bundle, loaded and replayed on this device. ``scorer``: one of the decider's. ``rules``: by
    what its joints can earn release, the strictest first.
    """

    bundle: Bundle
    decider: Decider
    runtime: RuntimeInfo
    replayed: int
    scorer: TfliteScorer
    rules: tuple[Rule, ...]


def exact_as_recorded(bundle: Bundle) -> bool:
    """Do exact kernels give the recorded bits on this kind of processor? Elsewhere they round otherwise."""
    return not bundle.card.quantisation.bit_identical or platform.machine() in _RECORDED_ON


def _require_recorded_bits(kernels: Kernels, bundle: Bundle) -> None:
    """Raises ConfigError where exact kernels are asked for of a processor on which they round otherwise than on that
    where the bundle was recorded.
    """
    if kernels == "exact" and not exact_as_recorded(bundle):
        raise ConfigError(
            f"[inference] kernels: exact ones give the recorded bits on {_RECORDED_ON[0]} only, and this is "
            f"{platform.machine()}; set fast, or reference"
        )


def load_model(choice: Choice, load: Load) -> LoadedModel:
    """Open, verify, load and replay one bundle. Raises BundleRefused or ConfigError."""
    bundle = open_bundle(Path(os.fsdecode(choice.bundle)), pinned_keys(load.public_key_file))
    rule = bundle.card.rule(choice.operating_point or None)
    for joint_type in choice.joint_types:
        if not supported(joint_type, bundle.card.joint_types):
            known = ", ".join(bundle.card.joint_types)
            raise BundleRefused(
                f"{bundle.path}: judges {known}, but [model.routes.{joint_type}] names it; correct the route"
            )
    _require_recorded_bits(load.kernels, bundle)
    chosen = choose_runtime(load.runtime)
    card_rules = bundle.card.rules(choice.operating_point)
    # One thread a joint and several joints at once: no thread waits for another in the middle of a layer.
    scorers = [
        TfliteScorer(bundle.model_path, bundle.card.quantisation, chosen, threads=1, kernels=load.kernels)
        for _ in range(load.threads)
    ]
    replayed = min(replay(bundle, scorer) for scorer in scorers)
    return LoadedModel(
        bundle, Decider(bundle.card, rule, scorers, time.monotonic), chosen, replayed, scorers[0], card_rules
    )


class LoadedModels(NamedTuple):
    """Bundles, the main one first, and whoever judges with all of them. ``joint_types``: those each of them judges."""

    models: tuple[LoadedModel, ...]
    joint_types: tuple[tuple[str, ...], ...]
    judge: Judge

    @property
    def routes(self) -> tuple[tuple[str, ModelRef], ...]:
        """(joint type, bundle) of all but the main one."""
        beside = zip(self.models[1:], self.joint_types[1:], strict=True)
        return tuple((kind, model.bundle.reference) for model, kinds in beside for kind in kinds)


def load_models(load: Load) -> LoadedModels:
    """Every bundle, and a judge that gives each joint to the one of its type. Raises BundleRefused or ConfigError."""
    return together(load, tuple(load_model(choice, load) for choice in load.choices))


def together(load: Load, models: tuple[LoadedModel, ...]) -> LoadedModels:
    """Bundles that were loaded as ``load`` asks, under one judge. Raises BundleRefused where two take one type."""
    routed = {kind.casefold() for choice in load.choices for kind in choice.joint_types}
    served = tuple(
        choice.joint_types or tuple(kind for kind in model.bundle.card.joint_types if kind.casefold() not in routed)
        for choice, model in zip(load.choices, models, strict=True)
    )
    deciders: dict[str, Decider] = {}
    for model, kinds in zip(models, served, strict=True):
        for kind in kinds:
            if deciders.get(kind.casefold(), model.decider) is not model.decider:
                raise BundleRefused(f"{model.bundle.path}: joint type {kind} is another bundle's already; name one")
            deciders[kind.casefold()] = model.decider
    # A thread of its own for what is done one after another anyway took a twelfth of the time.
    each: Each = map if load.threads == 1 else ThreadPoolExecutor(load.threads, "judge").map
    read = partial(read_slice, unchecked=load.unchecked)
    return LoadedModels(models, served, Judge(deciders, read, time.monotonic, each, load.threads))
