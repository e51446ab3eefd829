"""From a trained model to a TFLite file that was read, run and scored: lower, quantise, compare."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from convert.calibration import disagreement, draw_stratified, require_images
from convert.dataset import LabelledLot
from convert.findings import Findings, RuntimeFigures
from convert.flatfile import inventory, operations, problems, summary
from convert.head import fitted_head
from convert.layer_errors import layer_errors
from convert.lowering.layers import Network
from convert.lowering.lower import Lowered, lower_checked, network_scores, program_scores, require_equivalence
from convert.lowering.passes.factor import factor_layers
from convert.lowering.passes.head import HEAD
from convert.lowering.read import read_network
from convert.metrics import Scores
from convert.parity import (
    Identity,
    Measured,
    identity,
    readings_apart,
    require_sense,
    run_everywhere,
    scores_of,
)
from convert.quantise import quantise
from convert.rank_choice import chosen_rank, try_ranks
from convert.recipe import Recipe
from convert.runtimes import outputs_on, supported, thread_count
from convert.train import score
from edge.adapters.tflite import RuntimeInfo, TfliteScorer
from edge.core.card import Head, Quantisation, SugenoHead
from edge.core.errors import ConfigError, GateRefused

Say = Callable[[str], None]

_LEAST_REPLAY_TOLERANCE = {False: 0.05, True: 0.005}
"""In defect logits, and (True) in quality index."""
_COMPARED = 16
"""Calibration joints that every lowering pass is compared on; the passes are fitted to them all."""
_TRACED = 8
"""Joints whose every intermediate result is compared."""


@dataclass(frozen=True)
class Lots:
    """What a recipe's lots hold. ``validation``: none for a network that grades."""

    calibration: LabelledLot
    validation: LabelledLot | None
    evaluation: LabelledLot


@dataclass(frozen=True)
class Converted:
    """A TFLite file that was read and run, with both sides' scores.

    ``runtimes``: those it is for, the preferred first; ``elsewhere``: scores on the others.
    """

    model: bytes
    quantisation: Quantisation
    runtimes: tuple[RuntimeInfo, ...]
    validation: Measured | None
    evaluation: Measured
    elsewhere: dict[str, Scores]


def converted(recipe: Recipe, model: Any, lots: Lots, found: Findings, say: Say) -> Converted:
    """Lower, quantise in another process, read the file, run it on every runtime. Raises ConfigError, GateRefused."""
    runtimes = supported(recipe.quantisation.runtimes)
    exact = keras_evaluation = score(model, lots.evaluation)
    calibration = lots.calibration.take(
        draw_stratified(lots.calibration, recipe.calibration.joints, recipe.source.seed)
    )
    if not recipe.grades:
        require_images(calibration, lots.calibration.name)
    plain = score(model, calibration[:_COMPARED], plain=True)
    network = read_network(model)
    if network.grades != recipe.grades:
        raise ConfigError(f"[source] network: the model is no {recipe.source.network}; name the family it is of")
    found.network = network if network.grades else None
    keras_validation = None if lots.validation is None else score(model, lots.validation)
    if recipe.factorisation.layers and lots.validation is not None and keras_validation is not None:
        require_equivalence(plain, network_scores(network, calibration[:_COMPARED]), "read")
        found.ranks = try_ranks(recipe, network, calibration, lots.validation, runtimes[0], say)
        network = _factorised(recipe, network, keras_validation, lots.validation, found, say)
        plain, exact = (network_scores(network, one) for one in (calibration[:_COMPARED], lots.evaluation.patches))
    lowered = _lower(recipe, network, plain, calibration, found, say)
    _require_exact(lowered, lots.evaluation, exact, found, say)
    _compare_halves(recipe, lowered, calibration, found)
    tflite = _quantised(recipe, lowered, calibration, found, say)
    some = lots.evaluation.take(draw_stratified(lots.evaluation, recipe.evaluation.everywhere, recipe.source.seed))
    names = " and ".join(runtime.name for runtime in runtimes)
    say(f"running {len(some)} joints on {names}: fast and exact kernels, one and two threads")
    same = identity(runtimes, tflite, some, integer=recipe.quantisation.scheme == "int8")
    require_sense(same.exact)
    quantisation = _boundary(recipe, tflite, runtimes, lowered.program.head)
    if recipe.quantisation.scheme == "int8" and not recipe.grades:
        raw = scores_of(outputs_on(runtimes[0], "fast", tflite, calibration, thread_count()), quantisation)
        quantisation = replace(quantisation, head=fitted_head(HEAD, raw, score(model, calibration)))
    quantisation = agreed(same, quantisation, recipe.quantisation.tolerance)
    found.quantisation, found.reason = quantisation, recipe.quantisation.reason
    found.layers = layer_errors(lowered.banded, runtimes[0], tflite, some[:_TRACED])
    say(f"scoring {len(lots.evaluation.rows)} joints on fast kernels")
    runs = run_everywhere(runtimes, tflite, lots.evaluation.patches)
    found.runtimes = tuple(
        RuntimeFigures(
            f"{runtime.name} {runtime.version}",
            runs[runtime.name].median_ms,
            runs[runtime.name].peak_mb,
            runs[runtime.name].peak_mb - runs[runtime.name].idle_mb,
            runtime.name not in {*same.differing, *same.unsteady},
        )
        for runtime in runtimes
    )
    scores = {name: scores_of(run.outputs, quantisation) for name, run in runs.items()}
    evaluation = Measured(lots.evaluation, keras_evaluation, scores.pop(runtimes[0].name))
    found.evaluation = evaluation
    validation = None
    if lots.validation is not None and keras_validation is not None:
        say(f"scoring the {len(lots.validation.rows)} validation joints")
        raw = outputs_on(runtimes[0], "fast", tflite, lots.validation.patches, thread_count())
        validation = Measured(lots.validation, keras_validation, scores_of(raw, quantisation))
    return Converted(tflite, quantisation, runtimes, validation, evaluation, scores)


