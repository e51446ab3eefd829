"""The papers' 3D CNN and CNN + LSTM, made again: trained in full, factorised, fine-tuned; the baseline beside them."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

from convert.evaluation.recorded import save_recorded
from convert.lots.splits import balanced
from convert.networks.factorise import factorised
from convert.networks.scoring import load_model, score
from convert.reference.lots import Lots, simulated_lots
from convert.reference.plans import SEED
from convert.reference.provenance import Tell, is_done, mark_done
from convert.reference.recipe import Recipe
from convert.reference.records import aurocs, ship_history, write_provenance
from convert.reference.training import stamp_of, trained
from convert.training import grey_baseline as baseline
from convert.training.plan import Network


def make_papers(recipe: Recipe, work: Path, out: Path, tell: Tell) -> None:
    """Both networks and the baseline; what ships ends in ``out``."""
    lots = simulated_lots(work, recipe.lots, tell)
    _make_baseline(lots, work, out, tell)
    for network in recipe.training:
        _make_network(network, lots, recipe, work, out, tell)


def _make_baseline(lots: Lots, work: Path, out: Path, tell: Tell) -> None:
    path, stamp = work / "baseline.json", stamp_of(lots)
    if not is_done(path, stamp):
        tell("fitting the baseline")
        baseline.save(baseline.fit(balanced(lots.training, "fewer-normals", SEED)), path)
        mark_done(path, stamp)
    shutil.copyfile(path, out / path.name)


def _make_network(network: Network, lots: Lots, recipe: Recipe, work: Path, out: Path, tell: Tell) -> None:
    plan, fine_tuning = recipe.training[network], recipe.fine_tuning[network]
    decided = {"training": asdict(plan), "ranks": asdict(recipe.ranks)}
    full = trained(network, lots, work / f"{network}.keras", plan, tell, made_from=decided)
    model = load_model(full)
    tuned = trained(
        network,
        lots,
        work / f"{network}-factorised.keras",
        fine_tuning,
        tell,
        start=lambda: factorised(model, recipe.ranks),
        made_from=decided,
    )
    shutil.copyfile(tuned, out / tuned.name)
    for path in (full, tuned):
        ship_history(path, out)
    models = {"full": model, "factorised": load_model(tuned)}
    scores = {kind: {lot.name: score(model, lot) for lot in lots.judged} for kind, model in models.items()}
    save_recorded(out / f"{network}.scores.npz", {lot.truth_digest: scores["full"][lot.name] for lot in lots.judged})
    found = aurocs(lots, scores)
    files = {"full": full, "factorised": tuned}
    write_provenance(out, network, lots, recipe.lots, files, **decided, fine_tuning=asdict(fine_tuning), auroc=found)
    tell(f"{network}: {json.dumps(found)}")
