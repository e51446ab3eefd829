"""``axi-convert build``: from a trained model to a gated, signed bundle."""

from __future__ import annotations

import importlib.metadata
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from convert.build_report import write_findings
from convert.calibration import require_apart
from convert.conversion import Converted, Lots, Say, converted
from convert.dataset import load_lot, require_both_classes, require_unseen
from convert.findings import Findings
from convert.gate import Check, require_passed
from convert.golden import golden_joints
from convert.layer_errors import most_costly
from convert.networks.saved import digest_folder, load_saved_model
from convert.parity import accuracy_of, at_point, checks_of, operating_points, scores_of
from convert.quality.gate import grade_checks, quality_accuracy, scale_of
from convert.recipe import Recipe, load_recipe
from convert.runtimes import outputs_on, thread_count
from convert.simulator.lot import LOT
from convert.train import load_model
from edge.bundle import load_private_key, write_bundle
from edge.core.card import Accuracy, GradeScale, Lineage, ModelCard, OperatingPoint
from edge.core.errors import AxiError, BundleRefused, ConfigError
from edge.core.grades import GRADES
from edge.core.intake import Spec
from edge.files import digest_file


@dataclass(frozen=True)
class Decides:
    """By what the bundle decides, and how accurate it was found to be: operating points, or a scale of grades."""

    accuracy: tuple[Accuracy, ...]
    points: tuple[OperatingPoint, ...] = ()
    scale: GradeScale | None = None


@dataclass(frozen=True)
class Build:
    """What a build found out, and the bundle it wrote. ``rule``: its operating points, or its grades."""

    bundle: Path
    report: Path
    rule: Decides
    checks: tuple[Check, ...]
    warnings: tuple[str, ...]


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
        source = here / recipe.source.model
        model = _load(source, recipe)
        spec = _spec(model, recipe)
        lots = _read_lots(recipe, here, spec, found, say)
        done = converted(recipe, model, lots, found, say)
        rule = _graded(recipe, lots, done, found) if recipe.grades else _with_points(recipe, done, found)
        require_passed(found.gate, _sensitive(recipe, found))
    except AxiError as error:
        found.refused = str(error)
        say(f"refused; the full report is {write_findings(found, out) / 'report.html'}")
        raise
    report = write_findings(found, out)
    golden = golden_joints(
        here / recipe.evaluation.lot,
        spec,
        recipe.evaluation.golden,
        lambda patches: outputs_on(done.runtimes[0], "exact", done.model, patches, thread_count()),
    )
    say(f"writing the bundle with {len(golden)} golden joints, {'signed' if key else 'unsigned: no [signing] key'}")
    bundle = write_bundle(out, _card(recipe, source, spec, lots, done, rule), done.model, golden, key)
    return Build(bundle, report, rule, found.gate, tuple(found.warnings))


def _spec(model: Any, recipe: Recipe) -> Spec:
    """How the network's input is made. A network of features carries that, as it was trained."""
    if not recipe.grades:
        return recipe.preprocess
    from convert.networks.neurofuzzy import spec_of

    try:
        return spec_of(model)
    except ValueError as error:
        raise ConfigError(f"[source] model: {model.name} is no neurofuzzy network ({error}); name one") from error


def _with_points(recipe: Recipe, done: Converted, found: Findings) -> Decides:
    """Operating points for the recipe's recalls, and the gate's lines."""
    assert done.validation is not None  # noqa: S101 - a recipe of such a network names the lot
    points = operating_points(recipe.validation.recalls, done.validation, done.evaluation)
    found.points = tuple(at_point(done.evaluation, point) for point in points)
    found.gate = checks_of(done.evaluation, done.elsewhere, found.points, recipe.budget)
    return Decides(points=points, accuracy=accuracy_of(done.evaluation))


