"""What must never become, or stay, the model that judges joints: one test each way to get it wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest

from convert.cli import main as axi_convert
from convert.commands.keys import make_keys
from convert.conversion.flatfile import operations, problems
from convert.conversion.quantise import quantised_file
from convert.lowering.lower import lower
from convert.networks.cnn3d import cnn3d
from convert.networks.scoring import load_model
from edge.bundle.format import CARD, MODEL, SIGNATURE, open_bundle, write_bundle
from edge.bundle.signing import load_private_key, load_public_keys
from edge.cli import main as axi_edge
from edge.core.errors import BundleRefused
from tests.support.training import WIDE, quick_model, write_recipe


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, lots: Path) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.keras"
    quick_model(lots / "learn", path, epochs=1)
    return path


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def signed(tmp_path: Path, bundle: Path, keys: tuple[Path, Path]) -> Path:
    return resigned(bundle, tmp_path / "signed", keys[0], "1.0.0")


def resigned(bundle: Path, parent: Path, key: Path, version: str) -> Path:
    """The same model under another version, signed."""
    import msgspec

    opened = open_bundle(bundle)
    card = msgspec.structs.replace(opened.card, version=version)
    return write_bundle(parent, card, opened.model_path.read_bytes(), opened.golden, load_private_key(key))


def refused(words: list[str], capsys: pytest.CaptureFixture[str], code: int) -> str:
    assert axi_convert(words) == code
    return " ".join(capsys.readouterr().err.split())


def own_lots(lots: Path, parent: Path) -> Path:
    copy = parent / "lots"
    shutil.copytree(lots, copy)
    return copy


def test_random_calibration_is_refused(
    tmp_path: Path, model: Path, lots: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = own_lots(lots, tmp_path)
    rng = np.random.default_rng(0)
    for image in (path for path in (mine / "learn").rglob("*") if path.suffix in {".png", ".jpg"}):
        shape = cv2.imread(str(image), cv2.IMREAD_GRAYSCALE).shape
        cv2.imwrite(str(image), rng.integers(0, 256, shape, np.uint8))
    recipe = write_recipe(tmp_path / "r.toml", model, mine, budget=WIDE)
    said = refused(["build", str(recipe), "--out", str(tmp_path / "out")], capsys, 6)
    assert "calibration lot learn" in said
    assert "as in noise" in said
    assert not (tmp_path / "out" / "cnn3d-test-1.0.0").exists()
    assert json.loads((tmp_path / "out" / "cnn3d-test-1.0.0.report" / "report.json").read_text())["refused"]


def test_a_leaked_test_joint_is_refused(
    tmp_path: Path, model: Path, lots: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One job of the evaluation lot under another name among the calibration joints."""
    mine = own_lots(lots, tmp_path)
    job = next(path for path in sorted((mine / "evaluate").iterdir()) if path.is_dir())
    shutil.copytree(job, mine / "learn" / "LEAK-1")
    manifest = json.loads((job / "manifest.json").read_text()) | {"job_id": "LEAK-1"}
    (mine / "learn" / "LEAK-1" / "manifest.json").write_text(json.dumps(manifest))
    rows = [row for row in (mine / "evaluate" / "truth.csv").read_text().splitlines() if row.startswith(job.name)]
    with (mine / "learn" / "truth.csv").open("a") as truth:
        truth.writelines(row.replace(job.name, "LEAK-1", 1) + "\n" for row in rows[:1])
    recipe = write_recipe(tmp_path / "r.toml", model, mine, budget=WIDE)
    said = refused(["build", str(recipe), "--out", str(tmp_path / "out")], capsys, 3)
    assert "[evaluation] lot: evaluate shares a joint with [calibration] lot" in said


def test_a_float_operation_left_in_is_refused() -> None:
    """As a converter leaves it in, without a word; named as an exception it is let through."""
    patches = np.random.default_rng(0).integers(0, 256, (8, 128, 128, 6)).astype(np.uint8)
    content = quantised_file(lower(cnn3d(dense_units=4), patches), patches, "int8", ("dense1",))
    found = operations(content)
    assert any("FULLY_CONNECTED" in problem and "FLOAT32" in problem for problem in problems(found, "int8"))
    assert list(problems(found, "int8", ("dense1",))) == []


