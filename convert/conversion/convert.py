"""From a source to a TFLite file that was read, run and scored, in steps: lower, quantise, measure.

Each step returns what it found and leaves judging it to a ``require_...`` beside it, so that a report can show what was
found also when it is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from convert.conversion.calibration import disagreement, draw_stratified
from convert.conversion.flatfile import Operation, operations, problems, summary
from convert.conversion.layer_errors import LayerError, layer_errors
from convert.conversion.parity import (
    Identity,
    Measured,
    RuntimeFigures,
    device_scores,
    identity,
    readings_apart,
    require_sense,
    run_everywhere,
    scores_of,
)
from convert.conversion.quantise import quantised_file
from convert.conversion.recipe import Recipe
from convert.conversion.runtimes import Run
from convert.conversion.source import Source
from convert.conversion.task import Lots, Scored, Task, Tell
from convert.lots.lot import LabelledLot
from convert.lowering.features import with_features
from convert.lowering.lower import (
    Lowered,
    largest_difference,
    lower_checked,
    program_scores,
    require_within,
)
from convert.metrics.defects import Scores
from edge.core.card import Quantisation
from edge.core.errors import GateRefused
from edge.judging.runtime import RuntimeInfo, TfliteScorer

_LEVELS, _MOST_LEVELS = 4, 32
"""Steps of 255 that features of golden joints may be off anyway, and how far those of exact kernels may be between
runtimes: a familiarity learnt with the one would mean nothing on the other.
"""
_TRACED = 8
"""Joints whose every intermediate result is compared."""


@dataclass(frozen=True)
class Lowering:
    """The lowered program. ``difference``: the largest of a score from before, on the whole evaluation lot.

    ``disagreement``: how far the ranges of two halves of the calibration joints lie apart, by operation.
    """

    lowered: Lowered
    difference: float
    disagreement: dict[str, float]
    warnings: tuple[str, ...]


def lower(recipe: Recipe, source: Source, lots: Lots, tell: Tell) -> Lowering:
    """Every pass fitted to and checked on calibration joints: nothing is learnt from held-out ones."""
    tell("lowering, every pass checked against the step before")
    asked = recipe.lowering.passes
    lowered = lower_checked(source.network, source.before, source.calibration, asked, recipe.quantisation.bands)
    lowered = lowered._replace(banded=with_features(lowered.banded, source.calibration))
    difference = largest_difference(source.exact, program_scores(lowered.program, lots.evaluation.patches))
    apart = disagreement(lowered.banded, source.calibration)
    return Lowering(lowered, difference, apart, tuple(_warnings(recipe, apart)))


def _warnings(recipe: Recipe, apart: dict[str, float]) -> Iterator[str]:
    name, worst = max(apart.items(), key=lambda item: item[1])
    if worst > recipe.calibration.max_disagreement:
        yield (
            f"two halves of the calibration joints give {name} ranges that lie {worst:.2f} of the range apart, more "
            f"than {recipe.calibration.max_disagreement}; calibrate on more joints"
        )


def require_exact(lowering: Lowering, joints: int, tell: Tell) -> None:
    """Raises GateRefused when the lowered program and what it was made from differ on a single held-out joint."""
    require_within(lowering.difference, "all together", lowering.lowered.tolerance)
    tell(f"lowered exactly: at most {lowering.difference:.1e} from before on {joints} held-out joints")


@dataclass(frozen=True)
class Quantised:
    """The file, and what was read back from it. ``problems``: why it is not what its scheme says."""

    model: bytes
    operations: tuple[Operation, ...]
    problems: tuple[str, ...]


def quantise(recipe: Recipe, source: Source, lowering: Lowering, tell: Tell) -> Quantised:
    """Convert in a process of its own, and read the file. Raises ConfigError with the converter's last words."""
    scheme, keep_float = recipe.quantisation.scheme, recipe.quantisation.keep_float
    tell(f"quantising to {scheme}, in a process of its own")
    model = quantised_file(lowering.lowered.banded, source.calibration, scheme, keep_float)
    contents = operations(model)
    tell(f"the file holds {summary(contents)}")
    return Quantised(model, tuple(contents), tuple(problems(contents, scheme, keep_float)))


def require_true(quantised: Quantised, scheme: str) -> None:
    """Raises GateRefused for a file that is not what its scheme says."""
    found = quantised.problems
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise GateRefused(f"no bundle written, the file is not a true {scheme} model: {found[0]}{more}")


@dataclass(frozen=True)
class Measurement:
    """What running the file showed. ``layers``: where in the network conversion costs most. ``features``: raw ones of
    the evaluation lot (n, features), where the file gives any.
    """

    quantisation: Quantisation
    runtimes: tuple[RuntimeFigures, ...]
    layers: tuple[LayerError, ...]
    scored: Scored
    features: NDArray[Any] | None = None


