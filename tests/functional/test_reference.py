"""What ships is what the recipe says, small enough, scores as recorded, and is as good as it must be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from convert.cli import main as axi_convert
from convert.evaluation.recorded import load_recorded
from convert.lots.lot import LabelledLot
from convert.lots.reading import load_lot
from convert.metrics.defects import auroc
from convert.networks.scoring import load_model, score
from convert.reference.plans import BUILD_LOTS, CURVE, LOTS, OWN_TRAINING, SEED, TRAINING, WIDE_LOTS
from convert.shipped.paths import FOLDER, SHIPPED
from edge.bundle.format import open_bundle
from edge.bundle.shipped import KEYS, bundle_folder
from edge.bundle.signing import load_public_keys
from edge.core.preprocess import PreprocessSpec
from edge.files import digest_file

pytestmark = pytest.mark.slow


def provenance(network: str) -> dict[str, Any]:
    about: dict[str, Any] = json.loads((FOLDER / f"{network}.provenance.json").read_text())
    return about


DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def validation(tmp_path_factory: pytest.TempPathFactory) -> LabelledLot:
    """The papers' validation lot, simulated afresh from its recipe."""
    return simulated(tmp_path_factory.mktemp("reference"), "validation")


def simulated(parent: Path, name: str) -> LabelledLot:
    assert axi_convert(["simulate", "--reference", name, "--out", str(parent / name)]) == 0
    return load_lot(parent / name, PreprocessSpec())


def wide_results() -> dict[str, Any]:
    """What `make wide` found, by model."""
    page = json.loads((DOCS / "results" / "wide" / "evaluation.json").read_text())
    assert page["test"]["name"] == "wide-test"
    assert len(page["test"]["board_types"]) == WIDE_LOTS["wide-test"].types == 30
    return {model["name"]: model for model in page["models"]}


def at(figures: list[dict[str, Any]], recall: float) -> dict[str, Any]:
    """The line of this target recall."""
    (line,) = (line for line in figures if line["target_recall"] == recall)
    return line


def test_every_shipped_file_is_there_and_small() -> None:
    for path in SHIPPED.values():
        assert 0 < path.stat().st_size <= 15e6, path


@pytest.mark.parametrize("network", list(TRAINING))
def test_provenance_names_what_made_the_weights(network: str) -> None:
    about = provenance(network)
    assert about["sha256"]["factorised"] == digest_file(FOLDER / f"{network}-factorised.keras")
    assert about["seed"] == SEED
    assert about["lots"]["training"]["joints"] == LOTS["training"].joints >= 20_000
    assert about["training"]["learning_rate"] == TRAINING[network].learning_rate
    assert set(about["lot_digests"]) == set(LOTS)
    assert {"tensorflow", "keras", "numpy"} <= set(about["tools"])


def test_no_board_type_is_shared_by_the_reference_lots() -> None:
    ranges = [
        set(range(plan.first_type, plan.first_type + plan.types))
        for plan in (*LOTS.values(), *WIDE_LOTS.values(), *BUILD_LOTS.values())
    ]
    assert sum(len(board_types) for board_types in ranges) == len(set().union(*ranges))
    assert len(ranges[0]) >= 14


def test_shipped_models_score_the_validation_lot_as_recorded(validation: LabelledLot) -> None:
    """Simulated afresh, scored afresh. 0.002 allows for a processor that rounds a grey level otherwise."""
    for network in TRAINING:
        recorded = provenance(network)["auroc"]
        full = load_recorded(FOLDER / f"{network}.scores.npz").of(validation)
        assert auroc(full, validation.labels) == pytest.approx(recorded["full, validation"]["value"], abs=1e-6)
        found = auroc(score(load_model(SHIPPED[f"{network}-factorised"]), validation), validation.labels)
        print(f"{network}-factorised: AUROC {found:.4f}, recorded {recorded['factorised, validation']['value']:.4f}")
        assert found == pytest.approx(recorded["factorised, validation"]["value"], abs=0.002)


