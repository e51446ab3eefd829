"""``axi-convert build`` on a small network: what it writes, and what it refuses."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from convert.cli import main as axi_convert
from convert.conversion.convert import lower as lower_step
from convert.conversion.flatfile import operations, problems
from convert.conversion.quantise import quantised_file
from convert.conversion.source import read
from convert.conversion.task import Lots
from convert.conversion.tasks import load_recipe
from convert.lots.reading import load_lot
from convert.lowering.lower import lower
from convert.lowering.passes.head import HEAD
from convert.networks.cnn3d import cnn3d
from edge.bundle.format import open_bundle
from edge.core.card import TensorInfo
from edge.core.errors import BundleRefused, ConfigError
from edge.judging.replay import replay
from edge.judging.runtime import TfliteScorer, choose_runtime, installed_runtimes
from tests.support.training import WIDE, quick_model, write_recipe


@pytest.fixture(scope="module")
def model(bundle: Path) -> Path:
    """What the shared bundle was made of."""
    return bundle.parents[1] / "model.keras"


@pytest.fixture(scope="module")
def float32(tmp_path_factory: pytest.TempPathFactory, model: Path, lots: Path) -> Path:
    """A float32 bundle, signed with the ``key.pem`` beside it."""
    folder = tmp_path_factory.mktemp("float32")
    key = Ed25519PrivateKey.generate()
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    recipe = write_recipe(folder / "r.toml", model, lots, scheme="float32", name="float", budget=WIDE)
    recipe.write_text(recipe.read_text() + '[signing]\nkey = "key.pem"\n')
    assert axi_convert(["build", str(recipe), "--out", str(folder)]) == 0
    return folder / "float-1.0.0"


def test_a_bundle_replays_on_every_runtime_and_carries_its_lineage(bundle: Path) -> None:
    opened = open_bundle(bundle)
    for runtime in installed_runtimes():
        scorer = TfliteScorer(opened.model_path, opened.card.quantisation, runtime, threads=1)
        assert replay(opened, scorer) == 8
    assert list(problems(operations(opened.model_path.read_bytes()), "int8")) == []
    assert opened.card.lineage.tools.keys() >= {"tensorflow", "keras", "numpy", "python", "axi-edge"}
    assert [point.name for point in opened.card.operating_points] == ["recall-0.90", "recall-0.95"]
    assert len({golden.answer.output.tobytes() for golden in opened.golden}) > 1


def test_the_gate_refuses_by_exit_code_writes_no_bundle_and_leaves_the_report(
    tmp_path: Path, lots: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model that int8 ruins, though float does not mind."""
    quick_model(lots / "learn", tmp_path / "model.keras", epochs=1)
    flat = tmp_path / "flat.keras"
    spoil(tmp_path / "model.keras", flat)
    recipe = write_recipe(tmp_path / "r.toml", flat, lots, budget="max_auroc_drop = 0.0\nmax_flipped = 0.0")
    code = axi_convert(["build", str(recipe), "--out", str(tmp_path / "out")])
    said = capsys.readouterr().err
    assert code == 6, said
    assert "no bundle written" in said
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["cnn3d-test-1.0.0.report"]
    folder = tmp_path / "out" / "cnn3d-test-1.0.0.report"
    report = json.loads((folder / "report.json").read_text())
    assert not all(check["passed"] for check in report["gate"])
    assert report["refused"].startswith("no bundle written")
    worst = report["worst_layer"]
    assert worst.startswith("conv2"), "its small weights meet the large channel"
    assert f'[quantisation] float = ["{worst}"]' in " ".join(said.split())
    assert len(report["scores"]) == 40
    page = (folder / "report.html").read_text()
    assert "EXCEEDED" in page
    for picture in ("scores.png", "layers.png", "flipped-at-recall-0.90.png", "flipped-at-recall-0.95.png"):
        assert picture in page
        assert (folder / picture).stat().st_size > 1000