def test_a_weight_that_is_no_number_is_refused(
    tmp_path: Path, model: Path, lots: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = load_model(model)
    kernel, bias = network.get_layer("dense1").get_weights()
    kernel[7, 3] = np.nan
    network.get_layer("dense1").set_weights([kernel, bias])
    network.save(tmp_path / "nan.keras")
    recipe = write_recipe(tmp_path / "r.toml", tmp_path / "nan.keras", lots, budget=WIDE)
    said = refused(["build", str(recipe), "--out", str(tmp_path / "out")], capsys, 3)
    assert "layer 'dense1'" in said
    assert "not finite" in said


def test_a_lambda_layer_is_refused(tmp_path: Path, lots: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Keras itself will not load what runs code from a file; should it ever, no lowering rule knows it."""
    body = keras.Input((128, 128, 6, 1)), keras.layers.Lambda(lambda value: value), keras.layers.Flatten()
    keras.Sequential([*body, keras.layers.Dense(2, activation="softmax")]).save(tmp_path / "lambda.keras")
    recipe = write_recipe(tmp_path / "r.toml", tmp_path / "lambda.keras", lots, budget=WIDE)
    assert "ambda" in refused(["build", str(recipe), "--out", str(tmp_path / "out")], capsys, 3)


def test_a_recall_over_budget_is_refused(
    tmp_path: Path, model: Path, lots: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An escape bound that so few defects could never prove: it names how many it would take."""
    budget = f"{WIDE}\nmax_escape = 0.001"
    recipe = write_recipe(tmp_path / "r.toml", model, lots, budget=budget)
    said = refused(["build", str(recipe), "--out", str(tmp_path / "out")], capsys, 6)
    assert "escape rate at recall-0.90, 95 % bound" in said
    assert "takes at least 2995 defects" in said
    assert not (tmp_path / "out" / "cnn3d-test-1.0.0").exists()


def test_a_flipped_weight_byte_in_the_bundle_is_refused(signed: Path, keys: tuple[Path, Path]) -> None:
    content = bytearray((signed / MODEL).read_bytes())
    content[len(content) // 2] ^= 1
    (signed / MODEL).write_bytes(content)
    with pytest.raises(BundleRefused, match=r"model\.tflite: digest"):
        open_bundle(signed, load_public_keys(keys[1]))


def test_an_altered_card_is_refused(signed: Path, keys: tuple[Path, Path]) -> None:
    """A threshold moved by hand: every digest still fits, the signature does not."""
    card = json.loads((signed / CARD).read_text())
    card["operating_points"][0]["threshold"] = 0.999
    (signed / CARD).write_text(json.dumps(card))
    with pytest.raises(BundleRefused, match=r"SIGNATURE: does not match card\.json"):
        open_bundle(signed, load_public_keys(keys[1]))


def test_a_wrong_signature_is_refused(tmp_path: Path, signed: Path, bundle: Path, keys: tuple[Path, Path]) -> None:
    stranger, _ = make_keys(tmp_path / "stranger")
    forged = resigned(bundle, tmp_path / "forged", stranger, "1.0.0")
    shutil.copyfile(forged / SIGNATURE, signed / SIGNATURE)
    with pytest.raises(BundleRefused, match="under the pinned public key"):
        open_bundle(signed, load_public_keys(keys[1]))


@pytest.fixture
def device(tmp_path: Path, keys: tuple[Path, Path]) -> Path:
    """A configuration whose [model] bundle is a link that is not there yet."""
    config = tmp_path / "axi-edge.toml"
    config.write_text(
        f'[device]\nname = "axi1"\n[spool]\npath = "{tmp_path}/spool"\n[journal]\npath = "{tmp_path}/journal.db"\n'
        f'[model]\nbundle = "{tmp_path}/bundles/current"\npublic_key_file = "{keys[1]}"\n'
        '[mqtt]\nbase_topic = "a/b"\nhost = "localhost"\n'
    )
    return config


def activate(device: Path, *words: str) -> int:
    return axi_edge(["bundle", "activate", *words, "--config", str(device)])


def test_an_older_version_is_refused_unless_forced_and_rolling_back_returns(
    tmp_path: Path, device: Path, bundle: Path, keys: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    older, newer = (str(resigned(bundle, tmp_path / "offered", keys[0], version)) for version in ("1.9.0", "1.10.0"))
    link = tmp_path / "bundles" / "current"
    assert activate(device, newer) == 0
    assert link.resolve().name == "cnn3d-test-1.10.0"
    assert activate(device, older) == 4
    assert "version 1.9.0 is older than the active 1.10.0" in " ".join(capsys.readouterr().err.split())
    assert link.resolve().name == "cnn3d-test-1.10.0"
    assert activate(device, older, "--force") == 0
    assert link.resolve().name == "cnn3d-test-1.9.0"
    assert axi_edge(["bundle", "rollback", "--config", str(device)]) == 0
    assert link.resolve().name == "cnn3d-test-1.10.0"
    assert "1.10.0 is active again" in capsys.readouterr().out
    (tmp_path / "bundles" / "broken").mkdir()
    (tmp_path / "bundles" / "broken" / "card.json").write_text("{}")
    assert axi_edge(["bundle", "list", "--config", str(device)]) == 0
    broken, now, before = capsys.readouterr().out.splitlines()
    assert broken.startswith("broken: refused: ")
    assert now.startswith("cnn3d-test 1.10.0 for PTH, built 20")
    assert now.endswith("(active)")
    assert before.startswith("cnn3d-test 1.9.0 for PTH")
    assert before.endswith("(before)")


def test_what_does_not_verify_or_replay_never_becomes_active(
    tmp_path: Path, device: Path, bundle: Path, keys: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    link = tmp_path / "bundles" / "current"
    assert axi_edge(["bundle", "rollback", "--config", str(device)]) == 4
    unsigned = write_bundle(
        tmp_path / "unsigned", open_bundle(bundle).card, (bundle / MODEL).read_bytes(), open_bundle(bundle).golden
    )
    assert activate(device, str(unsigned)) == 4
    assert not link.is_symlink()
    good = resigned(bundle, tmp_path / "offered", keys[0], "2.0.0")
    assert activate(device, str(good)) == 0
    twisted = open_bundle(bundle)
    golden = [
        joint._replace(answer=joint.answer._replace(output=255 - joint.answer.output)) for joint in twisted.golden
    ]
    import msgspec

    card = msgspec.structs.replace(twisted.card, version="3.0.0")
    lying = write_bundle(tmp_path / "lying", card, (bundle / MODEL).read_bytes(), golden, load_private_key(keys[0]))
    assert activate(device, str(lying)) == 4
    assert "this runtime's output differs" in capsys.readouterr().err
    assert link.resolve().name == "cnn3d-test-2.0.0"


def test_keys_are_never_overwritten_and_private(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert axi_convert(["keys", "--out", str(tmp_path / "k")]) == 0
    assert (tmp_path / "k" / "signing.pem").stat().st_mode & 0o077 == 0
    assert axi_convert(["keys", "--out", str(tmp_path / "k")]) == 2
    assert "exists already" in capsys.readouterr().err
