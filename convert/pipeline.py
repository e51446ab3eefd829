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
from convert.dataset import load_lot, require_both_classes
from convert.findings import Findings
from convert.gate import Check, require_passed
from convert.golden import golden_joints
from convert.layer_errors import most_costly
from convert.networks.saved import digest_folder, load_saved_model
from convert.parity import accuracy_of, at_point, checks_of, operating_points
from convert.recipe import Recipe, load_recipe
from convert.runtimes import outputs_on, thread_count
from convert.simulator.lot import LOT
from convert.train import load_model
from edge.bundle import load_private_key, write_bundle
from edge.core.card import Lineage, ModelCard, OperatingPoint
from edge.core.errors import AxiError, BundleRefused, ConfigError
from edge.files import digest_file


@dataclass(frozen=True)
class Build:
    """What a build found out, and the bundle it wrote."""

    bundle: Path
    report: Path
    points: tuple[OperatingPoint, ...]
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
        lots = _read_lots(recipe, here, found, say)
        source = here / recipe.source.model
        done = converted(recipe, _load(source, recipe), lots, found, say)
        points = operating_points(recipe.validation.recalls, done.validation, done.evaluation)
        found.points = tuple(at_point(done.evaluation, point) for point in points)
        found.gate = checks_of(done.evaluation, done.elsewhere, found.points, recipe.budget)
        require_passed(found.gate, _sensitive(recipe, found))
    except AxiError as error:
        found.refused = str(error)
        say(f"refused; the full report is {write_findings(found, out) / 'report.html'}")
        raise
    report = write_findings(found, out)
    golden = golden_joints(
        here / recipe.evaluation.lot,
        recipe.preprocess,
        recipe.evaluation.golden,
        lambda patches: outputs_on(done.runtimes[0], "exact", done.model, patches, thread_count()),
    )
    say(f"writing the bundle with {len(golden)} golden joints, {'signed' if key else 'unsigned: no [signing] key'}")
    card = _card(recipe, source, lots, done, points)
    bundle = write_bundle(out, card, done.model, golden, key)
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
        f"{use} on lot '{lot.name}': {len(lot.rows)} joints, {int(lot.labels.sum())} of them defects ({lot.digest})"
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


def _sensitive(recipe: Recipe, found: Findings) -> str:
    """Which layer to look at first."""
    if recipe.quantisation.scheme != "int8" or not found.layers:
        return ""
    (worst,) = most_costly(found.layers, 1)
    return (
        f"{worst.name} costs most, moving the logit by {worst.logit:.3f} by itself: "
        f'[quantisation] float = ["{worst.name}"] keeps it in float'
    )


def _load(source: Path, recipe: Recipe) -> Any:
    """The Keras model of a ``.keras`` file, or of a SavedModel's folder."""
    return load_saved_model(source, recipe.source.network) if source.is_dir() else load_model(source)


def _card(recipe: Recipe, source: Path, lots: Lots, done: Converted, points: tuple[OperatingPoint, ...]) -> ModelCard:
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
        quantisation=done.quantisation,
        accuracy=accuracy_of(done.evaluation),
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
            "calibration": f"{lots.calibration.name} {lots.calibration.digest}",
            "validation": f"{lots.validation.name} {lots.validation.digest}",
            "evaluation": f"{lots.evaluation.name} {lots.evaluation.digest}",
        },
        seed=recipe.source.seed,
        tools=tools,
        created=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    )
