"""``axi-convert build``: from a trained model to a gated, signed bundle."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.conversion.beside import cut_beside
from convert.conversion.calibration import require_apart
from convert.conversion.convert import lower, measure, quantise, require_exact, require_true
from convert.conversion.familiarity import Acquaintance, Model, acquaint, unknown
from convert.conversion.findings import Findings
from convert.conversion.gate import require_passed
from convert.conversion.golden import golden_joints, parity_of
from convert.conversion.recipe import Recipe
from convert.conversion.runtimes import Run, run_on, thread_count
from convert.conversion.source import read, thinned
from convert.conversion.task import Decided, Lots, Task, Tell
from convert.conversion.tasks import load_recipe
from convert.lots.marks import Marks, load_taught, marks_of
from convert.lots.reading import load_lot
from convert.lots.shards import LOT
from convert.lots.splits import require_both_classes
from convert.networks.handing import of_keras, of_saved_model, of_volumes
from convert.networks.saved import digest_folder, family_of_saved_model, load_saved_model
from convert.networks.scoring import load_model
from convert.reports.build import write_findings
from edge.bundle.format import write_bundle
from edge.bundle.signing import load_private_key
from edge.core.card import NORMAL, Lineage, ModelCard
from edge.core.decide import supported
from edge.core.errors import AxiError, BundleRefused, ConfigError
from edge.core.intake import Spec
from edge.core.qualification import Kernels
from edge.files import digest_file


@dataclass(frozen=True)
class Build:
    """What a build found out, and the bundle it wrote."""

    bundle: Path
    report: Path
    decided: Decided
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _Order:
    """What was asked for, with its paths settled and its model loaded. ``spec``: how the network's input is made."""

    recipe: Recipe
    task: Task
    here: Path
    model: Any
    spec: Spec

    @property
    def source(self) -> Path:
        return self.here / self.recipe.source.model

    @cached_property
    def taught(self) -> Marks | None:
        """Which joints taught the model; None where nobody says."""
        return load_taught(self.source)


def build(recipe_path: Path, out: Path, tell: Tell) -> Build:
    """Run every step of a recipe. The report is written beside the bundle, also when the gate refuses.

    Raises ConfigError for a bad recipe, model or lot, GateRefused when a check or a budget fails; then there is no
    bundle.
    """
    recipe, task = load_recipe(recipe_path)
    here = recipe_path.parent
    target = out / f"{recipe.bundle.name}-{recipe.bundle.version}"
    if target.exists():
        raise BundleRefused(f"{target}: exists already; raise the recipe's version or remove the folder")
    key = load_private_key(here / recipe.signing.key) if recipe.signing.key else None
    found = Findings(target.name, recipe, task)
    try:
        model = _load(here / recipe.source.model, recipe)
        order = _Order(recipe, task, here, model, task.spec(model, recipe))
        lots = _read_lots(order, tell)
        for step in _steps(order, lots, found, tell):
            found = step
        assert found.decided is not None  # noqa: S101 - the last step
        require_passed(found.decided.checks, found.most_sensitive)
    except AxiError as error:
        found = replace(found, refused=str(error))
        tell(f"refused; the full report is {write_findings(found, out) / 'report.html'}")
        raise
    report = write_findings(found, out)
    assert found.source is not None and found.quantised is not None and found.measurement is not None  # noqa: S101, PT018
    runtime, tflite = found.source.runtimes[0], found.quantised.model

    def run(kernels: Kernels, patches: NDArray[np.uint8]) -> Run:
        return run_on(runtime, kernels, tflite, patches, thread_count())

    asked = recipe.evaluation
    golden = golden_joints(here / asked.lot, order.spec, asked.golden, partial(run, "exact"))
    tell(f"recording {asked.parity} varied joints, for devices to be qualified with")
    parity = parity_of(golden, asked, recipe.budget.max_flipped_fast, run)
    tell(f"writing the bundle with {len(golden)} golden joints, {'signed' if key else 'unsigned: no [signing] key'}")
    card = _card(order, lots, found)
    return Build(write_bundle(out, card, tflite, golden, key, parity), report, found.decided, found.warnings)