def test_the_results_page_is_the_one_of_the_shipped_models() -> None:
    """The published table was computed from these files: its AUROCs are the provenance's, to the printed digit."""
    page = json.loads((DOCS / "results" / "evaluation.json").read_text())
    found = {model["name"]: model["auroc_test"]["value"] for model in page["models"]}
    assert list(found) == list(SHIPPED)
    for network in TRAINING:
        recorded = provenance(network)["auroc"]
        assert f"{found[network]:.4f}" == f"{recorded['full, test']['value']:.4f}"
        assert f"{found[f'{network}-factorised']:.4f}" == f"{recorded['factorised, test']['value']:.4f}"
    summary = (DOCS / "results" / "index.md").read_text()
    for name, value in found.items():
        assert f"{value:.4f}" in summary, f"the summary of the results lacks {name}'s AUROC of {value:.4f}"
    assert found["cnn3d"] >= 0.90
    assert found["cnn3d"] - found["baseline"] >= 0.05
    assert abs(found["cnn3d"] - found["cnn3d-factorised"]) <= 0.005


def test_slicenet_is_what_its_recipe_made_and_scores_as_recorded(tmp_path: Path) -> None:
    about, lot = provenance("slicenet"), simulated(tmp_path, "wide-validation")
    assert about["sha256"]["shipped"] == digest_file(SHIPPED["slicenet"])
    assert about["lots"]["wide-training"]["joints"] == WIDE_LOTS["wide-training"].joints >= 200_000
    assert about["lots"]["wide-training"]["types"] == WIDE_LOTS["wide-training"].types == 400
    assert about["lots"]["wide-validation"]["types"] == WIDE_LOTS["wide-validation"].types == 40
    assert about["training"]["epochs"] == OWN_TRAINING.epochs
    found = auroc(score(load_model(SHIPPED["slicenet"]), lot), lot.labels)
    assert found == pytest.approx(about["auroc"]["shipped, wide-validation"]["value"], abs=0.002)


def test_slicenet_is_as_good_as_it_must_be_on_thirty_unseen_board_types() -> None:
    models = wide_results()
    keras, int8 = models["slicenet"], models["slicenet-1.0.0"]
    assert (
        f"{keras['auroc_test']['value']:.4f}" == f"{provenance('slicenet')['auroc']['shipped, wide-test']['value']:.4f}"
    )
    assert int8["auroc_test"]["value"] >= 0.99
    assert keras["auroc_test"]["value"] - int8["auroc_test"]["value"] <= 0.001
    assert int8["fpr_at_recall"]["0.90"]["value"] <= 0.015
    assert int8["fpr_at_recall"]["0.95"]["value"] <= 0.04
    assert at(int8["chosen"], 0.95)["test"]["recall"]["value"] >= 0.93
    types = at(int8["spread"], 0.95)["types"]
    assert len(types) == 30
    assert min(found["recall"] for found in types) >= 0.75
    summary, readme = (DOCS / "results" / "index.md").read_text(), (DOCS.parent / "README.md").read_text()
    for name, figures in models.items():
        assert f"{figures['auroc_test']['value']:.4f}" in summary, f"the summary of the results lacks {name}"
    for name in ("slicenet-1.0.0", "cnn3d-factorised", "cnn-lstm-factorised"):
        assert f"{models[name]['auroc_test']['value']:.4f}" in readme, f"README lacks {name}"


def test_the_bundle_that_ships_is_slicenets_and_small() -> None:
    bundle = open_bundle(bundle_folder("reference"), load_public_keys(KEYS))
    assert bundle.signed
    assert bundle.card.lineage.source_digest == digest_file(SHIPPED["slicenet"])
    files = [path for path in bundle.path.iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in (*files, SHIPPED["slicenet"])) < 1_000_000


def test_the_learning_curve_is_of_these_lots() -> None:
    curve = json.loads((FOLDER / "slicenet.curve.json").read_text())
    assert [point["board_types"] for point in curve["points"]] == [*CURVE, WIDE_LOTS["wide-training"].types]
    last = curve["points"][-1]["auroc"]["value"]
    assert last == pytest.approx(provenance("slicenet")["auroc"]["shipped, wide-test"]["value"], abs=0.0005)
