"""The model as it was handed over: read, scored, and thinned where its recipe asks for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.conversion.calibration import draw_stratified
from convert.conversion.ranks import RankTried, chosen_rank, try_ranks
from convert.conversion.recipe import Pixels, Recipe
from convert.conversion.runtimes import supported
from convert.conversion.task import Lots, Task, Tell
from convert.lots.lot import LabelledLot
from convert.lowering.graphs.handed import Handed
from convert.lowering.graphs.read import read_graph
from convert.lowering.layers import Network
from convert.lowering.lower import network_scores, require_equivalence
from convert.lowering.passes.factor import factor_layers
from convert.lowering.read import read_network
from convert.metrics.defects import Scores, auroc
from convert.networks.scoring import score, score_scaled
from edge.core.errors import ConfigError
from edge.judging.runtime import RuntimeInfo

_COMPARED = 16
"""Calibration joints that every lowering pass is compared on; the passes are fitted to them all."""
_BACKWARDS = 0.2
"""An AUROC that no network has by chance."""
_CLEARLY = 0.1
"""A difference in AUROC that two readings of one model's input have not by chance."""
_ONE_SCORE = 1e-7
"""Scores nearer to each other than this are one."""


@dataclass(frozen=True)
class Source:
    """The model as it was read, and what it says: the reference that all else is held to.

    ``calibration``: the joints drawn to calibrate on. ``keras``: Keras' scores of the evaluation lot, ``validation`` of
    the validation lot, ``calibrated`` of the calibration joints. ``before`` and ``exact``: what lowering must
    reproduce, on the compared calibration joints and on the evaluation lot. ``ranks``: those tried, where the recipe
    factorises. ``doubt``: of the grey values that the recipe says; '' for none.
    """

    runtimes: tuple[RuntimeInfo, ...]
    network: Network | Handed
    calibration: NDArray[np.uint8]
    calibrated: Scores
    keras: Scores
    validation: Scores | None
    before: Scores
    exact: Scores
    ranks: tuple[RankTried, ...] = ()
    doubt: str = ""


def read(recipe: Recipe, task: Task, model: Any, lots: Lots, tell: Tell) -> Source:
    """Read and score a Keras model, and try the recipe's ranks. Raises ConfigError, GateRefused."""
    runtimes = supported(recipe.quantisation.runtimes)
    network = _network(recipe, task, model)  # first: what is not known there cannot be scored rightly either
    if lots.evaluation.files.shape != network.input_shape:
        raise ConfigError(
            f"[source] model: takes patches {network.input_shape}, but those of {lots.evaluation.name} are "
            f"{lots.evaluation.files.shape}; correct [preprocess], or build the model so"
        )
    keras = score(model, lots.evaluation)
    drawn = draw_stratified(lots.calibration, recipe.calibration.joints, recipe.source.seed)
    calibration = lots.calibration.take(drawn)
    task.require_calibration(calibration, lots.calibration.name)
    before = score(model, calibration[:_COMPARED], plain=True)
    validation = None if lots.validation is None else score(model, lots.validation)
    doubt = ""
    if validation is not None and lots.validation is not None:
        doubt = doubted_pixels(model, recipe.source.pixels, validation, lots.validation)
        require_forwards(validation, lots.validation, doubt)
    ranks: tuple[RankTried, ...] = ()
    if recipe.factorisation.layers and lots.validation is not None and isinstance(network, Network):
        require_equivalence(before, network_scores(network, calibration[:_COMPARED]), "read")
        ranks = try_ranks(recipe, network, calibration, lots.validation, runtimes[0], tell)
    calibrated = score(model, calibration)
    require_varied(calibrated, doubt)
    return Source(runtimes, network, calibration, calibrated, keras, validation, before, keras, ranks, doubt)


def _network(recipe: Recipe, task: Task, model: Any) -> Network | Handed:
    """What is lowered. Raises ConfigError for what is not of the family that the recipe names."""
    named = recipe.source.network
    if isinstance(model, Handed):
        if recipe.factorisation.layers:
            raise ConfigError(f"[factorisation] layers: {model.name} is none of the papers' networks; remove it")
        if named:
            raise ConfigError(f"[source] network: the model is no {named}; leave it out")
        read_graph(model)
        return model
    network = read_network(model)
    if network.task != task.name or (named and network.sequential != (named == "cnn-lstm")):
        remedy = "name the family it is of" if named else 'say [source] network = "neurofuzzy"'
        raise ConfigError(f"[source] network: the model is no {named or 'network that finds defects'}; {remedy}")
    if recipe.source.classes not in {(), ("normal", "defect")} or recipe.source.pixels != "0..1":
        raise ConfigError(
            "[source] classes, pixels: the papers' networks have normal and defect, and 0..1; remove them"
        )
    return network


def doubted_pixels(model: Any, pixels: Pixels, scores: Scores, lot: LabelledLot) -> str:
    """Why the range of grey values that the recipe says is probably another than the model was trained on; or ''."""
    if not isinstance(model, Handed):
        return ""
    other: Pixels = "0..255" if pixels == "0..1" else "0..1"
    found = auroc(scores, lot.labels)
    otherwise = auroc(score_scaled(model, lot, 255.0 if other == "0..255" else 1 / 255), lot.labels)
    if not otherwise - found >= _CLEARLY:  # nor where one of them is no number
        return ""
    return (
        f"[source] pixels: taken for {pixels}, its scores of {lot.name} come to an AUROC of {found:.2f}, for {other} "
        f'to {otherwise:.2f}; if it was trained on those, say pixels = "{other}"'
    )


def require_forwards(scores: Scores, lot: LabelledLot, doubt: str = "") -> None:
    """Raises ConfigError where defects score low and normals high: its thresholds would release nothing. ``doubt``:
    what it may come of.
    """
    found = auroc(scores, lot.labels)
    if found < _BACKWARDS:
        raise ConfigError(
            doubt
            or f"[source] model: its scores of {lot.name} run the wrong way round (AUROC {found:.2f}): the second "
            "output must be the defect, or [source] classes must name the outputs in their order"
        )


def require_varied(scores: Scores, doubt: str = "") -> None:
    """Raises ConfigError where every joint gets the same score: nothing could be calibrated on it."""
    if float(np.ptp(scores)) <= _ONE_SCORE:
        raise ConfigError(doubt or f"[source] model: says {scores[0]:.3g} of every calibration joint; train it")


def thinned(recipe: Recipe, source: Source, lots: Lots, tell: Tell) -> Source:
    """The source with the rank that the budget allows, where ranks were tried. Raises GateRefused where it allows none.

    Factorising is not exact, so what lowering must reproduce is the thin network from here on.
    """
    network = source.network
    if not source.ranks or not isinstance(network, Network) or lots.validation is None or source.validation is None:
        return source
    ranks = chosen_rank(source.ranks, source.validation, lots.validation, recipe.factorisation.max_auroc_drop)
    rank = next(tried.rank for tried in ranks if tried.chosen and tried.rank)
    tell(f"rank {rank} keeps the budget on {lots.validation.name}")
    network = factor_layers(network, recipe.factorisation.layers, rank)
    before, exact = (
        network_scores(network, joints) for joints in (source.calibration[:_COMPARED], lots.evaluation.patches)
    )
    return replace(source, network=network, before=before, exact=exact, ranks=ranks)
