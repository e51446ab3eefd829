"""Our own network, made again: a wide lot, an hour of training, weights packed small."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

from convert.networks.compact import save_compact
from convert.networks.scoring import load_model, score
from convert.reference.lots import simulated_lots
from convert.reference.provenance import Tell, is_done, mark_done
from convert.reference.recipe import Recipe
from convert.reference.records import aurocs, ship_history, write_provenance
from convert.reference.training import trained
from convert.training.plan import Network
from edge.files import digest_file

_NAME: Network = "slicenet"


def make_slicenet(recipe: Recipe, work: Path, out: Path, tell: Tell) -> None:
    """Simulate, train, pack, draw and record; what ships ends in ``out``."""
    lots = simulated_lots(work, recipe.wide_lots, tell)
    full = trained(_NAME, lots, work / f"{_NAME}.keras", recipe.own_training, tell)
    packed, stamp = work / f"{_NAME}.packed.keras", digest_file(full)
    if not is_done(packed, stamp):
        save_compact(load_model(full), packed)
        mark_done(packed, stamp)
    shutil.copyfile(packed, out / full.name)
    ship_history(full, out)
    model = load_model(packed)
    found = aurocs(lots, {"shipped": {lot.name: score(model, lot) for lot in lots.judged}})
    write_provenance(
        out, _NAME, lots, recipe.wide_lots, {"shipped": packed}, training=asdict(recipe.own_training), auroc=found
    )
    tell(f"{_NAME}: {json.dumps(found)}")
