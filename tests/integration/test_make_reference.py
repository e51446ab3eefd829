"""Making the shipped models again: the whole recipe on small lots and narrow networks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from convert.networks.factorise import Ranks
from convert.reference.make import make_reference
from convert.reference.plans import OWN_TRAINING
from convert.reference.recipe import Recipe
from convert.simulator.plan import LotPlan
from convert.training.plan import Network, TrainingPlan
from edge.core.errors import UsageError

pytestmark = pytest.mark.slow

NARROW: dict[Network, TrainingPlan] = {
    "cnn3d": TrainingPlan(epochs=1, batch=16, dense_units=40),
    "cnn-lstm": TrainingPlan(epochs=1, batch=16, units=32, features=16),
}
FIRST_TYPES = {"training": 0, "validation": 10, "test": 20}


def lots(prefix: str) -> dict[str, LotPlan]:
    return {
        f"{prefix}{name}": LotPlan(
            boards=4, joints=48, seed=8, types=2, first_type=first, defect_share=0.5, form="patches"
        )
        for name, first in FIRST_TYPES.items()
    }


SMALL = Recipe(
    lots=lots(""),
    wide_lots=lots("wide-"),
    optical_lots={
        f"optical-{name}": LotPlan(boards=4, joints=160, seed=8, types=2, first_type=first)
        for name, first in FIRST_TYPES.items()
    },
    training=NARROW,
    fine_tuning=NARROW,
    own_training=replace(OWN_TRAINING, epochs=1, batch=16),
    curve={1: replace(OWN_TRAINING, epochs=1, batch=16)},
    ranks=Ranks(dense=4, lstm_input=4, lstm_recurrent=8),
)


def made_by(recipe: Recipe, folder: Path) -> tuple[list[str], dict[str, bytes]]:
    """What was said, and what ships."""
    said: list[str] = []
    make_reference(folder / "work", folder / "out", said.append, recipe=recipe)
    return said, {path.name: path.read_bytes() for path in (folder / "out").iterdir()}


def test_one_command_makes_everything_that_ships_and_a_second_run_repeats_it(tmp_path: Path) -> None:
    said, made = made_by(SMALL, tmp_path)
    assert {
        "baseline.json",
        "cnn3d-factorised.keras",
        "cnn3d.scores.npz",
        "cnn-lstm-factorised.keras",
        "slicenet.keras",
        "slicenet.png",
        "slicenet.curve.png",
        "neurofuzzy.keras",
    } <= set(made)
    assert len(made["slicenet.keras"]) < 450_000
    about = json.loads(made["cnn-lstm.provenance.json"])
    assert set(about["auroc"]) == {
        f"{kind}, {lot}" for kind in ("full", "factorised") for lot in ("validation", "test")
    }
    assert set(json.loads(made["slicenet.provenance.json"])["auroc"]) == {
        "shipped, wide-validation",
        "shipped, wide-test",
    }
    points = json.loads(made["slicenet.curve.json"])["points"]
    assert [(point["board_types"], point["joints"]) for point in points] == [(1, 24), (2, 48)]
    assert any(line.startswith("training cnn3d:") for line in said)

    again, repeated = made_by(SMALL, tmp_path)
    assert not any(line.startswith(("training", "simulating", "fitting")) for line in again), "all of it was done"
    assert repeated == made

    wider = {**NARROW, "cnn3d": TrainingPlan(epochs=1, batch=16, dense_units=48)}
    changed, _ = made_by(replace(SMALL, training=wider), tmp_path)
    trained = [line.split(":")[0] for line in changed if line.startswith("training")]
    assert trained == ["training cnn3d", "training cnn3d-factorised"], "what another plan made is made again"

    moved = {**lots(""), "test": LotPlan(boards=4, joints=44, seed=8, types=2, first_type=20, form="patches")}
    with pytest.raises(UsageError, match="simulated by another plan"):
        made_by(replace(SMALL, lots=moved), tmp_path)
