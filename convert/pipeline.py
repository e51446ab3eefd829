"""``axi-convert build``: from a trained model to a gated, signed bundle."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from convert.build_report import Findings, RuntimeFigures, write_findings
from convert.calibration import disagreement, draw_stratified, require_apart, require_images
from convert.dataset import LabelledLot, load_lot, require_both_classes
from convert.flatfile import inventory, operations, problems, summary
from convert.gate import Check, require_passed
from convert.golden import golden_joints
from convert.head import fitted_head
from convert.layer_errors import layer_errors
from convert.lowering.lower import Lowered, lower_checked, program_scores, require_equivalence
from convert.lowering.passes.head import HEAD
from convert.metrics import Scores
from convert.parity import (
    Identity,
    Measured,
    accuracy_of,
    at_point,
    checks_of,
    identity,
    logits_apart,
    operating_points,
    require_sense,
    run_everywhere,
    scores_of,
)
from convert.quantise import quantise
from convert.recipe import Recipe, load_recipe
from convert.runtimes import outputs_on, supported, thread_count
from convert.simulator.lot import LOT
from convert.train import load_model, score
from edge.adapters.tflite import RuntimeInfo, TfliteScorer
from edge.bundle import load_private_key, write_bundle
from edge.core.card import Lineage, ModelCard, OperatingPoint, Quantisation
from edge.core.errors import AxiError, BundleRefused, ConfigError, GateRefused
from edge.files import digest_file

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
class Build:
    """What a build found out, and the bundle it wrote."""

    bundle: Path
    report: Path
    points: tuple[OperatingPoint, ...]
    checks: tuple[Check, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Converted:
    """A TFLite file that was read and run, with both sides' scores. ``elsewhere``: p_defect on the other runtimes."""

    model: bytes
    quantisation: Quantisation
    validation: Measured
    evaluation: Measured
    elsewhere: dict[str, Scores]


def build(recipe_path: Path, out: Path, say: Say) -> Build:
    """Run every step of a recipe. The report is written beside the bundle, also when the gate refuses.

    Raises ConfigError for a bad recipe, model or lot, GateRefused when a check or a budget fails; then there is no
    bundle.
    """
    recipe = load_recipe(recipe_path)
    here = recipe_path.parent
    target = out / f"{recipe.bundle.name}-{recipe.bundle.version}"
    if target.exists():
        raise BundleRefused(f"{target}: exists already; raise the recipe's version or remove the folder")
    key = load_private_key(here / recipe.signing.key) if recipe.signing.key else None
    found = Findings(target.name)
    try:
        lots = _read_lots(recipe, here, found, say)
        source = here / recipe.source.model
        converted = _convert(recipe, load_model(source), lots, found, say)
        points = operating_points(recipe.validation.recalls, converted.validation, converted.evaluation)
        found.points = tuple(at_point(converted.evaluation, point) for point in points)
        found.gate = checks_of(converted.evaluation, converted.elsewhere, points, recipe.budget)
        require_passed(found.gate)
    except GateRefused as refusal:
        found.refused = str(refusal)
        raise GateRefused(f"{refusal}; the full report is {write_findings(found, out) / 'report.html'}") from refusal
    except AxiError as error:
        found.refused = str(error)
        write_findings(found, out)
        raise
    report = write_findings(found, out)
    preferred = supported(recipe.quantisation.runtimes)[0]
    golden = golden_joints(
        here / recipe.evaluation.lot,
        recipe.preprocess,
        recipe.evaluation.golden,
        lambda patches: outputs_on(preferred, "exact", converted.model, patches, thread_count()),
    )
    say(f"writing the bundle with {len(golden)} golden joints, {'signed' if key else 'unsigned: no [signing] key'}")
    card = _card(recipe, converted, points, _lineage(recipe, source, lots))
    bundle = write_bundle(out, card, converted.model, golden, key)
    return Build(bundle, report, points, found.gate, tuple(found.warnings))


