"""Training that is killed goes on where it was, and ends where an uninterrupted one does."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from convert.cli import main as axi_convert
from convert.lots.reading import load_lot
from convert.lots.splits import split_apart
from convert.networks.scoring import load_model, score
from convert.simulator.plan import LotPlan
from convert.simulator.xray.lot import simulate_lot
from convert.training.defects import read_history, sides, train
from convert.training.plan import PAPER, RECIPES, TrainingPlan
from edge.core.errors import ConfigError, UsageError
from edge.core.preprocess import PreprocessSpec

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("patches") / "lot"
    list(simulate_lot(folder, LotPlan(boards=8, joints=80, seed=5, types=4, defect_share=0.5, form="patches"), 2))
    return folder


def words(network: str, lot: Path, out: Path, epochs: int) -> list[str]:
    return [
        *("train", network, "--data", str(lot), "--out", str(out), "--epochs", str(epochs), "--batch", "16"),
        *("--dense-units", "8", "--seed", "3", "--patience", "9"),
    ]


def test_a_killed_training_ends_where_an_uninterrupted_one_does(lot: Path, tmp_path: Path) -> None:
    """SIGKILL after the first epoch, start again. The noise allowed is none: the weights are bit-identical.

    (On one machine; another kind of processor may round otherwise.)
    """
    whole, killed = tmp_path / "whole.keras", tmp_path / "killed.keras"
    assert axi_convert(words("cnn3d", lot, whole, 4)) == 0
    process = subprocess.Popen([sys.executable, "-m", "convert.cli", *words("cnn3d", lot, killed, 4)])
    state = killed.with_suffix(".resume.npz")
    deadline = time.monotonic() + 300
    while not state.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)  # the file appears by a rename in another process
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it was killed before it was done"
    assert 1 <= len(read_history(killed.with_suffix(".csv"))) < 4
    assert axi_convert(words("cnn3d", lot, killed, 4)) == 0
    assert not state.exists()
    first, second = (load_model(path).get_weights() for path in (whole, killed))
    assert all(np.array_equal(weight, other) for weight, other in zip(first, second, strict=True))
    losses = [[epoch.loss for epoch in read_history(path.with_suffix(".csv"))] for path in (whole, killed)]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 4
    assert killed.with_suffix(".png").stat().st_size > 1000


def test_validation_must_be_of_other_board_types(lot: Path) -> None:
    opened, plan = load_lot(lot, PreprocessSpec()), TrainingPlan()
    with pytest.raises(UsageError, match="share board type MB-0"):
        sides(opened, plan, opened)
    learn, judge = split_apart(opened, 0.5, 0)
    normals = judge.subset(np.flatnonzero(judge.labels == 0), "normals")
    with pytest.raises(UsageError, match="one class only"):
        sides(learn, plan, normals)


def test_another_plans_state_is_not_resumed(lot: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.keras"
    plan = TrainingPlan(epochs=2, batch=16, dense_units=4, validation_share=0.0)
    data = sides(load_lot(lot, PreprocessSpec()), plan)

    class Interrupted(Exception):
        pass

    def interrupt(_epoch: object) -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        train("cnn3d", data, out, plan, report=interrupt)
    with pytest.raises(ConfigError, match="another training run"):
        train("cnn3d", data, out, TrainingPlan(epochs=3, batch=16, dense_units=4, validation_share=0.0), report=print)
    state = out.with_suffix(".resume.npz")
    whole = state.read_bytes()
    for torn in (b"", b"torn", whole[: len(whole) // 2]):
        state.write_bytes(torn)
        with pytest.raises(ConfigError, match="remove it to start afresh"):
            train("cnn3d", data, out, plan)


def test_training_stops_when_validation_gets_no_better(lot: Path, tmp_path: Path) -> None:
    """A learning rate of zero cannot better anything: one epoch, then patience."""
    plan = TrainingPlan(epochs=9, batch=16, dense_units=4, learning_rate=0.0, patience=2, validation_share=0.25)
    data = sides(load_lot(lot, PreprocessSpec()), plan)
    assert data.validation is not None
    assert not set(data.training.board_types) & set(data.validation.board_types)
    assert data.training.labels.sum() * 2 == len(data.training.rows), "balanced"
    assert data.validation.labels.sum() * 2 != len(data.validation.rows), "as it is"
    history = train("cnn3d", data, tmp_path / "m.keras", plan)
    best = int(np.argmax([epoch.validation_auroc for epoch in history]))
    assert len(history) - 1 - best == 2
    assert len(history) < 9


def test_cnn_lstm_learns_to_tell_missing_joints(tmp_path: Path) -> None:
    """An easy lot, a narrow network, a few epochs: better than chance on boards it never saw."""
    for name, first, joints in (("learn", 0, 240), ("judge", 10, 120)):
        plan = LotPlan(
            boards=6,
            joints=joints,
            seed=6,
            types=4,
            first_type=first,
            defect_share=0.5,
            difficulty="easy",
            form="patches",
        )
        list(simulate_lot(tmp_path / name, plan, 2))
    spec = PreprocessSpec()
    plan = TrainingPlan(epochs=12, batch=16, learning_rate=2e-3, units=64, features=32, seed=1, patience=12)
    data = sides(load_lot(tmp_path / "learn", spec), plan, load_lot(tmp_path / "judge", spec))
    history = train("cnn-lstm", data, tmp_path / "m.keras", plan)
    assert max(epoch.validation_auroc for epoch in history) > 0.65
    assert score(load_model(tmp_path / "m.keras"), load_lot(tmp_path / "judge", spec)).shape == (120,)


def test_the_papers_rate_is_a_recipe() -> None:
    assert (PAPER.learning_rate, PAPER.decay, PAPER.batch) == (1e-5, 1e-6, 32)
    assert RECIPES["paper"] is PAPER


def test_patches_are_read_as_they_are_needed_not_held(lot: Path) -> None:
    """Opening a lot maps its files; a batch is as much as is ever copied."""
    opened = load_lot(lot, PreprocessSpec())
    assert isinstance(opened.files._open(0), np.memmap)
    assert len(next(opened.batches(7))) == 7
    assert sum(len(batch) for batch in opened.batches(7)) == 80


@pytest.mark.parametrize("words", [("--dropout", "1.5"), ("--seed", "-1"), ("--learning-rate", "nan")])
def test_an_impossible_plan_is_refused(
    words: tuple[str, str], lot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert axi_convert(["train", "cnn3d", "--data", str(lot), "--out", str(tmp_path / "m.keras"), *words]) == 2
    assert words[0] in capsys.readouterr().err
