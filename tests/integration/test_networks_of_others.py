"""Networks that somebody else made: built, or refused in a sentence that names the layer; none ends in a traceback."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from convert.cli import main as axi_convert
from convert.conversion.source import doubted_pixels, require_forwards
from convert.lots.lot import LabelledLot
from convert.lots.reading import load_lot
from convert.networks.handing import of_keras
from convert.networks.scoring import score
from edge.core.errors import ConfigError
from edge.core.preprocess import PreprocessSpec
from tests.support.training import write_recipe

pytestmark = pytest.mark.slow
WIDE = "max_auroc_drop = 1.0\nmax_flipped = 1.0\nmax_recall_drop = 1.0"
INPUT = (128, 128, 6, 1)


def chain(*parts: Any, shape: tuple[int, ...] = INPUT, end: Any = None) -> Any:
    value = start = keras.Input(shape)
    for part in parts:
        value = part(value)
    return keras.Model(start, (end or layers.Dense(2, activation="softmax", name="end"))(value))


def small(value: Any) -> Any:
    """Few enough values for a Dense layer to take at once."""
    return layers.MaxPooling3D((16, 16, 2), name="pool")(value)


def residual() -> Any:
    start = keras.Input(INPUT)
    left = layers.Conv3D(2, 3, padding="same", name="left")(start)
    right = layers.Conv3D(2, 1, name="right")(start)
    joined = layers.Add(name="join")([left, right])
    return keras.Model(start, layers.Dense(2, activation="softmax")(layers.Flatten()(small(joined))))


def two_outputs() -> Any:
    start = keras.Input(INPUT)
    flat = layers.Flatten()(small(start))
    return keras.Model(start, [layers.Dense(2, activation="softmax")(flat), layers.Dense(1)(flat)])


def two_inputs() -> Any:
    first, second = keras.Input(INPUT), keras.Input(INPUT)
    flat = layers.Flatten()(small(layers.Add()([first, second])))
    return keras.Model([first, second], layers.Dense(2, activation="softmax")(flat))


def nested() -> Any:
    inner = keras.Sequential([keras.Input(INPUT), layers.MaxPooling3D((16, 16, 2))], name="inner")
    return chain(inner, layers.Flatten())


def half_precision() -> Any:
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        return chain(layers.Conv3D(2, 3, name="half"), small, layers.Flatten())
    finally:
        keras.mixed_precision.set_global_policy("float32")


def named_output() -> Any:
    start = keras.Input(INPUT)
    return keras.Model(start, {"p_defect": layers.Dense(2, activation="softmax")(layers.Flatten()(small(start)))})


@keras.saving.register_keras_serializable("tests")
class Subclassed(keras.Model):
    """Its layers are called in code of its own."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.flatten, self.end = layers.Flatten(), layers.Dense(2, activation="softmax")

    def call(self, value: Any) -> Any:
        return self.end(self.flatten(value))


def subclassed() -> Any:
    model = Subclassed(name="mine")
    model(np.zeros((1, *INPUT), np.float32))
    return model


def unbuilt() -> Any:
    return keras.Sequential([layers.Flatten(), layers.Dense(2, activation="softmax")], name="mine")


def shared_layer() -> Any:
    again = layers.Conv3D(1, 3, padding="same", name="again")
    return chain(again, again, small, layers.Flatten())


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "residual": (residual, "layer 'right'"),
    "two outputs": (two_outputs, "layer"),
    "two inputs": (two_inputs, "takes 2 inputs; build it with one"),
    "nested, over volumes": (nested, "computes MaxPool3D"),
    "half precision": (half_precision, "layer 'half'"),
    "a layer used twice": (shared_layer, "layer 'again'"),
    "average pooling": (
        lambda: chain(layers.AveragePooling3D((16, 16, 2), name="mean"), layers.Flatten()),
        "layer 'mean' computes AvgPool3D",
    ),
    "named output": (named_output, "gives its output as p_defect; build the model with one output"),
    "unbuilt": (unbuilt, "mine: its layers cannot be followed from an input"),
    "PReLU": (lambda: chain(small, layers.PReLU(name="slope"), layers.Flatten()), "layer 'slope' is a PReLU"),
    "ConvLSTM": (
        lambda: chain(small, layers.Permute((3, 1, 2, 4)), layers.ConvLSTM2D(2, 3, name="memory"), layers.Flatten()),
        "layer 'memory' is a ConvLSTM2D",
    ),
    "return_sequences": (
        lambda: chain(
            layers.Permute((3, 1, 2, 4)),
            layers.TimeDistributed(layers.MaxPooling2D(16)),
            layers.TimeDistributed(layers.Flatten()),
            layers.LSTM(4, return_sequences=True, name="all_steps"),
            layers.Flatten(),
        ),
        "layer 'all_steps'",
    ),
    "normalisation of axis 1": (
        lambda: chain(small, layers.BatchNormalization(axis=1, name="norm"), layers.Flatten()),
        "layer 'norm': normalises axis 1",
    ),
    "Dense on a volume": (
        lambda: chain(small, layers.Dense(3, name="each"), layers.Flatten()),
        "layer 'each'",
    ),
    "another size": (lambda: chain(small, layers.Flatten(), shape=(64, 64, 6, 1)), "64"),
    "fewer slices": (lambda: chain(small, layers.Flatten(), shape=(128, 128, 4, 1)), "4"),
    "any size": (
        lambda: chain(layers.Conv3D(2, 3), layers.GlobalMaxPooling3D(), shape=(None, None, 6, 1)),
        "input shape",
    ),
    "logits": (lambda: chain(small, layers.Flatten(), end=layers.Dense(2, name="end")), "layer 'end'"),
    "three classes": (
        lambda: chain(small, layers.Flatten(), end=layers.Dense(3, activation="softmax", name="end")),
        "layer 'end'",
    ),
    "a sigmoid": (
        lambda: chain(small, layers.Flatten(), end=layers.Dense(1, activation="sigmoid", name="end")),
        "layer 'end'",
    ),
    "swish": (
        lambda: chain(layers.Conv3D(2, 3, activation="swish", name="wave"), small, layers.Flatten()),
        "layer 'wave'",
    ),
    "dilated": (
        lambda: chain(layers.Conv3D(2, 3, dilation_rate=2, name="wide"), small, layers.Flatten()),
        "layer 'wide'",
    ),
    "upsampling": (lambda: chain(small, layers.UpSampling3D(name="up"), layers.Flatten()), "layer 'up'"),
}