def _steps(order: _Order, lots: Lots, found: Findings, tell: Tell) -> Iterator[Findings]:
    """What is known after each step; a check that fails ends it, with what came before it known."""
    recipe, task = order.recipe, order.task
    yield (found := replace(found, lots=(*_in_words(task, lots), *_by_whom(order))))
    tell("checking that no joint is in two of the lots")
    require_apart(lots.named)
    _require_untaught(order, lots, tell)
    task.require_lots(lots)
    source = read(recipe, task, order.model, lots, tell)
    yield (found := replace(found, source=source))
    source = thinned(recipe, source, lots, tell)
    yield (found := replace(found, source=source))
    lowering = lower(recipe, source, lots, tell)
    yield (found := replace(found, lowering=lowering))
    require_exact(lowering, len(lots.evaluation.rows), tell)
    quantised = quantise(recipe, source, lowering, tell)
    yield (found := replace(found, quantised=quantised))
    require_true(quantised, recipe.quantisation.scheme)
    measurement = measure(recipe, task, source, lowering, quantised, lots, tell)
    yield (found := replace(found, measurement=measurement))
    decided = task.decide(recipe, lots, measurement.scored)
    yield (found := replace(found, decided=decided))
    acquaintance = _acquaintance(order, lots, found, tell)
    checks = unknown(recipe.budget) if acquaintance is None else acquaintance.checks(recipe.budget)
    decided = replace(decided, checks=(*decided.checks, *checks))
    yield replace(found, decided=decided, acquaintance=acquaintance)


def _acquaintance(order: _Order, lots: Lots, found: Findings, tell: Tell) -> Acquaintance | None:
    source, quantised, measurement, decided = found.source, found.quantised, found.measurement, found.decided
    assert source is not None and quantised is not None and measurement is not None and decided is not None  # noqa: S101, PT018
    if measurement.features is None or not decided.points:
        return None
    tell("learning what looks familiar, and measuring it on what is no joint")
    point, seed = decided.points[0], order.recipe.source.seed
    model = Model(source.runtimes[0], quantised.model, measurement.quantisation, point.threshold)
    beside = cut_beside(order.here / order.recipe.evaluation.lot, order.spec, seed)
    return acquaint(model, lots, measurement.features, order.recipe.familiarity.joints, beside, seed)


def _read_lots(order: _Order, tell: Tell) -> Lots:
    recipe, here, spec = order.recipe, order.here, order.spec
    tell("reading the lots")
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
    for name, lot in lots.named.items():
        if name != "calibration":
            require_both_classes(lot)
    _joint_types(order, lots)
    return lots


def _joint_types(order: _Order, lots: Lots) -> tuple[str, ...]:
    """Those that the recipe names, else those that the lots hold; where joints are graded, which lots do not say, the
    task's.

    Raises ConfigError for a recipe that names one that the lots do not hold, as it would judge what it never saw; and
    where nobody names any.
    """
    asked = order.recipe.bundle.joint_types
    held = tuple(sorted({kind for lot in lots.named.values() for kind in lot.joint_types}))
    strange = [name for name in asked if not supported(name, held)] if held else []
    if strange:
        raise ConfigError(
            f"[bundle] joint_types: {', '.join(strange)}, but the lots hold {', '.join(held)}; name those"
        )
    if not (asked or held or order.task.name == "joint_quality"):
        usual = ", ".join(order.task.joint_types)
        raise ConfigError(f"[bundle] joint_types: missing, and the lots name none; say which they are, such as {usual}")
    if held and order.task.name == "joint_defect":
        _require_measured(asked or held, lots)
    return asked or held or order.task.joint_types