def _read_lots(recipe: Recipe, here: Path, found: Findings, say: Say) -> Lots:
    say("reading the lots")
    names = (recipe.calibration.lot, recipe.validation.lot, recipe.evaluation.lot)
    if (here / recipe.evaluation.lot / LOT).exists():
        raise ConfigError(
            f"[evaluation] lot: {recipe.evaluation.lot} holds patches, and golden joints need images; "
            "name a lot of job folders"
        )
    lots = Lots(*(load_lot(here / name, recipe.preprocess) for name in names))
    found.lots = tuple(
        f"{use} on {lot.name}: {len(lot.rows)} joints, {int(lot.labels.sum())} of them defects ({lot.digest})"
        for use, lot in (
            ("calibrated", lots.calibration),
            ("thresholds chosen", lots.validation),
            ("measured", lots.evaluation),
        )
    )
    for lot in (lots.validation, lots.evaluation):
        require_both_classes(lot)
    say("checking that no joint is in two of them")
    require_apart({"calibration": lots.calibration, "validation": lots.validation, "evaluation": lots.evaluation})
    return lots


def _convert(recipe: Recipe, model: Any, lots: Lots, found: Findings, say: Say) -> Converted:
    """Lower, quantise in another process, read the file, run it on every runtime."""
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
    quantisation = _boundary(recipe, tflite, runtimes[0])
    if recipe.quantisation.scheme == "int8":
        raw = scores_of(outputs_on(runtimes[0], "fast", tflite, calibration, thread_count()), quantisation)
        quantisation = replace(quantisation, head=fitted_head(HEAD, raw, score(model, calibration)))
    quantisation = _identical(recipe, same, quantisation)
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
            not any(name.startswith(f"{runtime.name},") for name in same.apart),
        )
        for runtime in runtimes
    )
    scores = {name: scores_of(run.outputs, quantisation) for name, run in runs.items()}
    evaluation = Measured(lots.evaluation, keras_evaluation, scores.pop(runtimes[0].name))
    found.evaluation = evaluation
    validation_side = Measured(lots.validation, keras_validation, scores_of(validation, quantisation))
    return Converted(tflite, quantisation, validation_side, evaluation, scores)


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


def _boundary(recipe: Recipe, tflite: bytes, runtime: RuntimeInfo) -> Quantisation:
    scorer = TfliteScorer(tflite, None, runtime, threads=1)
    asked = recipe.quantisation
    return Quantisation(
        scheme=asked.scheme,
        input=scorer.input_info,
        output=scorer.output_info,
        head=HEAD,
        float_layers=asked.keep_float,
        runtimes=tuple(f"{one.name} {one.version}" for one in supported(asked.runtimes)),
    )


def _identical(recipe: Recipe, same: Identity, quantisation: Quantisation) -> Quantisation:
    """Note how far runtimes differ. Raises GateRefused where they differ and the recipe does not allow it."""
    apart = logits_apart(same, quantisation)
    exact_apart = logits_apart(
        Identity(same.exact, {name: one for name, one in same.every.items() if "exact" in name}, ()), quantisation
    )
    if same.apart and exact_apart > recipe.quantisation.tolerance:
        raise GateRefused(
            f"no bundle written: {same.apart[0]} does not reproduce the first runtime (a logit is {exact_apart:.4f} "
            "off on exact kernels); where that can be borne, say so in [quantisation] tolerance and reason"
        )
    tolerance = max(_LEAST_REPLAY_TOLERANCE, 2 * apart)
    return replace(quantisation, bit_identical=not same.apart, replay_tolerance=tolerance)


def _card(recipe: Recipe, converted: Converted, points: tuple[OperatingPoint, ...], lineage: Lineage) -> ModelCard:
    return ModelCard(
        schema="axi-card/1",
        name=recipe.bundle.name,
        version=recipe.bundle.version,
        task="joint_defect",
        network=recipe.source.network,
        joint_types=recipe.bundle.joint_types,
        classes=("normal", "defect"),
        preprocess=recipe.preprocess,
        operating_points=points,
        default_operating_point=points[0].name,
        quantisation=converted.quantisation,
        accuracy=accuracy_of(converted.evaluation),
        files={},
        lineage=lineage,
    )


def _lineage(recipe: Recipe, source: Path, lots: Lots) -> Lineage:
    tools = {name: importlib.metadata.version(name) for name in ("axi-edge", "tensorflow", "keras", "numpy")}
    tools["python"] = platform.python_version()
    return Lineage(
        source_model=source.name,
        source_digest=digest_file(source),
        data={
            "calibration": f"{lots.calibration.name} {lots.calibration.digest}",
            "validation": f"{lots.validation.name} {lots.validation.digest}",
            "evaluation": f"{lots.evaluation.name} {lots.evaluation.digest}",
        },
        seed=recipe.source.seed,
        tools=tools,
        created=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    )
