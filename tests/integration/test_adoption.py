"""From a lot with truth to a signed bundle in one call, and going on from the reference."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from convert.cli import main
from convert.lots.graded_truth import read_graded_truth
from convert.lots.reading import load_lot
from convert.metrics.defects import auroc
from convert.networks.handing import first_output
from convert.networks.scoring import load_model, score
from convert.simulator.optical.lot import simulate_optical_lot
from convert.simulator.plan import LotPlan
from convert.simulator.xray.lot import simulate_lot
from edge.bundle.format import open_bundle
from edge.bundle.signing import load_public_keys
from edge.core.preprocess import PreprocessSpec
from tests.unit.convert.lots.test_division import without_types


@pytest.fixture(scope="module")
def lot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("adoption")
    plan = LotPlan(boards=12, joints=180, seed=5, types=6, first_type=500, defect_share=0.4)
    list(simulate_lot(root / "lot", plan, workers=2))
    return root / "lot"


@pytest.fixture(scope="module")
def adopted(lot: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("adopted") / "out"
    assert main(["adopt", str(lot), "--out", str(out), "--name", "own", "--curve-seeds", "0"]) == 0
    return out


def test_one_call_makes_a_signed_bundle_of_the_lots_own_classes(adopted: Path) -> None:
    bundle = open_bundle(adopted / "own-1.0.0", load_public_keys(adopted / "signing.pub"))
    lots = [
        load_lot(adopted / "own-1.0.0.lots" / name, PreprocessSpec()) for name in ("training", "validation", "held-out")
    ]
    found = {row.truth for row in lots[0].rows if row.label}
    assert set(bundle.card.classes) == {"normal", *found}
    assert bundle.card.joint_types == ("PTH",)
    types = [set(one.board_types.tolist()) for one in lots]
    assert sum(map(len, types)) == len(set().union(*types)) == 6
    assert bundle.card.operating_points[0].name == "recall-0.98"


def test_the_report_says_what_is_proved(adopted: Path) -> None:
    report = adopted / "own-1.0.0.report"
    assert re.search(r"\d+ of \d+ held-out defects escape: at most", (report / "adoption.md").read_text())
    page = (report / "adoption.md").read_text()
    gate = (report / "report.html").read_text()
    assert re.search(r"\d+ of \d+ joints, below \d+\.\d% \(95 %\); too few joints to prove the budget", gate)
    assert re.search(r"held-out: \d+ joints, \d+ of them defects", page)
    assert re.search(r"max_flipped = 0\.\d+", page)
    assert re.search(r"recall-0\.98, threshold \d\.\d+: recall \d\.\d+ \(\d+ of \d+\)", page)
    assert (report / "report.html").exists()
    auroc = r"AUROC \d\.\d{4} \(\d\.\d{4} to \d\.\d{4}\), recall"
    assert re.search(rf"held-out joints by own-1\.0\.0: {auroc}", page)
    assert re.search(rf"held-out joints by the network that comes with axi-edge, untouched: {auroc}", page)
    assert re.search(r"\| MB-\d+ +\| +\d+ +\| +\d+ of \d+ +\| +\d+ of \d+ +\|", page), page
    held_out = load_lot(adopted / "own-1.0.0.lots" / "held-out", PreprocessSpec())
    assert f"(held out are {len(held_out.rows)} of the 180 joints)" in page


def test_an_adoption_that_comes_to_nothing_leaves_nothing(lot: Path, adopted: Path, tmp_path: Path) -> None:
    words = ["adopt", str(lot), "--name", "own"]
    kept = adopted / "own-1.0.1.notes.txt"
    kept.write_text("somebody's own")
    before = sorted(adopted.rglob("*"))
    for more in (["--out", str(tmp_path / "new")], ["--out", str(adopted), "--version", "1.0.1"]):
        call = [Path(sys.executable).with_name("axi-convert"), *words, *more]
        with subprocess.Popen(call, stderr=subprocess.PIPE, text=True) as running:
            assert running.stderr
            assert any("fine-tuning the reference" in line for line in running.stderr)
            running.send_signal(signal.SIGTERM)  # which nobody who started the tests can have set aside
            running.stderr.read()
        assert running.returncode == 130
    assert not (tmp_path / "new").exists()
    assert sorted(adopted.rglob("*")) == before
    kept.unlink()
    assert main([*words, "--out", str(tmp_path / "new"), "--joint-type", "BGA"]) == 2
    assert not (tmp_path / "new").exists()


def test_lots_of_another_joint_type_are_refused(adopted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = adopted / "other.toml"
    text = (adopted / "own-1.0.0.toml").read_text()
    for named in ('["BGA"]', '["PTH", "BGA"]'):
        recipe.write_text(text.replace('["PTH"]', named).replace('"1.0.0"', '"1.0.1"'))
        assert main(["build", str(recipe), "--out", str(adopted)]) == 3
        assert "[bundle] joint_types: BGA, but the lots hold PTH" in capsys.readouterr().err
    recipe.unlink()


def test_a_model_is_not_measured_on_what_taught_it_without_a_word(
    adopted: Path, lot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever the lots are called: the whole lot holds the joints of its parts."""
    parts, bundle = adopted / "own-1.0.0.lots", str(adopted / "own-1.0.0")
    words = ["--validation", str(parts / "validation")]
    for name, known in (("training", True), ("held-out", False)):
        assert main(["evaluate", bundle, "--data", str(parts / name), *words, "--out", str(tmp_path / name)]) == 0
        page = (tmp_path / name / "evaluation.md").read_text()
        assert ("taught own-1.0.0, or chose its thresholds" in page) == known
        assert ("Simulated joints" in page) != known
    taught = len(load_lot(parts / "training", PreprocessSpec()).rows)
    recipe, text = adopted / "other.toml", (adopted / "own-1.0.0.toml").read_text()
    for path, name in (("calibration", "validation"), ("validation", "held-out"), ("evaluation", "training")):
        section = f'[{path}]\nlot = "own-1.0.0.lots/'
        text = re.sub(rf"\[{path}\]\nlot = \"own-1\.0\.0\.lots/[a-z-]+", f"{section}{name}", text)
    recipe.write_text(text.replace('"1.0.0"', '"1.0.1"'))
    assert main(["build", str(recipe), "--out", str(tmp_path / "refused")]) == 3
    assert f"[evaluation] lot: {taught} of the {taught} joints of training taught" in capsys.readouterr().err
    recipe.unlink()