def _require_measured(joint_types: Sequence[str], lots: Lots) -> None:
    """Raises ConfigError where thresholds would be chosen, or figures measured, on other types than those certified."""
    for name, lot in lots.named.items():
        if name == "calibration":
            continue
        held = lot.joint_types
        strange = [one for one in joint_types if not supported(one, held)] if held else []
        if strange:
            raise ConfigError(
                f"[{name}] lot: {lot.name} holds no joint of type {', '.join(strange)}, so nothing would be proved of "
                "them: name a lot that does, or leave them out of [bundle] joint_types"
            )


def _by_whom(order: _Order) -> Iterator[str]:
    """What nobody knows of the model."""
    if order.taught is None:
        yield f"nobody says which joints taught {order.source.name} (no .taught.json beside it): see that these did not"


def _require_untaught(order: _Order, lots: Lots, tell: Tell) -> None:
    """Raises ConfigError where the model is known to have learnt from joints that it would be measured on."""
    for word in _by_whom(order):
        tell(word)
    known = order.taught.among(lots.evaluation) if order.taught else 0
    if known:
        raise ConfigError(
            f"[evaluation] lot: {known} of the {len(lots.evaluation.rows)} joints of {lots.evaluation.name} taught the "
            "model, or chose its best epoch; what it says of them proves nothing: name a lot of other joints"
        )


def _in_words(task: Task, lots: Lots) -> Iterator[str]:
    """What each lot was used for."""
    uses = {"calibration": task.calibration_use, "validation": "thresholds chosen", "evaluation": "measured"}
    for name, lot in lots.named.items():
        defects = int(lot.labels.sum())
        yield f"{uses[name]} on lot '{lot.name}': {len(lot.rows)} joints, {defects} of them defects ({lot.digest})"
        yield from lot.left_out


def _load(source: Path, recipe: Recipe) -> Any:
    """A network of the papers as a Keras model; any other as somebody hands it over (``Handed``)."""
    asked = recipe.source
    if source.is_dir():
        family = asked.network or family_of_saved_model(source)
        return load_saved_model(source, family) if family else of_saved_model(source, asked.classes, asked.pixels)
    model = load_model(source)
    return model if asked.network or of_volumes(model) else of_keras(model, asked.classes, asked.pixels)


def _card(order: _Order, lots: Lots, found: Findings) -> ModelCard:
    assert found.measurement is not None and found.decided is not None  # noqa: S101, PT018 - the build is done
    quantisation, decided = found.measurement.quantisation, found.decided
    recipe, task, points = order.recipe, order.task, decided.points
    return ModelCard(
        schema="axi-card/1",
        name=recipe.bundle.name,
        version=recipe.bundle.version,
        task=task.name,
        network=recipe.source.network or order.model.name,
        joint_types=_joint_types(order, lots),
        classes=(NORMAL, *quantisation.head.classes) if quantisation.head.classes else task.classes,
        preprocess=order.spec,
        operating_points=points,
        default_operating_point=points[0].name if points else "",
        grades=decided.scale,
        quantisation=quantisation,
        familiarity=found.acquaintance.familiarity if found.acquaintance else None,
        accuracy=decided.accuracy,
        files={},
        lineage=_lineage(order, lots),
    )


def _lineage(order: _Order, lots: Lots) -> Lineage:
    source = order.source
    tools = {name: importlib.metadata.version(name) for name in ("axi-edge", "tensorflow", "keras", "numpy")}
    tools["python"] = platform.python_version()
    return Lineage(
        source_model=source.name,
        source_digest=digest_folder(source) if source.is_dir() else digest_file(source),
        data={name: f"{lot.name} {lot.digest}" for name, lot in lots.named.items()},
        seed=order.recipe.source.seed,
        tools=tools,
        created=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        taught=marks_of((lot for name, lot in lots.named.items() if name != "evaluation"), source),
    )
