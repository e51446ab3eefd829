"""Networks as people hand them over: any layers, any ending, any format; built and gated, or refused by name."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from convert.cli import main as axi_convert
from convert.conversion.flatfile import operations, problems
from convert.conversion.parity import device_scores
from convert.conversion.runtimes import supported
from convert.lots.lot import LabelledLot
from convert.lots.reading import load_lot
from convert.metrics.defects import auroc
from convert.networks.handing import of_keras
from convert.networks.scoring import score
from edge.bundle.format import open_bundle
from edge.cli import main as axi_edge
from edge.core.logistic import logits
from edge.core.preprocess import PreprocessSpec
from tests.support.networks import KINDS, NORMAL_AND_DEFECT, REFUSED, ROUNDED_OTHERWISE
from tests.support.training import WIDE, write_recipe

pytestmark = pytest.mark.slow


def settled(model: Any, lot: LabelledLot, classes: tuple[str, ...], pixels: str) -> None:
    """As if trained a little: normalisations have seen joints, the end is neither certain nor the wrong way round."""
    for layer in model._flatten_layers():
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.0
    model(lot.patches[:24].astype(np.float32) / (255 if pixels == "0..1" else 1), training=True)
    end = [layer for layer in model._flatten_layers() if isinstance(layer, layers.Dense)][-1]
    scores = score(of_keras(model, classes, pixels), lot)
    while np.median(np.abs(logits(scores, 1e-6))) > 3:
        end.kernel.assign(end.kernel / 2)
        scores = score(of_keras(model, classes, pixels), lot)
    if auroc(scores, lot.labels) < 0.5:
        end.kernel.assign(-end.kernel)


def built(path: Path, folder: Path, lots: Path, more: str = "", tolerance: str = "") -> int:
    recipe = write_recipe(folder / "recipe.toml", path, lots, budget=WIDE)
    recipe.write_text(recipe.read_text().replace("[quantisation]", f"{more}\n[quantisation]\n{tolerance}"))
    return axi_convert(["build", str(recipe), "--out", str(folder / "out")])


@pytest.mark.parametrize("kind", KINDS)
def test_any_network_builds_to_a_gated_int8_bundle(kind: str, tmp_path: Path, lots: Path) -> None:
    keras.utils.set_random_seed(3)
    make, classes = KINDS[kind]
    model, lot = make(), load_lot(lots / "validate", PreprocessSpec())
    pixels = "0..255" if "preprocessing inside" in kind else "0..1"
    settled(model, lot, classes, pixels)
    model.save(tmp_path / "model.keras")
    more = f"pixels = {pixels!r}\n"
    unequal = kind in ROUNDED_OTHERWISE
    more += f"classes = {list(classes)!r}\n" if classes else ""
    tolerance = f"tolerance = 2.0\nreason = {ROUNDED_OTHERWISE[kind]!r}\n" if unequal else ""
    assert built(tmp_path / "model.keras", tmp_path, lots, more, tolerance) == 0
    bundle = open_bundle(tmp_path / "out/cnn3d-test-1.0.0")
    assert not list(problems(operations(bundle.model_path.read_bytes()), "int8"))
    assert bundle.card.classes == (classes if len(classes) > 2 else NORMAL_AND_DEFECT)


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_built_is_refused_by_the_name_of_its_layer(
    kind: str, tmp_path: Path, lots: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, says = REFUSED[kind]
    make().save(tmp_path / "model.keras")
    assert built(tmp_path / "model.keras", tmp_path, lots) == 3
    said = " ".join(capsys.readouterr().err.split())
    assert says in said
    assert "Traceback" not in said


@pytest.mark.parametrize("form", ["model.keras", "model.h5", "saved"])
def test_one_network_in_any_file_gives_one_bundle(form: str, tmp_path: Path, lots: Path) -> None:
    keras.utils.set_random_seed(3)
    make, _ = KINDS["residual, normalised before it is activated"]
    model, lot = make(), load_lot(lots / "evaluate", PreprocessSpec())
    settled(model, lot, (), "0..1")
    with warnings.catch_warnings(action="ignore"):  # H5 is a format of old
        model.export(tmp_path / form, verbose=False) if form == "saved" else model.save(tmp_path / form)
    assert built(tmp_path / form, tmp_path, lots) == 0
    bundle = open_bundle(tmp_path / "out/cnn3d-test-1.0.0")
    scores = device_scores(supported(())[0], bundle.model_path.read_bytes(), lot.patches, bundle.card.quantisation)
    assert np.abs(scores - score(of_keras(model), lot)).max() < 0.1


def test_a_bundle_of_several_classes_says_which_defect_it_means(
    tmp_path: Path, lots: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keras.utils.set_random_seed(3)
    make, classes = KINDS["our own, of five classes"]
    model, lot = make(), load_lot(lots / "validate", PreprocessSpec())
    settled(model, lot, classes, "0..1")
    model.save(tmp_path / "model.keras")
    assert built(tmp_path / "model.keras", tmp_path, lots, f"classes = {list(classes)!r}") == 0
    job = min(path for path in (lots / "evaluate").iterdir() if path.is_dir())
    capsys.readouterr()
    assert axi_edge(["inspect", str(job), "--bundle", str(tmp_path / "out/cnn3d-test-1.0.0")]) == 0
    verdicts = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    named = [verdict["defect_class"] for verdict in verdicts if verdict["verdict"] == "defect"]
    assert named
    assert {name["name"] for name in named} <= set(classes[1:])
    assert all(0.25 <= name["share"] <= 1 for name in named)
    assert not any("defect_class" in verdict for verdict in verdicts if verdict["verdict"] != "defect")
