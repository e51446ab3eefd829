"""A SavedModel becomes the Keras model that it was made of, or is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")

import tensorflow as tf  # noqa: E402

from convert.networks.cnn3d import INPUT_SHAPE, cnn3d  # noqa: E402
from convert.networks.cnn_lstm import COMPACT, Stage, Trunk, cnn_lstm  # noqa: E402
from convert.networks.factorise import Ranks, factorised  # noqa: E402
from convert.networks.saved import digest_folder, load_saved_model  # noqa: E402
from edge.core.errors import ConfigError  # noqa: E402

NARROW: Trunk = tuple(Stage(2 + n, stage.pool) for n, stage in enumerate(COMPACT))
NO_DENSE = 10**9


def small_cnn3d() -> Any:
    return cnn3d(dense_units=6, seed=1)


def small_lstm() -> Any:
    return cnn_lstm(trunk=NARROW, features=7, units=40, seed=2)


MAKERS = {
    "cnn3d": (small_cnn3d, "cnn3d"),
    "cnn3d factorised": (lambda: factorised(small_cnn3d(), Ranks(dense=3, least_weights=100_000)), "cnn3d"),
    "cnn-lstm": (small_lstm, "cnn-lstm"),
    "cnn-lstm factorised": (
        lambda: factorised(small_lstm(), Ranks(lstm_input=3, lstm_recurrent=8, least_weights=NO_DENSE)),
        "cnn-lstm",
    ),
}


@pytest.mark.parametrize("what", MAKERS)
def test_it_is_the_model_that_was_exported(what: str, tmp_path: Path) -> None:
    make, family = MAKERS[what]
    model = make()
    model.export(tmp_path / "saved", verbose=False)
    again = load_saved_model(tmp_path / "saved", family)
    inputs = np.random.default_rng(3).random((3, *INPUT_SHAPE), np.float32)
    np.testing.assert_allclose(again(inputs), model(inputs), atol=1e-6)
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]


def test_a_folder_saved_by_tensorflow_itself_is_read_too(tmp_path: Path) -> None:
    model = small_cnn3d()
    tf.saved_model.save(model, tmp_path / "saved")
    inputs = np.random.default_rng(3).random((2, *INPUT_SHAPE), np.float32)
    np.testing.assert_allclose(load_saved_model(tmp_path / "saved", "cnn3d")(inputs), model(inputs), atol=1e-6)


def test_another_family_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    small_cnn3d().export(tmp_path / "saved", verbose=False)
    with pytest.raises(ConfigError, match=r"saved: its variables are not those of a cnn-lstm .*\[source\] network"):
        load_saved_model(tmp_path / "saved", "cnn-lstm")


def test_a_network_with_one_more_layer_is_refused(tmp_path: Path) -> None:
    *before, last = small_cnn3d().layers
    keras.Sequential([keras.Input(INPUT_SHAPE), *before, keras.layers.Dense(6, name="dense3"), last]).export(
        tmp_path / "saved", verbose=False
    )
    with pytest.raises(ConfigError, match=r"dense3.* has no place"):
        load_saved_model(tmp_path / "saved", "cnn3d")


def test_a_network_that_computes_something_else_is_refused(tmp_path: Path) -> None:
    """The same variables, another activation: only running it shows that."""
    model = small_cnn3d()
    model.get_layer("dense1").activation = keras.activations.tanh
    model.export(tmp_path / "saved", verbose=False)
    with pytest.raises(ConfigError, match="gives another p_defect"):
        load_saved_model(tmp_path / "saved", "cnn3d")


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no SavedModel with a signature serving_default"):
        load_saved_model(tmp_path, "cnn3d")


def test_a_folder_has_one_digest_for_one_content(tmp_path: Path) -> None:
    for name, content in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        (tmp_path / name / "inner").mkdir(parents=True)
        (tmp_path / name / "inner" / "file").write_bytes(content)
    first, same, other = (digest_folder(tmp_path / name) for name in "abc")
    assert first == same != other
