"""Making the shipped models again: the whole recipe on small lots and narrow networks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from convert.networks.factorise import Ranks
from convert.reference import make
from convert.reference.make import make_reference
from convert.simulator.plan import LotPlan
from convert.training.plan import TrainingPlan
from edge.core.errors import UsageError

pytestmark = pytest.mark.slow

NARROW = {
    "cnn3d": TrainingPlan(epochs=1, batch=16, dense_units=40),
    "cnn-lstm": TrainingPlan(epochs=1, batch=16, units=32, features=16),
}


@pytest.fixture
def small_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    lots = {
        name: LotPlan(boards=4, joints=48, seed=8, types=2, first_type=first, defect_share=0.5, form="patches")
        for first, name in ((0, "training"), (10, "validation"), (20, "test"))
    }
    monkeypatch.setattr(make, "LOTS", lots)
    optical = {
        f"optical-{name}": LotPlan(boards=4, joints=160, seed=8, types=2, first_type=first)
        for first, name in ((0, "training"), (10, "validation"), (20, "test"))
    }
    monkeypatch.setattr(make, "OPTICAL_LOTS", optical)
    monkeypatch.setattr(make, "TRAINING", NARROW)
    monkeypatch.setattr(make, "FINE_TUNING", NARROW)
    monkeypatch.setattr(make, "RANKS", Ranks(dense=4, lstm_input=4, lstm_recurrent=8))


@pytest.mark.usefixtures("small_recipe")
def test_one_command_makes_everything_that_ships_and_a_second_run_repeats_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    make_reference(tmp_path / "work", tmp_path / "out", said.append)
    made = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert {
        "baseline.json",
        "cnn3d-factorised.keras",
        "cnn3d.scores.npz",
        "cnn-lstm-factorised.keras",
        "neurofuzzy.keras",
    } <= set(made)
    about = json.loads(made["cnn-lstm.provenance.json"])
    assert set(about["auroc"]) == {
        f"{kind}, {lot}" for kind in ("full", "factorised") for lot in ("validation", "test")
    }
    assert any(line.startswith("training cnn3d:") for line in said)

    again: list[str] = []
    make_reference(tmp_path / "work", tmp_path / "out", again.append)
    assert not any(line.startswith(("training", "simulating", "fitting")) for line in again), "all of it was done"
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == made

    wider = {**NARROW, "cnn3d": TrainingPlan(epochs=1, batch=16, dense_units=48)}
    monkeypatch.setattr(make, "TRAINING", wider)
    changed: list[str] = []
    make_reference(tmp_path / "work", tmp_path / "out", changed.append)
    trained = [line.split(":")[0] for line in changed if line.startswith("training")]
    assert trained == ["training cnn3d", "training cnn3d-factorised"], "what another plan made is made again"

    moved = {**make.LOTS, "test": LotPlan(boards=4, joints=44, seed=8, types=2, first_type=20, form="patches")}
    monkeypatch.setattr(make, "LOTS", moved)
    with pytest.raises(UsageError, match="simulated by another plan"):
        make_reference(tmp_path / "work", tmp_path / "out", changed.append)