def spoil(model: Path, out: Path) -> None:
    """Make one channel a hundred times larger and its takers as much smaller: the same function in float.

    In int8 the one channel sets the scale of all, and the others keep a handful of levels.
    """
    from convert.networks.scoring import load_model

    network = load_model(model)
    kernel, bias = network.get_layer("conv1").get_weights()
    kernel[..., 0] *= 100.0
    bias[0] = bias[0] * 100.0 + 50.0
    network.get_layer("conv1").set_weights([kernel, bias])
    kernel, bias = network.get_layer("conv2").get_weights()
    kernel[:, :, :, 0] /= 100.0
    network.get_layer("conv2").set_weights([kernel, bias])
    network.save(out)


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        (("[source]", "[sorce]"), 3, "nearest valid name is 'source'"),
        (('version = "1.0.0"', 'version = "1"'), 3, "[bundle] version"),
        (("learn", "nowhere"), 3, "[calibration] lot: "),
        (("[source]", '[source]\nnetwork = "cnn-lstm"'), 3, "[source] network: the model is no cnn-lstm"),
        (("evaluate", "validate"), 3, "[evaluation] lot: validate shares a joint with [validation]"),
    ],
)
def test_a_bad_recipe_is_named(
    tmp_path: Path,
    model: Path,
    lots: Path,
    capsys: pytest.CaptureFixture[str],
    change: tuple[str, str],
    code: int,
    says: str,
) -> None:
    recipe = write_recipe(tmp_path / "r.toml", model, lots, budget=WIDE)
    recipe.write_text(recipe.read_text().replace(*change))
    assert axi_convert(["build", str(recipe), "--out", str(tmp_path / "out")]) == code
    assert says in " ".join(capsys.readouterr().err.split())


def test_a_signed_float32_bundle_opens_under_its_key_only(float32: Path) -> None:
    key = load_pem_private_key((float32.parent / "key.pem").read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    opened = open_bundle(float32, [key.public_key()])
    assert opened.signed
    assert opened.card.quantisation.input == TensorInfo(dtype="float32", shape=(1, 128, 128, 6))
    with pytest.raises(BundleRefused):
        open_bundle(float32, [Ed25519PrivateKey.generate().public_key()])


def test_a_saved_model_gives_the_bundle_that_its_keras_file_gives(
    tmp_path: Path, model: Path, lots: Path, bundle: Path
) -> None:
    from convert.networks.scoring import load_model

    load_model(model).export(tmp_path / "saved", verbose=False)
    recipe = write_recipe(tmp_path / "r.toml", tmp_path / "saved", lots, name="of-saved", budget=WIDE)
    assert axi_convert(["build", str(recipe), "--out", str(tmp_path)]) == 0
    first, second = open_bundle(bundle), open_bundle(tmp_path / "of-saved-1.0.0")
    assert first.model_path.read_bytes() == second.model_path.read_bytes()
    assert first.card.lineage.source_digest != second.card.lineage.source_digest


def test_layers_grow_into_bands_where_the_recipe_lets_them(tmp_path: Path, model: Path, lots: Path) -> None:
    from convert.networks.scoring import load_model

    path = write_recipe(tmp_path / "r.toml", model, lots, budget=WIDE)
    path.write_text(path.read_text().replace("[quantisation]", "[quantisation]\nbands = 0.5"))
    recipe, task = load_recipe(path)
    spec = task.spec(keras := load_model(model), recipe)
    learn, validate, evaluate = (load_lot(lots / name, spec) for name in ("learn", "validate", "evaluate"))
    together = Lots(learn, validate, evaluate)
    lowering = lower_step(recipe, read(recipe, task, keras, together, print), together, print)
    *_, flat, bands = lowering.lowered.rewrites
    assert (flat.name, bands.name) == ("flatten", "bands")
    assert bands.weights > flat.weights


def test_reading_the_file_finds_what_the_converter_does_not_say(model: Path) -> None:
    """A float32 file is no int8 model, whatever it is called."""
    network = cnn3d(dense_units=4)
    patches = np.random.default_rng(0).integers(0, 256, (8, 128, 128, 6)).astype(np.uint8)
    program = lower(network, patches)
    found = list(problems(operations(quantised_file(program, patches, "float32")), "int8"))
    assert any("CONV_2D" in problem and "FLOAT32" in problem for problem in found)


def test_a_card_that_describes_another_model_is_refused(bundle: Path) -> None:
    import msgspec

    opened = open_bundle(bundle)
    other = msgspec.structs.replace(opened.card.quantisation, output=TensorInfo(dtype="int8", shape=(1, 2)), head=HEAD)
    with pytest.raises(BundleRefused, match="its output is"):
        TfliteScorer(opened.model_path, other, installed_runtimes()[0], threads=1)
    with pytest.raises(BundleRefused, match="cannot load it"):
        TfliteScorer(b"TFL3 is not enough", None, installed_runtimes()[0], threads=1)


def test_the_runtime_can_be_chosen_and_the_faster_is_preferred() -> None:
    names = [runtime.name for runtime in installed_runtimes()]
    assert choose_runtime("auto").name == names[0]
    for name in names:
        assert choose_runtime(name).name == name  # type: ignore[arg-type]
    if shutil.which("python3") and len(names) == 2:
        assert names == ["litert", "tflite-runtime"]


def test_a_converter_that_dies_is_reported_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    patches = np.zeros((8, 128, 128, 6), np.uint8)
    program = lower(cnn3d(dense_units=4), patches)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ConfigError, match="ended with status 1"):
        quantised_file(program, patches, "int8")
    assert subprocess.run(["/bin/false"], check=False).returncode == 1


