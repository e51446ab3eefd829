"""The network that grades, from simulated images to a bundle: the same build, the same device code."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from convert.cli import main as axi_convert
from convert.conversion.flatfile import operations, problems
from convert.conversion.runtimes import outputs_on
from convert.lots.graded_truth import is_graded, read_graded_truth
from convert.lots.reading import load_lot
from convert.shipped.paths import QUALITY_MODEL
from edge.bundle.format import open_bundle
from edge.core.decide import decide
from edge.core.errors import UsageError
from edge.core.features import FeatureSpec
from edge.core.fillet import FEATURES
from edge.core.grades import GRADES
from edge.core.job import parse_manifest
from edge.core.preprocess import PreprocessSpec
from edge.judging.replay import replay
from edge.judging.runtime import TfliteScorer, installed_runtimes
from tests.support.devices import QUALITY_RECIPE, small_quality_bundle


def test_an_optical_lot_is_of_job_folders_with_grey_and_colour_pictures(optical_lots: Path) -> None:
    lot = optical_lots / "learn"
    assert is_graded(lot)
    truth = read_graded_truth(lot)
    folders = [path for path in sorted(lot.iterdir()) if path.is_dir()]
    seen, dimensions = set(), set()
    for folder in folders:
        job = parse_manifest((folder / "manifest.json").read_bytes()).job
        seen |= {(job.job_id, joint.id) for joint in job.joints}
        assert {joint.type for joint in job.joints} == {"SMT"}
        assert [len(view.slices) for view in job.views] == [1] * len(job.views)
        dimensions.add(cv2.imread(str(folder / job.views[0].slices[0].file), cv2.IMREAD_UNCHANGED).ndim)
    assert seen == set(truth)
    assert dimensions == {2, 3}
    assert {row.grade for row in truth.values()} == set(GRADES)


def test_the_same_plan_gives_the_same_lot(tmp_path: Path) -> None:
    words = ["--optical", "--boards", "2", "--joints", "12", "--seed", "5", "--types", "2"]
    for name in ("one", "two"):
        assert axi_convert(["simulate", "--out", str(tmp_path / name), *words]) == 0
    files = [path.relative_to(tmp_path / "one") for path in sorted((tmp_path / "one").rglob("*")) if path.is_file()]
    assert files
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes(), file


def test_options_of_x_ray_lots_mean_nothing_to_optical_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert axi_convert(["simulate", "--optical", "--out", str(tmp_path / "x"), "--form", "patches"]) == 2
    assert "--form: means nothing to an optical lot" in capsys.readouterr().err


def test_a_quality_bundle_replays_and_grades_alike_on_both_runtimes(quality_bundle: Path, optical_lots: Path) -> None:
    """To the bit on exact kernels; and golden joints on the fast ones, too."""
    bundle = open_bundle(quality_bundle)
    card, model = bundle.card, bundle.model_path.read_bytes()
    assert (card.task, card.classes, card.joint_types) == ("joint_quality", GRADES, ("SMT",))
    assert list(problems(operations(model), "int8")) == []
    for runtime in installed_runtimes():
        for kernels in ("fast", "exact"):
            scorer = TfliteScorer(model, card.quantisation, runtime, threads=1, kernels=kernels)
            assert replay(bundle, scorer) == len(bundle.golden) == 8
    lot = load_lot(optical_lots / "evaluate", card.preprocess)
    outputs = [outputs_on(runtime, "exact", model, lot.patches, 1) for runtime in installed_runtimes()]
    assert len(outputs) == 2
    np.testing.assert_array_equal(*outputs)
    found = [decide(row, card.quantisation, card.rule()) for row in outputs[0]]
    right = np.mean([verdict.grade == row.grade for verdict, row in zip(found, lot.graded_rows, strict=True)])
    assert right > 0.8, "measured: 0.93"
    poor = [verdict.grade for verdict, row in zip(found, lot.graded_rows, strict=True) if row.grade == "poor"]
    assert set(poor) <= {"poor", "acceptable_poor"}


def test_the_float32_twin_is_built_from_the_same_recipe(tmp_path: Path, optical_lots: Path) -> None:
    card = open_bundle(small_quality_bundle(tmp_path, optical_lots, scheme="float32")).card
    assert (card.quantisation.scheme, card.quantisation.input.dtype) == ("float32", "float32")
    assert card.grades is not None
    assert card.grades.learnt_on == "learn"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            ("[evaluation]", '[validation]\nlot = "{lots}/validate"\n[evaluation]'),
            r"learnt on \[calibration\]; remove it",
        ),
        (('network = "neurofuzzy"', 'network = "cnn3d"'), r"\[validation\] lot: missing"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(
    tmp_path: Path, optical_lots: Path, change: tuple[str, str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = QUALITY_RECIPE.replace(*change).format(
        version="1.0.0", model=QUALITY_MODEL, scheme="int8", lots=optical_lots, budget=""
    )
    (tmp_path / "r.toml").write_text(text)
    assert axi_convert(["build", str(tmp_path / "r.toml"), "--out", str(tmp_path / "out")]) == 3
    assert re.search(says, capsys.readouterr().err)
    assert not list(tmp_path.glob("out/*/card.json"))


def test_training_and_evaluation_from_the_command_line(
    tmp_path: Path, optical_lots: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, learn = tmp_path / "q.keras", str(optical_lots / "learn")
    words = ["--data", learn, "--validation", str(optical_lots / "validate"), "--epochs", "3", "--seed", "1"]
    assert axi_convert(["train", "neurofuzzy", *words, "--out", str(model)]) == 0
    assert "IF the solder is" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"q.keras", "q.png", "q.sets.png"}
    first = model.read_bytes()
    assert axi_convert(["train", "neurofuzzy", *words, "--out", str(tmp_path / "again.keras")]) == 0
    from convert.networks.scoring import load_model

    for get_weight, other in zip(
        load_model(model).get_weights(), load_model(tmp_path / "again.keras").get_weights(), strict=True
    ):
        np.testing.assert_array_equal(get_weight, other)
    assert first
    out = tmp_path / "report"
    data = ["--training", learn, "--data", str(optical_lots / "evaluate"), "--out", str(out), "--json"]
    assert axi_convert(["evaluate", str(QUALITY_MODEL), *data]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["theirs"] == {"training": 96.87, "test": 95.83}
    assert [figure["name"].split(" (")[0] for figure in figures["models"]] == [
        "neurofuzzy",
        "k nearest neighbours",
        "plain MLP classifier",
    ]
    assert figures["models"][0]["test"]["poor_as_good"] == 0
    page = (out / "evaluation.md").read_text()
    assert "their data" in page
    assert "reconstruction" in page
    assert {path.name for path in out.glob("*.png")} == {"index.png", "sets.png", "confusion.png"}


def test_a_lot_of_one_kind_is_no_lot_of_the_other(optical_lots: Path, lots: Path) -> None:
    with pytest.raises(UsageError, match="truth"):
        load_lot(optical_lots / "learn", PreprocessSpec())
    with pytest.raises(UsageError, match="graded joints"):
        load_lot(lots / "learn", FeatureSpec())


def test_a_damaged_picture_stops_the_learning_from_it(tmp_path: Path, optical_lots: Path) -> None:
    lot = Path(shutil.copytree(optical_lots / "evaluate", tmp_path / "lot"))
    picture = next(lot.rglob("*.png"))
    picture.write_bytes(picture.read_bytes()[:500])
    spec = FeatureSpec(ranges=((0.0, 1.0),) * len(FEATURES))
    with pytest.raises(UsageError, match="slice_unreadable; repair the lot"):
        load_lot(lot, spec)
