"""``axi-convert build``: from a trained model to a gated, signed bundle."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from convert.calibration import draw_stratified
from convert.dataset import LabelledLot, load_lot, require_both_classes
from convert.flatfile import int8_problems, operations, summary
from convert.gate import Check, require_passed
from convert.golden import golden_joints
from convert.head import fitted_head
from convert.lowering.equivalence import lowered_scores, require_equivalence
from convert.lowering.lower import HEAD, lower
from convert.parity import (
    Measured,
    accuracy_of,
    checks_of,
    logits_apart,
    operating_points,
    outputs_everywhere,
    scores_of,
)
from convert.quantise import quantise
from convert.recipe import Recipe, load_recipe
from convert.runtimes import outputs_on, thread_count
from convert.simulator.lot import LOT
from convert.train import load_model, score
from edge.adapters.tflite import TfliteScorer, installed_runtimes
from edge.bundle import load_private_key, write_bundle
from edge.core.card import Lineage, ModelCard, OperatingPoint, Quantisation
from edge.core.errors import BundleRefused, ConfigError, GateRefused
from edge.files import digest_file

Say = Callable[[str], None]

_LEAST_REPLAY_TOLERANCE = 0.05


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
    points: tuple[OperatingPoint, ...]
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class Converted:
    """A TFLite file that was read and run, with both sides' scores."""

    model: bytes
    quantisation: Quantisation
    validation: Measured
    evaluation: Measured
    elsewhere: dict[str, NDArray[np.float64]]
    lowering_difference: float
    contents: str


def build(recipe_path: Path, out: Path, say: Say) -> Build:
    """Run every step of a recipe. The report is written beside the bundle, also when the gate refuses.

    Raises ConfigError for a bad recipe or model, GateRefused when a check or a budget fails; then there is no bundle.
    """
    recipe = load_recipe(recipe_path)
    here = recipe_path.parent
    target = out / f"{recipe.bundle.name}-{recipe.bundle.version}"
    if target.exists():
        raise BundleRefused(f"{target}: exists already; raise the recipe's version or remove the folder")
    key = load_private_key(here / recipe.signing.key) if recipe.signing.key else None
    say("reading the lots")
    lots = _read_lots(recipe, here)
    source = here / recipe.source.model
    converted = _convert(recipe, load_model(source), lots, say)
    points = operating_points(recipe.validation.recalls, converted.validation, converted.evaluation)
    checks = checks_of(converted.evaluation, converted.elsewhere, points, recipe.budget)
    card = _card(recipe, converted, points, _lineage(recipe, source, lots))
    report = _write_report(out, card, converted, checks)
    try:
        require_passed(checks)
    except GateRefused as refusal:
        raise GateRefused(f"{refusal}; the full report is {report}") from refusal
    golden = golden_joints(
        here / recipe.evaluation.lot,
        recipe.preprocess,
        recipe.evaluation.golden,
        lambda patches: outputs_on(installed_runtimes()[0], "exact", converted.model, patches, thread_count()),
    )
    say(f"writing the bundle with {len(golden)} golden joints, {'signed' if key else 'unsigned: no [signing] key'}")
    return Build(write_bundle(out, card, converted.model, golden, key), points, checks)


def _read_lots(recipe: Recipe, here: Path) -> Lots:
    names = (recipe.calibration.lot, recipe.validation.lot, recipe.evaluation.lot)
    if (here / recipe.evaluation.lot / LOT).exists():
        raise ConfigError(
            f"[evaluation] lot: {recipe.evaluation.lot} holds patches, and golden joints need images; "
            "name a lot of job folders"
        )
    lots = Lots(*(load_lot(here / name, recipe.preprocess) for name in names))
    for lot in (lots.validation, lots.evaluation):
        require_both_classes(lot)
    if lots.evaluation.digest in {lots.validation.digest, lots.calibration.digest}:
        raise ConfigError("[evaluation] lot: the same joints as validation or calibration; name a held-out lot")
    return lots


def _convert(recipe: Recipe, model: Any, lots: Lots, say: Say) -> Converted:
    """Lower, quantise in another process, read the file, run it on every runtime here."""
    say("lowering")
    program = lower(model)
    keras_validation, keras_evaluation = score(model, lots.validation), score(model, lots.evaluation, plain=True)
    difference = require_equivalence(keras_evaluation, lowered_scores(program, lots.evaluation.patches))
    say(f"lowered exactly: at most {difference:.1e} from Keras on {len(lots.evaluation.labels)} held-out joints")
    scheme = recipe.quantisation.scheme
    say(f"quantising to {scheme}, in a process of its own")
    drawn = draw_stratified(lots.calibration, recipe.calibration.joints, recipe.source.seed)
    calibration = lots.calibration.take(drawn)
    tflite = quantise(program, calibration, scheme)
    found = operations(tflite)
    if scheme == "int8":
        _require_int8(list(int8_problems(found)))
    say(f"the file holds {summary(found)}")
    preferred = installed_runtimes()[0]
    boundary = TfliteScorer(tflite, None, preferred, threads=1)
    quantisation = Quantisation(scheme=scheme, input=boundary.input_info, output=boundary.output_info, head=HEAD)
    if scheme == "int8":
        raw = scores_of(outputs_on(preferred, "fast", tflite, calibration, thread_count()), quantisation)
        quantisation = replace(quantisation, head=fitted_head(HEAD, raw, score(model, calibration)))
    names = " and ".join(runtime.name for runtime in installed_runtimes())
    say(f"scoring held-out joints on {names}, in processes without TensorFlow")
    validation = outputs_on(preferred, "fast", tflite, lots.validation.patches, thread_count())
    evaluation = outputs_everywhere(tflite, lots.evaluation, integer=scheme == "int8")
    apart = logits_apart(evaluation, quantisation)
    say(f"fast kernels shift a logit by {apart:.4f} at most against exact ones")
    quantisation = replace(quantisation, replay_tolerance=max(_LEAST_REPLAY_TOLERANCE, 4 * apart))
    return Converted(
        tflite,
        quantisation,
        Measured(lots.validation, keras_validation, scores_of(validation, quantisation)),
        Measured(lots.evaluation, keras_evaluation, scores_of(evaluation.shipped, quantisation)),
        {name: scores_of(outputs, quantisation) for name, outputs in evaluation.others.items()},
        difference,
        summary(found),
    )


def _require_int8(problems: Sequence[str]) -> None:
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise GateRefused(f"no bundle written, the file is not a true int8 model: {problems[0]}{more}")


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


def _write_report(out: Path, card: ModelCard, converted: Converted, checks: Sequence[Check]) -> Path:
    """Everything measured, as JSON, whether or not a bundle follows."""
    report = {
        "schema": "axi-build-report/1",
        "bundle": f"{card.name}-{card.version}",
        "gate": [{**check._asdict(), "passed": check.passed} for check in checks],
        "joints": {"validation": len(converted.validation.keras), "evaluation": len(converted.evaluation.keras)},
        "auroc": {one.side: one.value for one in card.accuracy},
        "lowering_max_difference": converted.lowering_difference,
        "operations": converted.contents,
        "model_bytes": len(converted.model),
        "runtimes": [f"{runtime.name} {runtime.version}" for runtime in installed_runtimes()],
        "replay_tolerance": converted.quantisation.replay_tolerance,
    }
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{card.name}-{card.version}.report.json"
    path.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    return path
