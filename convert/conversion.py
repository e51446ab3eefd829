"""From a trained model to a TFLite file that was read, run and scored: lower, quantise, compare."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from convert.build_report import Findings, RuntimeFigures
from convert.calibration import disagreement, draw_stratified, require_images
from convert.dataset import LabelledLot
from convert.flatfile import inventory, operations, problems, summary
from convert.head import fitted_head
from convert.layer_errors import layer_errors
from convert.lowering.lower import Lowered, lower_checked, program_scores, require_equivalence
from convert.lowering.passes.head import HEAD
from convert.metrics import Scores
from convert.parity import (
    Identity,
    Measured,
    identity,
    logits_apart,
    require_sense,
    run_everywhere,
    scores_of,
)
from convert.quantise import quantise
from convert.recipe import Recipe
from convert.runtimes import outputs_on, supported, thread_count
from convert.train import score
from edge.adapters.tflite import RuntimeInfo, TfliteScorer
from edge.core.card import Quantisation
from edge.core.errors import GateRefused

Say = Callable[[str], None]

_LEAST_REPLAY_TOLERANCE = 0.05
_FITTED, _COMPARED = 96, 16
"""Calibration joints that lowering passes are fitted to, and that every one is compared on."""
_TRACED = 8
"""Joints whose every intermediate result is compared."""


@dataclass(frozen=True)
class Lots:
    """What a recipe's three lots hold."""

    calibration: LabelledLot
    validation: LabelledLot
    evaluation: LabelledLot


@dataclass(frozen=True)
class Converted:
    """A TFLite file that was read and run, with both sides' scores.

    ``runtimes``: those it is for, the preferred first; ``elsewhere``: p_defect on the others.
    """

    model: bytes
    quantisation: Quantisation
    runtimes: tuple[RuntimeInfo, ...]
    validation: Measured
    evaluation: Measured
    elsewhere: dict[str, Scores]


def converted(recipe: Recipe, model: Any, lots: Lots, found: Findings, say: Say) -> Converted:
    """Lower, quantise in another process, read the file, run it on every runtime. Raises ConfigError, GateRefused."""
    runtimes = supported(recipe.quantisation.runtimes)
    keras_validation, keras_evaluation = score(model, lots.validation), score(model, lots.evaluation)
    calibration = lots.calibration.take(
        draw_stratified(lots.calibration, recipe.calibration.joints, recipe.source.seed)
    )
    require_images(calibration, lots.calibration.name)
    lowered = _lower(recipe, model, calibration, found, say)
    _require_exact(lowered, lots.evaluation, keras_evaluation, found, say)
    _compare_halves(recipe, lowered, calibration, found)
    tflite = _quantised(recipe, lowered, calibration, found, say)
    some = lots.evaluation.take(draw_stratified(lots.evaluation, recipe.evaluation.everywhere, recipe.source.seed))
    names = " and ".join(runtime.name for runtime in runtimes)
    say(f"running {len(some)} joints on {names}: fast and exact kernels, one and two threads")
    same = identity(runtimes, tflite, some, integer=recipe.quantisation.scheme == "int8")
    require_sense(same.exact)
    quantisation = _boundary(recipe, tflite, runtimes)
    if recipe.quantisation.scheme == "int8":
        raw = scores_of(outputs_on(runtimes[0], "fast", tflite, calibration, thread_count()), quantisation)
        quantisation = replace(quantisation, head=fitted_head(HEAD, raw, score(model, calibration)))
    quantisation = agreed(same, quantisation, recipe.quantisation.tolerance)
    found.quantisation = quantisation
    found.layers = layer_errors(lowered.program, runtimes[0], tflite, some[:_TRACED])
    say(f"scoring {len(lots.validation.rows)} and {len(lots.evaluation.rows)} joints on fast kernels")
    validation = outputs_on(runtimes[0], "fast", tflite, lots.validation.patches, thread_count())
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
    validation_side = Measured(lots.validation, keras_validation, scores_of(validation, quantisation))
    return Converted(tflite, quantisation, runtimes, validation_side, evaluation, scores)


def _lower(recipe: Recipe, model: Any, calibration: NDArray[np.uint8], found: Findings, say: Say) -> Lowered:
    """Every pass fitted to and checked on calibration joints: nothing is learnt from held-out ones."""
    say("lowering, every pass checked against the step before")
    keras = score(model, calibration[:_COMPARED], plain=True)
    lowered = lower_checked(model, keras, calibration[:_FITTED], recipe.lowering.passes)
    found.rewrites = lowered.rewrites
    return lowered


def _require_exact(lowered: Lowered, lot: LabelledLot, keras: Scores, found: Findings, say: Say) -> None:
    """Raises GateRefused when the lowered program and Keras differ on a single held-out joint."""
    found.lowering_difference = require_equivalence(keras, program_scores(lowered.program, lot.patches), "all together")
    say(f"lowered exactly: at most {found.lowering_difference:.1e} from Keras on {len(keras)} held-out joints")


def _compare_halves(recipe: Recipe, lowered: Lowered, calibration: NDArray[np.uint8], found: Findings) -> None:
    found.disagreement = disagreement(lowered.program, calibration)
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
    tflite = quantise(lowered.program, calibration, scheme, keep_float)
    contents = operations(tflite)
    found.operations, found.model_bytes = tuple(inventory(contents)), len(tflite)
    found.problems = tuple(problems(contents, scheme, keep_float))
    say(f"the file holds {summary(contents)}")
    if found.problems:
        more = f" (and {len(found.problems) - 1} more)" if len(found.problems) > 1 else ""
        raise GateRefused(f"no bundle written, the file is not a true {scheme} model: {found.problems[0]}{more}")
    return tflite


def _boundary(recipe: Recipe, tflite: bytes, runtimes: Sequence[RuntimeInfo]) -> Quantisation:
    scorer = TfliteScorer(tflite, None, runtimes[0], threads=1)
    asked = recipe.quantisation
    return Quantisation(
        scheme=asked.scheme,
        input=scorer.input_info,
        output=scorer.output_info,
        head=HEAD,
        float_layers=asked.keep_float,
        runtimes=tuple(f"{one.name} {one.version}" for one in runtimes),
    )


def agreed(same: Identity, quantisation: Quantisation, allowed: float) -> Quantisation:
    """Note how far runtimes differ. Raises GateRefused where exact kernels differ by more than ``allowed`` in a logit.

    When nothing is allowed they must give the very same integers, also where the logits come out equal.
    """
    apart = logits_apart(same.exact, same.others, quantisation)
    if same.differing and (not allowed or apart > allowed):
        raise GateRefused(
            f"no bundle written: exact kernels of {same.differing[0]} do not reproduce the first runtime (a logit is "
            f"{apart:.4f} off); where that can be borne, say so in [quantisation] tolerance and reason"
        )
    tolerance = max(_LEAST_REPLAY_TOLERANCE, 2 * max(apart, logits_apart(same.exact, same.fast, quantisation)))
    return replace(quantisation, bit_identical=not same.differing, replay_tolerance=tolerance)
