"""What ships beside the weights: how training went, how well it went, and from what."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from convert.lots.lot import LabelledLot
from convert.metrics.defects import Scores, auroc_interval
from convert.reference.lots import Lots
from convert.reference.plans import SEED
from convert.reference.provenance import tools
from convert.reports.history import draw_history
from convert.simulator.plan import LotPlan
from convert.training import defects as train
from convert.training.plan import Network
from edge.files import digest_file


def ship_history(model: Path, out: Path) -> None:
    """The history that lies beside a trained model, and its drawing."""
    history = model.with_suffix(".csv")
    shutil.copyfile(history, out / history.name)
    draw_history(out / f"{model.stem}.png", train.read_history(history))


def aurocs(lots: Lots, scores: Mapping[str, Mapping[str, Scores]]) -> dict[str, Any]:
    """By kind of model and lot, each with its interval. ``scores``: by kind and the lot's name."""
    judged: dict[str, LabelledLot] = {lot.name: lot for lot in lots.judged}
    return {
        f"{kind}, {name}": msgspec.to_builtins(auroc_interval(found, judged[name].labels))
        for kind, by_lot in scores.items()
        for name, found in by_lot.items()
    }


def write_provenance(
    out: Path, network: Network, lots: Lots, plans: Mapping[str, LotPlan], files: Mapping[str, Path], **more: Any
) -> None:
    """Everything that decided the weights, and what they reach. ``files``: what ``more`` tells about, by kind."""
    about = {
        "schema": "axi-provenance/1",
        "network": network,
        "seed": SEED,
        "lots": {name: msgspec.to_builtins(plan) for name, plan in plans.items()},
        "lot_digests": {lot.name: lot.digest for lot in (lots.training, *lots.judged)},
        "sha256": {kind: digest_file(path) for kind, path in files.items()},
        "tools": tools(),
        **more,
    }
    (out / f"{network}.provenance.json").write_text(json.dumps(about, indent=1) + "\n", "utf-8")