def _factorised(
    recipe: Recipe, network: Network, keras: Scores, validation: LabelledLot, found: Findings, say: Say
) -> Network:
    """The network with the rank that the budget allows. Raises GateRefused where it allows none."""
    found.ranks = chosen_rank(found.ranks, keras, validation, recipe.factorisation.max_auroc_drop)
    rank = next(one.rank for one in found.ranks if one.chosen and one.rank)
    say(f"rank {rank} keeps the budget on {validation.name}")
    return factor_layers(network, recipe.factorisation.layers, rank)


def _lower(
    recipe: Recipe, network: Network, before: Scores, calibration: NDArray[np.uint8], found: Findings, say: Say
) -> Lowered:
    """Every pass fitted to and checked on calibration joints: nothing is learnt from held-out ones."""
    say("lowering, every pass checked against the step before")
    lowered = lower_checked(network, before, calibration, recipe.lowering.passes, recipe.quantisation.bands)
    found.rewrites = lowered.rewrites
    return lowered


def _require_exact(lowered: Lowered, lot: LabelledLot, before: Scores, found: Findings, say: Say) -> None:
    """Raises GateRefused when the lowered program and what it was made from differ on a single held-out joint."""
    found.lowering_difference = require_equivalence(
        before, program_scores(lowered.program, lot.patches), "all together"
    )
    say(f"lowered exactly: at most {found.lowering_difference:.1e} from before on {len(before)} held-out joints")


def _compare_halves(recipe: Recipe, lowered: Lowered, calibration: NDArray[np.uint8], found: Findings) -> None:
    found.disagreement = disagreement(lowered.banded, calibration)
    name, worst = max(found.disagreement.items(), key=lambda item: item[1])
    if worst > recipe.calibration.max_disagreement:
        found.warnings.append(
            f"two halves of the calibration joints give {name} ranges that lie {worst:.2f} of the range apart, more "
            f"than {recipe.calibration.max_disagreement}; calibrate on more joints"
        )


def _quantised(recipe: Recipe, lowered: Lowered, calibration: NDArray[np.uint8], found: Findings, say: Say) -> bytes:
    """The file, read back and found to be what its scheme says. Raises GateRefused."""
    scheme, keep_float = recipe.quantisation.scheme, recipe.quantisation.keep_float
    say(f"quantising to {scheme}, in a process of its own")
    tflite = quantise(lowered.banded, calibration, scheme, keep_float)
    contents = operations(tflite)
    found.operations, found.model_bytes = tuple(inventory(contents)), len(tflite)
    found.problems = tuple(problems(contents, scheme, keep_float))
    say(f"the file holds {summary(contents)}")
    if found.problems:
        more = f" (and {len(found.problems) - 1} more)" if len(found.problems) > 1 else ""
        raise GateRefused(f"no bundle written, the file is not a true {scheme} model: {found.problems[0]}{more}")
    return tflite


def _boundary(recipe: Recipe, tflite: bytes, runtimes: Sequence[RuntimeInfo], head: Head) -> Quantisation:
    scorer = TfliteScorer(tflite, None, runtimes[0], threads=1)
    asked = recipe.quantisation
    return Quantisation(
        scheme=asked.scheme,
        input=scorer.input_info,
        output=scorer.output_info,
        head=head,
        float_layers=asked.keep_float,
        runtimes=tuple(f"{one.name} {one.version}" for one in runtimes),
    )


def agreed(same: Identity, quantisation: Quantisation, allowed: float) -> Quantisation:
    """Note how far runtimes differ. Raises GateRefused where readings of exact kernels are not within ``allowed``.

    When nothing is allowed they must give the very same integers, also where the logits come out equal.
    """
    apart = readings_apart(same.exact, same.others, quantisation)
    if same.differing and (not allowed or apart > allowed):
        raise GateRefused(
            f"no bundle written: exact kernels of {same.differing[0]} do not reproduce the first runtime (a reading is "
            f"{apart:.4f} off); where that can be borne, say so in [quantisation] tolerance and reason"
        )
    least = _LEAST_REPLAY_TOLERANCE[isinstance(quantisation.head, SugenoHead)]
    tolerance = max(least, 2 * max(apart, readings_apart(same.exact, same.fast, quantisation)))
    return replace(quantisation, bit_identical=not same.differing, replay_tolerance=tolerance)
