"""What ships is what the recipe says, small enough, and scores as recorded."""

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
from convert.reference.plans import BUILD_LOTS, LOTS, SEED, TRAINING
from convert.shipped.paths import FOLDER, SHIPPED
from edge.core.preprocess import PreprocessSpec
from edge.files import digest_file

pytestmark = pytest.mark.slow


def provenance(network: str) -> dict[str, Any]:
    about: dict[str, Any] = json.loads((FOLDER / f"{network}.provenance.json").read_text())
    return about


@pytest.fixture(scope="module")
def validation(tmp_path_factory: pytest.TempPathFactory) -> LabelledLot:
    """The reference validation lot, simulated afresh from its recipe."""
    folder = tmp_path_factory.mktemp("reference") / "validation"
    assert axi_convert(["simulate", "--reference", "validation", "--out", str(folder)]) == 0
    return load_lot(folder, PreprocessSpec())


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
        set(range(plan.first_type, plan.first_type + plan.types)) for plan in (*LOTS.values(), *BUILD_LOTS.values())
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
    page = json.loads((Path(__file__).parents[2] / "docs" / "results" / "evaluation.json").read_text())
    found = {model["name"]: model["auroc_test"]["value"] for model in page["models"]}
    assert list(found) == list(SHIPPED)
    for network in TRAINING:
        recorded = provenance(network)["auroc"]
        assert f"{found[network]:.4f}" == f"{recorded['full, test']['value']:.4f}"
        assert f"{found[f'{network}-factorised']:.4f}" == f"{recorded['factorised, test']['value']:.4f}"
    docs = Path(__file__).parents[2]
    summary, readme = (docs / "docs" / "results" / "index.md").read_text(), (docs / "README.md").read_text()
    for name, value in found.items():
        assert f"{value:.4f}" in summary, f"the summary of the results lacks {name}'s AUROC of {value:.4f}"
    for name in ("cnn3d-factorised", "cnn-lstm-factorised"):
        assert f"{found[name]:.4f}" in readme, f"README lacks {name}'s AUROC"
    assert found["cnn3d"] >= 0.90
    assert found["cnn3d"] - found["baseline"] >= 0.05
    assert abs(found["cnn3d"] - found["cnn3d-factorised"]) <= 0.005
