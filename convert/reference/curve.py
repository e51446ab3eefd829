"""SliceNet learnt from fewer board types: what every further type is worth."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import msgspec
import numpy as np

from convert.evaluation.curve import CurvePoint, point
from convert.evaluation.defects import Scored, evaluate
from convert.lots.lot import LabelledLot
from convert.networks.scoring import load_model, score
from convert.reference.lots import Lots, simulated_lots
from convert.reference.provenance import Tell
from convert.reference.recipe import Recipe
from convert.reference.training import trained
from convert.reports.curve import draw_curve
from convert.training.plan import Network

_NAME: Network = "slicenet"


def make_curve(recipe: Recipe, work: Path, out: Path, tell: Tell) -> None:
    """Train on ever more board types, and measure each network on the same lot; table and drawing end in ``out``."""
    lots = simulated_lots(work, recipe.wide_lots, tell)
    points = []
    for types, plan in recipe.curve.items():
        fewer = replace(lots, training=_of_types(lots.training, types))
        path = trained(_NAME, fewer, work / f"{_NAME}-{types}.keras", plan, tell, made_from={"types": types})
        points.append(_measured(fewer, path))
        tell(f"  {points[-1]}")
    full = trained(_NAME, lots, work / f"{_NAME}.keras", recipe.own_training, tell)
    points.append(_measured(lots, full))
    about = {
        "schema": "axi-curve/1",
        "points": msgspec.to_builtins(points),
        "training": {str(types): asdict(plan) for types, plan in recipe.curve.items()},
    }
    raw = msgspec.json.format(msgspec.json.encode(about), indent=1)
    (out / f"{_NAME}.curve.json").write_bytes(raw + b"\n")
    draw_curve(out / f"{_NAME}.curve.png", points)


def _of_types(lot: LabelledLot, types: int) -> LabelledLot:
    """The joints of the first so many board types."""
    numbered = sorted(set(lot.board_types.tolist()), key=lambda name: (len(name), name))
    inside = np.isin(lot.board_types, numbered[:types])
    return lot.subset(np.flatnonzero(inside), f"{lot.name}, {types} types")


def _measured(lots: Lots, path: Path) -> CurvePoint:
    model = load_model(path)
    validation, test = (score(model, lot) for lot in lots.judged)
    scored = Scored(path.stem, "", validation, test)
    (figures,) = evaluate(*lots.judged, [scored]).models
    return point(lots.training, figures)
