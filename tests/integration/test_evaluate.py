"""``axi-convert evaluate`` as its user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from convert.cli import main as axi_convert
from convert.lots.reading import load_lot
from convert.metrics.defects import auroc
from convert.shipped.paths import QUALITY_MODEL, SHIPPED
from edge.core.preprocess import PreprocessSpec

pytestmark = pytest.mark.slow


def evaluate(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert axi_convert(["evaluate", *map(str, words)]) == 0
    return capsys.readouterr().out


def test_a_bundle_and_shipped_models_stand_in_one_report(
    bundle: Path, lots: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [bundle, "cnn3d-factorised", "baseline", "--data", lots / "evaluate", "--validation", lots / "validate"]
    first = json.loads(evaluate(capsys, *words, "--out", tmp_path / "report", "--json"))
    assert [model["name"] for model in first["models"]] == [bundle.name, "cnn3d-factorised", "baseline"]
    assert [model["note"].split()[0] for model in first["models"]] == ["int8", "Keras,", "logistic"]
    assert first["test"]["joints"] == 40
    assert not set(first["test"]["board_types"]) & set(first["validation"]["board_types"])
    text = (tmp_path / "report" / "evaluation.md").read_text()
    assert "their real data, not comparable" in text
    assert "Simulated joints" in text
    assert json.loads(evaluate(capsys, *words, "--json")) == first, "the same figures to the last digit"


def test_thresholds_are_chosen_on_half_the_board_types_when_no_lot_is_named(
    lots: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = evaluate(capsys, "baseline", "--data", lots / "evaluate")
    assert "Overall performance" in printed
    said = " ".join(printed.split())
    assert "Thresholds are chosen on evaluate/validation: 20 joints" in said
    assert "Figures are measured on evaluate/test: 20 joints" in said
    assert "AUROC, test" in said


def test_without_a_name_every_shipped_model_is_shown_that_knows_the_lot(
    lots: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The full networks' scores are recorded for the reference lots: here they are left out, and that is said."""
    assert axi_convert(["evaluate", "--data", str(lots / "evaluate"), "--json"]) == 0
    printed = capsys.readouterr()
    names = [model["name"] for model in json.loads(printed.out)["models"]]
    assert names == [name for name, path in SHIPPED.items() if path.suffix != ".npz"]
    assert "cnn3d left out" in " ".join(printed.err.split())


def small_network(folder: Path) -> Path:
    """Of pictures of half the size, untrained."""
    keras.utils.set_random_seed(1)
    start = keras.Input((64, 64, 6))
    value = keras.layers.Conv2D(4, 5, strides=4, activation="relu")(start)
    end = keras.layers.Dense(2, activation="softmax")(keras.layers.GlobalAveragePooling2D()(value))
    keras.Model(start, end).save(folder / "small.keras")
    return folder / "small.keras"


def test_joints_are_cut_as_the_network_takes_them(
    lots: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Networks of one size at a time."""
    path, lot = small_network(tmp_path), tmp_path / "lot"
    words = ["--boards", "8", "--joints", "80", "--types", "8", "--defect-share", "0.5", "--first-type", "700"]
    assert axi_convert(["simulate", "--out", str(lot), *words]) == 0
    capsys.readouterr()
    assert axi_convert(["evaluate", str(path), "reference", "--data", str(lot)]) == 2
    assert "small takes joints as 64 x 64 x 6" in " ".join(capsys.readouterr().err.split())
    (alone,) = json.loads(evaluate(capsys, path, "--data", lot, "--json"))["models"]
    assert 0 < alone["auroc_test"]["value"] < 1
    found = json.loads(evaluate(capsys, "reference", "slicenet", "--data", lot, "--json"))
    int8, floats = (model["auroc_test"]["value"] for model in found["models"])
    assert [model["name"] for model in found["models"]] == ["reference", "slicenet"]
    assert int8 == pytest.approx(floats, abs=0.02)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nowhere.keras", "--data", "{lots}/evaluate"], "nowhere.keras: neither a bundle, nor a .keras file"),
        (["cnn3d", "--data", "{lots}/evaluate"], "holds no scores of the joints of evaluate"),
        (["baseline", "--data", "{lots}/evaluate", "--validation", "{lots}/evaluate"], "share board type"),
        (["baseline", "--data", "{lots}/nowhere"], "truth.csv: not readable"),
        (["--training", "{lots}/validate", "--data", "{lots}/nowhere"], "truth.csv: not readable"),
        ([str(QUALITY_MODEL), "--data", "{lots}/evaluate"], "neurofuzzy.keras: a network that grades"),
    ],
)
def test_what_cannot_be_evaluated_is_named(
    words: list[str], says: str, lots: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert axi_convert(["evaluate", *(word.format(lots=lots) for word in words)]) == 2
    assert says in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("layers", "says"),
    [
        ([keras.layers.AveragePooling3D((4, 4, 2)), keras.layers.Flatten()], "AveragePooling3D, which no lowering"),
        ([keras.layers.GlobalAveragePooling3D()], "GlobalAveragePooling3D, which no lowering rule knows"),
    ],
)
def test_a_network_that_would_be_scored_otherwise_than_keras_scores_it_is_refused(
    layers: list[keras.Layer], says: str, lots: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = keras.Sequential(
        [keras.Input((128, 128, 6, 1)), keras.layers.Conv3D(1, 3), *layers, keras.layers.Dense(2, activation="softmax")]
    )
    network.save(tmp_path / "n.keras")
    assert axi_convert(["evaluate", str(tmp_path / "n.keras"), "--data", str(lots / "evaluate")]) == 3
    assert says in " ".join(capsys.readouterr().err.split())


def test_any_other_keras_network_is_scored_by_keras_itself(
    lots: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = keras.Input((128, 128, 6))
    ends = keras.layers.Dense(3, activation="softmax")(keras.layers.GlobalAveragePooling2D()(start))
    network = keras.Model(start, ends)
    network.save(tmp_path / "n.keras")
    assert axi_convert(["evaluate", str(tmp_path / "n.keras"), "--data", str(lots / "evaluate"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    types = set(found["test"]["board_types"])
    lot = load_lot(lots / "evaluate", PreprocessSpec())
    inside = np.isin(lot.board_types, list(types))
    p_defect = 1 - np.asarray(network(lot.patches[inside] / np.float32(255)))[:, 0]
    assert found["models"][0]["auroc_test"]["value"] == pytest.approx(auroc(p_defect, lot.labels[inside]), abs=0.01)
