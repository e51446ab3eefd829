"""Models and recipes made in seconds."""

from __future__ import annotations

from pathlib import Path

from convert.lots.reading import load_lot
from convert.training.defects import sides, train
from convert.training.plan import TrainingPlan
from edge.core.preprocess import PreprocessSpec

RECIPE = """
[bundle]
name = "{name}"
version = "{version}"
joint_types = {joint_types}
[source]
model = "{model}"
[quantisation]
scheme = "{scheme}"
[calibration]
lot = "{lots}/learn"
joints = 32
[validation]
lot = "{lots}/validate"
[evaluation]
lot = "{lots}/evaluate"
everywhere = 8
parity = 32
parity_reference = 8
[familiarity]
joints = {familiar}
[budget]
{budget}
"""
WIDE = "max_auroc_drop = 1.0\nmax_recall_drop = 1.0\nmax_flipped = 1.0"
"""Budgets that a badly trained model keeps, too."""


def quick_model(lot: Path, out: Path, *, epochs: int = 3, dense_units: int = 16) -> None:
    """Train a narrow sibling of Table II for a few epochs."""
    plan = TrainingPlan(
        epochs=epochs, batch=8, learning_rate=1e-3, dense_units=dense_units, validation_share=0.0, seed=1
    )
    train("cnn3d", sides(load_lot(lot, PreprocessSpec()), plan), out, plan)


def write_recipe(
    path: Path,
    model: Path,
    lots: Path,
    *,
    name: str = "cnn3d-test",
    version: str = "1.0.0",
    scheme: str = "int8",
    joint_types: str = '["PTH"]',
    budget: str = "",
    familiar: int = 16,
) -> Path:
    path.write_text(
        RECIPE.format(
            name=name,
            version=version,
            model=model,
            scheme=scheme,
            lots=lots,
            budget=budget,
            joint_types=joint_types,
            familiar=familiar,
        )
    )
    return path