def _graded(recipe: Recipe, lots: Lots, done: Converted, found: Findings) -> Decides:
    """Thresholds between grades, from the converted model's index on training joints, and the gate's lines."""
    raw = outputs_on(done.runtimes[0], "fast", done.model, lots.calibration.patches, thread_count())
    learnt = scores_of(raw, done.quantisation)
    found.scale, found.grades = scale_of(lots.calibration, learnt, done.evaluation)
    found.gate = grade_checks(found.grades, done.evaluation, done.elsewhere, found.scale, recipe.budget)
    return Decides(scale=found.scale, accuracy=quality_accuracy(found.grades, done.evaluation))


def _read_lots(recipe: Recipe, here: Path, spec: Spec, found: Findings, say: Say) -> Lots:
    say("reading the lots")
    if (here / recipe.evaluation.lot / LOT).exists():
        raise ConfigError(
            f"[evaluation] lot: {recipe.evaluation.lot} holds patches, and golden joints need images; "
            "name a lot of job folders"
        )
    lots = Lots(
        load_lot(here / recipe.calibration.lot, spec),
        load_lot(here / recipe.validation.lot, spec) if recipe.validation.lot else None,
        load_lot(here / recipe.evaluation.lot, spec),
    )
    uses = {
        "calibration": ("calibrated, and grades learnt," if recipe.grades else "calibrated", lots.calibration),
        "validation": ("thresholds chosen", lots.validation),
        "evaluation": ("measured", lots.evaluation),
    }
    named = {field: lot for field, (_, lot) in uses.items() if lot is not None}
    found.lots = tuple(
        f"{use} on lot '{lot.name}': {len(lot.rows)} joints, {int(lot.labels.sum())} of them defects ({lot.digest})"
        for use, lot in uses.values()
        if lot is not None
    )
    for field, lot in named.items():
        if field != "calibration":
            require_both_classes(lot)
    say("checking that no joint is in two of them")
    require_apart(named)
    if recipe.grades:
        require_unseen(lots.calibration, lots.evaluation)
    return lots


def _sensitive(recipe: Recipe, found: Findings) -> str:
    """Which layer to look at first."""
    if recipe.quantisation.scheme != "int8" or not found.layers:
        return ""
    (worst,) = most_costly(found.layers, 1)
    return (
        f"{worst.name} costs most, moving the reading by {worst.logit:.3f} by itself: "
        f'[quantisation] float = ["{worst.name}"] keeps it in float'
    )


def _load(source: Path, recipe: Recipe) -> Any:
    """The Keras model of a ``.keras`` file, or of a SavedModel's folder."""
    return load_saved_model(source, recipe.source.network) if source.is_dir() else load_model(source)


def _card(recipe: Recipe, source: Path, spec: Spec, lots: Lots, done: Converted, rule: Decides) -> ModelCard:
    return ModelCard(
        schema="axi-card/1",
        name=recipe.bundle.name,
        version=recipe.bundle.version,
        task="joint_quality" if recipe.grades else "joint_defect",
        network=recipe.source.network,
        joint_types=recipe.joint_types,
        classes=GRADES if recipe.grades else ("normal", "defect"),
        preprocess=spec,
        operating_points=rule.points,
        default_operating_point=rule.points[0].name if rule.points else "",
        grades=rule.scale,
        quantisation=done.quantisation,
        accuracy=rule.accuracy,
        files={},
        lineage=_lineage(recipe, source, lots),
    )


def _lineage(recipe: Recipe, source: Path, lots: Lots) -> Lineage:
    tools = {name: importlib.metadata.version(name) for name in ("axi-edge", "tensorflow", "keras", "numpy")}
    tools["python"] = platform.python_version()
    return Lineage(
        source_model=source.name,
        source_digest=digest_folder(source) if source.is_dir() else digest_file(source),
        data={
            name: f"{lot.name} {lot.digest}"
            for name, lot in (
                ("calibration", lots.calibration),
                ("validation", lots.validation),
                ("evaluation", lots.evaluation),
            )
            if lot is not None
        },
        seed=recipe.source.seed,
        tools=tools,
        created=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    )
