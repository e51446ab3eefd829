"""``axi-convert reference``: make the shipped models again, from nothing but their recipe.

Every step leaves a file in the work folder and is skipped when its file is there, so an interrupted run goes on where
it was; training itself resumes after its last whole epoch.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from convert.evaluation.recorded import save_recorded
from convert.lots.lot import LabelledLot
from convert.lots.reading import load_lot
from convert.lots.shards import read_lot_file
from convert.lots.splits import balanced
from convert.metrics.defects import auroc_interval
from convert.networks.factorise import Ranks, factorised
from convert.networks.scoring import load_model, score
from convert.reference.grades import make_grades
from convert.reference.plans import FINE_TUNING, LOTS, OPTICAL_LOTS, SEED, TRAINING
from convert.reference.provenance import is_done, mark_done, simulated, tools
from convert.reports.history import draw_history
from convert.simulator.xray.lot import simulate_lot
from convert.training import defects as train
from convert.training import grey_baseline as baseline
from convert.training.plan import Network, TrainingPlan
from edge.core.errors import UsageError
from edge.core.preprocess import PreprocessSpec
from edge.files import digest_file

RANKS = Ranks()
Tell = Callable[[str], None]


@dataclass(frozen=True)
class _Lots:
    training: LabelledLot
    validation: LabelledLot
    test: LabelledLot


def make_reference(work: Path, out: Path, tell: Tell) -> None:
    """Simulate, train the networks, factorise, fine-tune, record; the shipped files end in ``out``."""
    work.mkdir(parents=True, exist_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    lots = _Lots(*(_lot(work, name, tell) for name in ("training", "validation", "test")))
    _make_baseline(lots, work, out, tell)
    for network in TRAINING:
        _make_network(network, lots, work, out, tell)
    make_grades(work, out, tell, OPTICAL_LOTS)


def _lot(work: Path, name: str, tell: Tell) -> LabelledLot:
    plan, folder = LOTS[name], simulated(work / name, LOTS[name], simulate_lot, tell)
    if read_lot_file(folder).origin != asdict(plan):
        raise UsageError(f"{folder}: was simulated by another plan; remove it")
    return load_lot(folder, PreprocessSpec())


def _make_baseline(lots: _Lots, work: Path, out: Path, tell: Tell) -> None:
    path, stamp = work / "baseline.json", _stamp(lots, {})
    if not is_done(path, stamp):
        tell("fitting the baseline")
        baseline.save(baseline.fit(balanced(lots.training, "fewer-normals", SEED)), path)
        mark_done(path, stamp)
    shutil.copyfile(path, out / path.name)


def _make_network(network: Network, lots: _Lots, work: Path, out: Path, tell: Tell) -> None:
    full, tuned = work / f"{network}.keras", work / f"{network}-factorised.keras"
    _train(network, lots, full, TRAINING[network], None, tell)
    model = load_model(full)
    _train(network, lots, tuned, FINE_TUNING[network], lambda: factorised(model, RANKS), tell)
    small = load_model(tuned)
    shutil.copyfile(tuned, out / tuned.name)
    for path in (full, tuned):
        history = path.with_suffix(".csv")
        shutil.copyfile(history, out / history.name)
        draw_history(out / f"{path.stem}.png", train.read_history(history))
    judged = (lots.validation, lots.test)
    scores = {
        kind: [score(network, lot) for lot in judged] for kind, network in (("full", model), ("factorised", small))
    }
    recorded = {lot.truth_digest: outputs for lot, outputs in zip(judged, scores["full"], strict=True)}
    save_recorded(out / f"{network}.scores.npz", recorded)
    about = _provenance(network, lots, {"full": full, "factorised": tuned})
    about["auroc"] = {
        f"{kind}, {lot.name}": msgspec.to_builtins(auroc_interval(found, lot.labels))
        for kind, both in scores.items()
        for lot, found in zip(judged, both, strict=True)
    }
    (out / f"{network}.provenance.json").write_text(json.dumps(about, indent=1) + "\n", "utf-8")
    tell(f"{network}: {json.dumps(about['auroc'])}")


def _train(
    network: Network, lots: _Lots, out: Path, plan: TrainingPlan, start: Callable[[], Any] | None, tell: Tell
) -> None:
    """Train, or go on training, unless this very training is done already."""
    stamp = _stamp(lots, {"training": asdict(TRAINING[network]), "plan": asdict(plan), "ranks": asdict(RANKS)})
    if is_done(out, stamp):
        return
    data = train.sides(lots.training, plan, lots.validation)
    steps = train.steps_per_epoch(data, plan)
    tell(f"training {out.stem}: {len(data.training.rows)} joints, {steps} steps an epoch, {plan.epochs} epochs")
    losses: list[float] = []

    def tick(loss: float) -> None:
        losses.append(loss)
        if len(losses) % 50 == 0:
            tell(f"  step {len(losses)}: loss {sum(losses[-50:]) / 50:.4f}")

    train.train(network, data, out, plan, tick, lambda epoch: tell(f"  {epoch}"), start() if start else None)
    mark_done(out, stamp)


def _stamp(lots: _Lots, plans: dict[str, Any]) -> str:
    """What a step was made from: a file that was made from anything else is made again."""
    return json.dumps({"lots": [lots.training.digest, lots.validation.digest], **plans}, sort_keys=True)


def _provenance(network: Network, lots: _Lots, files: dict[str, Path]) -> dict[str, Any]:
    """Everything that decided the weights."""
    return {
        "schema": "axi-provenance/1",
        "network": network,
        "seed": SEED,
        "lots": {name: msgspec.to_builtins(plan) for name, plan in LOTS.items()},
        "lot_digests": {lot.name: lot.digest for lot in (lots.training, lots.validation, lots.test)},
        "training": asdict(TRAINING[network]),
        "ranks": asdict(RANKS),
        "fine_tuning": asdict(FINE_TUNING[network]),
        "sha256": {kind: digest_file(path) for kind, path in files.items()},
        "tools": tools(),
    }