def test_nothing_is_written_over(adopted: Path, lot: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(adopted.rglob("*"))
    assert main(["adopt", str(lot), "--out", str(adopted), "--name", "own"]) == 2
    assert "give another --version" in capsys.readouterr().err
    assert sorted(adopted.rglob("*")) == before


def test_the_reference_goes_on_and_ends_no_worse_than_its_end_began(
    lot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "own.keras"
    words = ["train", "slicenet", "--data", str(lot), "--out", str(out), "--start", "reference", "--epochs", "2"]
    assert main(words) == 0
    assert re.search(r"kept epoch \d of 2.*: validation AUROC", capsys.readouterr().err)
    history = [line.split(",") for line in (tmp_path / "own.csv").read_text().splitlines()[1:]]
    assert [row[0] for row in history] == ["0", "1", "2"]
    opened = load_lot(lot, PreprocessSpec())
    classes = {row.truth for row in opened.rows}
    model = load_model(out)
    assert first_output(model.output_shape)[-1] == len(classes)
    assert auroc(score(model, opened.patches), opened.labels) > 0.9


def test_a_lot_that_nobody_typed_trains_evaluates_and_says_less(
    lot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unnamed = without_types(lot, tmp_path / "unnamed")
    out = tmp_path / "own.keras"
    assert (
        main(["train", "slicenet", "--data", str(unnamed), "--out", str(out), "--start", "reference", "--epochs", "1"])
        == 0
    )
    assert main(["evaluate", str(out), "--data", str(unnamed), "--out", str(tmp_path / "report")]) == 0
    said = capsys.readouterr()
    assert "says nothing of new board types" in " ".join(said.err.split())
    page = (tmp_path / "report" / "evaluation.md").read_text()
    assert "kept apart by serial only" in page
    assert "board types that nobody named" in page


@pytest.fixture(scope="module")
def optical(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Optical joints in colours, of which somebody only said good or defect."""
    lot = tmp_path_factory.mktemp("optical") / "lot"
    list(simulate_optical_lot(lot, LotPlan(boards=6, joints=120, seed=12, types=3, prefix="O")))
    rows = [f"{job},{joint},{row.board_type},{row.label}" for (job, joint), row in read_graded_truth(lot).items()]
    (lot / "truth.csv").write_text("\n".join(["job_id,joint,board_type,label", *rows]) + "\n")
    return lot


def test_optical_joints_of_two_classes_train_the_same_network(
    optical: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "optical.keras"
    words = ["train", "slicenet", "--data", str(optical), "--out", str(out), "--start", "reference", "--epochs", "1"]
    assert main(words) == 2
    assert "slice_format" in capsys.readouterr().err
    assert main([*words, "--colours"]) == 0
    assert main(["evaluate", str(out), "--data", str(optical), "--colours"]) == 0
    assert "AUROC" in capsys.readouterr().out


def test_types_that_nothing_is_measured_on_are_certified_by_no_bundle(
    adopted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Calibrated and validated on PTH, measured on BGA: neither is proved."""
    for part in ("training", "validation", "held-out"):
        shutil.copytree(adopted / "own-1.0.0.lots" / part, tmp_path / "lots" / part)
    table = tmp_path / "lots" / "held-out" / "truth.csv"
    lines = [line.split(",") for line in table.read_text().splitlines()]
    place = lines[0].index("joint_type") if "joint_type" in lines[0] else len(lines[0])
    rows = [[*line[:place], "BGA" if number else "joint_type", *line[place + 1 :]] for number, line in enumerate(lines)]
    table.write_text("\n".join(",".join(row) for row in rows) + "\n")
    recipe = (adopted / "own-1.0.0.toml").read_text().replace("own-1.0.0.lots/", "lots/")
    (tmp_path / "own.toml").write_text(recipe.replace("own-1.0.0.keras", str(adopted / "own-1.0.0.keras")))
    assert main(["build", str(tmp_path / "own.toml"), "--out", str(tmp_path)]) == 3
    assert "[evaluation] lot: held-out holds no joint of type PTH" in capsys.readouterr().err