def measure(
    recipe: Recipe, task: Task, source: Source, lowering: Lowering, quantised: Quantised, lots: Lots, tell: Tell
) -> Measurement:
    """Run the file on every runtime and score the lots with it. Raises GateRefused where runtimes disagree."""
    runtimes, model = source.runtimes, quantised.model
    some = lots.evaluation.take(draw_stratified(lots.evaluation, recipe.evaluation.everywhere, recipe.source.seed))
    names = " and ".join(runtime.name for runtime in runtimes)
    tell(f"running {len(some)} joints on {names}: fast and exact kernels, one and two threads")
    same = identity(runtimes, model, some, integer=recipe.quantisation.scheme == "int8")
    require_sense(same.exact)
    quantisation = _boundary(recipe, task, source, model, lowering.lowered)
    quantisation = agreed(same, quantisation, recipe.quantisation.tolerance, task.least_replay_tolerance)
    layers = layer_errors(lowering.lowered.banded, runtimes[0], model, some[:_TRACED])
    tell(f"scoring {len(lots.evaluation.rows)} joints on fast kernels")
    runs = run_everywhere(runtimes, model, lots.evaluation.patches)
    scores = {name: scores_of(run.outputs, quantisation) for name, run in runs.items()}
    preferred = scores.pop(runtimes[0].name)

    def scores_on(lot: LabelledLot) -> Scores:
        return device_scores(runtimes[0], model, lot.patches, quantisation)

    validation = None
    if lots.validation is not None and source.validation is not None:
        tell(f"scoring the {len(lots.validation.rows)} validation joints")
        validation = Measured(lots.validation, source.validation, scores_on(lots.validation))
    learning = scores_on(lots.calibration) if task.learns else None
    scored = Scored(learning, validation, Measured(lots.evaluation, source.keras, preferred), scores)
    seen = runs[runtimes[0].name].features
    return Measurement(quantisation, tuple(_figures(runtimes, runs, same)), layers, scored, seen)


def _boundary(recipe: Recipe, task: Task, source: Source, model: bytes, lowered: Lowered) -> Quantisation:
    """What the device must know of the file, its score scale fitted where int8 shifted it."""
    runtimes, asked = source.runtimes, recipe.quantisation
    scorer = TfliteScorer(model, None, runtimes[0], threads=1)
    quantisation = Quantisation(
        scheme=asked.scheme,
        input=scorer.input_info,
        output=scorer.output_info,
        features=scorer.features_info,
        head=lowered.program.head,
        float_layers=asked.keep_float,
        runtimes=tuple(f"{runtime.name} {runtime.version}" for runtime in runtimes),
    )
    if asked.scheme != "int8":
        return quantisation
    raw = device_scores(runtimes[0], model, source.calibration, quantisation)
    head = task.fitted_head(quantisation.head, raw, source.calibrated)
    return msgspec.structs.replace(quantisation, head=head)


def agreed(same: Identity, quantisation: Quantisation, allowed: float, least_tolerance: float) -> Quantisation:
    """Note how far runtimes differ. Raises GateRefused where readings of exact kernels are not within ``allowed``.

    When nothing is allowed they must give the very same integers, also where the logits come out equal.
    """
    apart = readings_apart(same.exact, same.others, quantisation)
    if same.differing and (not allowed or apart > allowed):
        raise GateRefused(
            f"no bundle written: exact kernels of {same.differing[0]} do not reproduce the first runtime (a reading is "
            f"{apart:.4f} off); where that can be borne, say so in [quantisation] tolerance and reason"
        )
    tolerance = max(least_tolerance, 2 * max(apart, readings_apart(same.exact, same.fast, quantisation)))
    return msgspec.structs.replace(
        quantisation,
        bit_identical=not same.differing,
        replay_tolerance=tolerance,
        features_tolerance=_features_tolerance(same, borne=bool(allowed)),
    )


def _features_tolerance(same: Identity, *, borne: bool) -> float:
    """Twice what was seen, and at least a few levels, or as much of a float. Raises GateRefused where it is much."""
    if same.features is None:
        return 0.0
    level = 1.0 if same.features.dtype != np.float32 else float(np.abs(same.features).max()) / 255
    if not (borne or same.exact_features_apart <= _MOST_LEVELS * level):
        raise GateRefused(
            f"no bundle written: features of one runtime are up to {same.exact_features_apart:.3g} from another's, of "
            f"{255 * level:.3g} in all; name the runtimes that you need in [quantisation] runtimes"
        )
    return max(_LEVELS * level, 2 * same.features_apart)


def _figures(runtimes: Sequence[RuntimeInfo], runs: dict[str, Run], same: Identity) -> list[RuntimeFigures]:
    found = []
    for runtime in runtimes:
        run = runs[runtime.name]
        identical = runtime.name not in {*same.differing, *same.unsteady}
        name = f"{runtime.name} {runtime.version}"
        found.append(RuntimeFigures(name, run.median_ms, run.peak_mb, run.peak_mb - run.idle_mb, identical))
    return found