def test_half_precision_runs_everywhere_and_is_half_as_large(
    tmp_path: Path, model: Path, lots: Path, float32: Path
) -> None:
    recipe = write_recipe(tmp_path / "r.toml", model, lots, scheme="float16", name="float16", budget=WIDE)
    assert axi_convert(["build", str(recipe), "--out", str(tmp_path)]) == 0
    size, full = (open_bundle(path).model_path.stat().st_size for path in (tmp_path / "float16-1.0.0", float32))
    assert size < 0.6 * full


def test_a_file_that_one_runtime_refuses_ships_only_where_the_recipe_leaves_that_runtime_out(
    tmp_path: Path, model: Path, lots: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write_recipe(tmp_path / "r.toml", model, lots, scheme="dynamic-range", name="ranged", budget=WIDE)
    assert axi_convert(["build", str(recipe), "--out", str(tmp_path / "both")]) == 6
    assert "tflite-runtime 2.14.0 ended with status" in " ".join(capsys.readouterr().err.split())
    recipe.write_text(recipe.read_text().replace("[quantisation]", '[quantisation]\nruntimes = ["litert"]'))
    assert axi_convert(["build", str(recipe), "--out", str(tmp_path / "one")]) == 0
    assert [name.split()[0] for name in open_bundle(tmp_path / "one" / "ranged-1.0.0").card.quantisation.runtimes] == [
        "litert"
    ]


def test_the_smallest_rank_within_budget_is_built(tmp_path: Path, model: Path, lots: Path) -> None:
    recipe = write_recipe(tmp_path / "r.toml", model, lots, name="thin", budget=WIDE)
    recipe.write_text(
        recipe.read_text() + '[factorisation]\nlayers = ["dense1"]\nranks = [8, 2]\nmax_auroc_drop = 1.0\n'
    )
    assert axi_convert(["build", str(recipe), "--out", str(tmp_path)]) == 0
    report = json.loads((tmp_path / "thin-1.0.0.report" / "report.json").read_text())
    small, larger, whole = report["ranks"]
    assert [tried["rank"] for tried in report["ranks"]] == [2, 8, None]
    assert [tried["chosen"] for tried in report["ranks"]] == [True, False, False]
    assert small["model_bytes"] < larger["model_bytes"] < whole["model_bytes"]
    assert report["model_bytes"] == small["model_bytes"]
    assert (tmp_path / "thin-1.0.0.report" / "ranks.png").stat().st_size > 1000


def test_a_layer_to_factorise_that_is_not_there_is_named(
    tmp_path: Path, model: Path, lots: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write_recipe(tmp_path / "r.toml", model, lots, budget=WIDE)
    recipe.write_text(recipe.read_text() + '[factorisation]\nlayers = ["conv1"]\n')
    assert axi_convert(["build", str(recipe), "--out", str(tmp_path)]) == 3
    assert "'conv1' is no dense layer or LSTM of the model; there are: dense1" in capsys.readouterr().err.replace(
        "\n", " "
    )