def built(model: Any, folder: Path, lots: Path) -> int:
    with warnings.catch_warnings(action="ignore"):  # Keras warns of what is saved before it was built
        model.save(folder / "model.keras")
    recipe = write_recipe(folder / "recipe.toml", folder / "model.keras", lots, budget=WIDE)
    return axi_convert(["build", str(recipe), "--out", str(folder / "out")])


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_built_is_refused_by_the_name_of_its_layer(
    name: str, tmp_path: Path, lots: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, says = REFUSED[name]
    assert built(make(), tmp_path, lots) == 3
    assert says in " ".join(capsys.readouterr().err.split())


BUILT: dict[str, Callable[[], Any]] = {
    "a functional chain": lambda: chain(layers.Conv3D(2, 3, activation="relu"), small, layers.Flatten()),
    "layers called in code of its own": subclassed,
    "slices as channels": lambda: chain(layers.MaxPooling2D(16), layers.Flatten(), shape=(128, 128, 6)),
    "pooled over all places": lambda: chain(layers.GlobalAveragePooling3D()),
}


@pytest.mark.parametrize("name", BUILT)
def test_what_is_not_the_papers_may_be_built(name: str, tmp_path: Path, lots: Path) -> None:
    keras.utils.set_random_seed(1)
    assert built(BUILT[name](), tmp_path, lots) == 0


@pytest.mark.parametrize("content", [b"", b"not a model", b"PK\x05\x06" + bytes(18)])
def test_a_file_that_is_no_model_is_refused(
    content: bytes, tmp_path: Path, lots: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model.keras").write_bytes(content)
    recipe = write_recipe(tmp_path / "recipe.toml", tmp_path / "model.keras", lots, budget=WIDE)
    assert axi_convert(["build", str(recipe), "--out", str(tmp_path / "out")]) == 3
    assert "model.keras: not readable as a Keras model" in " ".join(capsys.readouterr().err.split())


def test_a_network_whose_classes_are_swapped_is_told_so(lots: Path) -> None:
    lot = load_lot(lots / "validate", PreprocessSpec())
    right = lot.labels.astype(np.float64)
    require_forwards(right, lot)
    with pytest.raises(
        ConfigError, match=r"run the wrong way round .AUROC 0\.00.: the second output must be the defect"
    ):
        require_forwards(1 - right, lot)


def of_bytes(lot: LabelledLot) -> Any:
    """A network that knows this lot, and nothing of grey values below 20, out of 255."""
    start = keras.Input((128, 128, 6))
    seen = layers.ReLU()(layers.Rescaling(1.0, -20.0)(start))
    value = layers.Flatten()(layers.AveragePooling2D(32)(seen))
    end = layers.Dense(1, activation="sigmoid")
    model = keras.Model(start, end(value), name="of_bytes")
    values = np.asarray(keras.Model(start, value)(lot.patches.astype(np.float32)))
    weights = np.linalg.lstsq(values - values.mean(axis=0), lot.labels - lot.labels.mean(), rcond=None)[0]
    end.set_weights([weights[:, np.newaxis], np.array([-(values @ weights).mean()])])
    return model


def test_grey_values_that_a_network_was_not_trained_on_are_told(
    lots: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lot = load_lot(lots / "validate", PreprocessSpec())
    model = of_bytes(lot)
    right, wrong = of_keras(model, (), "0..255"), of_keras(model)
    assert doubted_pixels(right, "0..255", score(right, lot), lot) == ""
    said = doubted_pixels(wrong, "0..1", score(wrong, lot), lot)
    assert re.search(r'for 0\.\.255 to 1\.00; if it was trained on those, say pixels = "0\.\.255"', said), said
    assert built(model, tmp_path, lots) == 3
    assert 'say pixels = "0..255"' in " ".join(capsys.readouterr().err.split())
    told, data = [], ["--data", str(lots / "evaluate"), "--validation", str(lots / "validate")]
    for more in ([], ["--pixels", "0..255"]):
        assert axi_convert(["evaluate", str(tmp_path / "model.keras"), *data, "--json", *more]) == 0
        said = capsys.readouterr()
        assert ("was it trained on 0..255? --pixels" in " ".join(said.err.split())) == (not more)
        (found,) = json.loads(said.out)["models"]
        told.append((found["note"], found["auroc_validation"]["value"]))
    assert told[0] == ("Keras, float32, grey values 0..1", 0.5)
    assert told[1][0].endswith("0..255")
    assert told[1][1] > 0.6
    assert axi_convert(["evaluate", "cnn3d", *data, "--pixels", "0..255"]) == 2
    assert "bundles and shipped models know theirs" in " ".join(capsys.readouterr().err.split())
