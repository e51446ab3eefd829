"""The shipped network that grades, made again: optical lots, a minute of training, where it came from."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import msgspec

from convert.lots.features import GradedLot, inputs_of, load_graded_lot
from convert.lowering.read import read_network
from convert.metrics.grades import grades_of, recognition, thresholds
from convert.networks.neurofuzzy import spec_of
from convert.networks.scoring import load_model, quality_index
from convert.reference.plans import SEED
from convert.reference.provenance import Tell, is_done, mark_done, simulated, tools
from convert.reference.recipe import Recipe
from convert.reports import grade_drawings as drawings
from convert.reports.history import draw_grade_history
from convert.simulator.optical.lot import simulate_optical_lot
from convert.training import grades as training
from edge.core.features import FeatureSpec
from edge.files import digest_file

_NAME = "neurofuzzy"
_PREFIX = "optical-"


def make_grades(recipe: Recipe, work: Path, out: Path, tell: Tell) -> None:
    """Simulate, train, draw and record; what ships ends in ``out``."""
    plans = recipe.optical_lots
    lots = {
        name: load_graded_lot(
            simulated(work / f"{_PREFIX}{name}", plans[f"{_PREFIX}{name}"], simulate_optical_lot, tell), FeatureSpec()
        )
        for name in ("training", "validation", "test")
    }
    made = [work / name for name in (f"{_NAME}.keras", f"{_NAME}.png", f"{_NAME}.sets.png")]
    stamp = json.dumps([lot.digest for lot in lots.values()])
    if not is_done(made[0], stamp):
        tell(f"training {_NAME}: {len(lots['training'].rows)} joints, {training.EPOCHS} epochs")
        history = training.train_neurofuzzy(lots["training"], lots["validation"], made[0], SEED)
        draw_grade_history(made[1], [(epoch.loss, epoch.validation_loss) for epoch in history])
        drawings.draw_sets(made[2], read_network(load_model(made[0])))
        mark_done(made[0], stamp)
    for path in made:
        shutil.copyfile(path, out / path.name)
    about = {
        "schema": "axi-provenance/1",
        "network": _NAME,
        "seed": SEED,
        "epochs": training.EPOCHS,
        "lots": {name: msgspec.to_builtins(plans[f"{_PREFIX}{name}"]) for name in lots},
        "lot_digests": {name: lot.digest for name, lot in lots.items()},
        "recognition_rate": _rates(made[0], lots),
        "sha256": digest_file(made[0]),
        "tools": tools(),
    }
    (out / f"{_NAME}.provenance.json").write_text(json.dumps(about, indent=1) + "\n", "utf-8")
    tell(f"{_NAME}: {json.dumps(about['recognition_rate'])}")


def _rates(path: Path, lots: Mapping[str, GradedLot]) -> dict[str, float]:
    """The Keras model's Recognition Rate on each lot, thresholds from training joints."""
    model = load_model(path)
    spec = spec_of(model)
    indices = {name: quality_index(model, inputs_of(spec, lot.features)) for name, lot in lots.items()}
    between = thresholds(indices["training"], lots["training"].grades)[1].tolist()
    return {name: recognition(grades_of(qi, between), lots[name].rows).recognised.value for name, qi in indices.items()}
