"""The networks' printed shapes, and that every way of computing them computes the same."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convert.lowering.passes.factor import truncated
from convert.networks.cnn3d import INPUT_SHAPE, TABLE_II, cnn3d
from convert.networks.cnn_lstm import TABLE_III, TRUNKS, cnn_lstm
from convert.networks.factorise import Ranks, factorised
from convert.networks.folded import folded
from convert.networks.lowrank import LowRankLSTM
from edge.core.errors import ConfigError


def some_inputs(count: int = 2) -> Any:
    return np.random.default_rng(0).random((count, *INPUT_SHAPE), np.float32)


def shapes(model: Any) -> dict[str, tuple[int, ...]]:
    return {layer.name: tuple(layer.output.shape[1:]) for layer in model.layers}


def test_every_printed_shape_of_table_ii() -> None:
    model = cnn3d()
    found = shapes(model)
    assert {name: found[name] for name, _ in TABLE_II} == dict(TABLE_II)
    assert model.count_params() == 55_149_322


@pytest.mark.parametrize("trunk", list(TRUNKS))
def test_every_printed_shape_of_table_iii(trunk: str) -> None:
    model = cnn_lstm(trunk=TRUNKS[trunk])
    found = shapes(model)
    assert {name: found[name] for name, _ in TABLE_III} == dict(TABLE_III)
    assert found["sequence"] == (6, 128, 128, 1)
    assert found["slice_features"] == (6, 256)
    assert model.get_layer("dense1").kernel.shape == (2048, 512)
    assert model.get_layer("dense2").kernel.shape == (512, 2)


def test_the_twin_trunk_has_the_shapes_of_table_ii_slice_by_slice() -> None:
    found = shapes(cnn_lstm(trunk=TRUNKS["twin"], units=8))
    assert [found[f"slice_conv{i}"][1:] for i in (1, 2, 3, 4)] == [
        (126, 126, 8),
        (124, 124, 16),
        (60, 60, 32),
        (58, 58, 64),
    ]
    assert found["slice_norm"][1:] == (29, 29, 64)


@pytest.mark.parametrize(
    "model",
    [
        cnn3d(dense_units=8),
        cnn_lstm(units=16, features=8),
        cnn_lstm(trunk=TRUNKS["twin"], units=8, features=8),
        factorised(cnn3d(dense_units=64), Ranks(dense=4)),
    ],
    ids=["cnn3d", "cnn-lstm", "cnn-lstm twin", "cnn3d factorised"],
)
def test_folding_depth_into_the_batch_changes_nothing(model: Any) -> None:
    inputs = some_inputs()
    np.testing.assert_allclose(folded(model)(inputs, training=False), model(inputs, training=False), atol=2e-6)


def test_a_functional_model_that_is_a_chain_is_folded_like_a_sequential_one() -> None:
    sequential = cnn3d(dense_units=8)
    functional = keras.Model(sequential.inputs, sequential.outputs)
    inputs = some_inputs()
    np.testing.assert_allclose(folded(functional)(inputs, training=False), sequential(inputs), atol=2e-6)


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.Conv3D(3, 3, padding="same"),
        keras.layers.Conv3D(3, (3, 3, 2), strides=(2, 2, 1)),
        keras.layers.Conv3D(3, (3, 3, 1), dilation_rate=(2, 2, 1)),
        keras.layers.Conv3D(3, (3, 3, 2), use_bias=False, activation="relu"),
        keras.layers.MaxPooling3D((3, 3, 2), strides=(2, 2, 1)),
        keras.layers.MaxPooling3D((2, 2, 4)),
        keras.layers.MaxPooling3D((2, 2, 4), padding="same"),
    ],
    ids=lambda layer: layer.name,
)
def test_layers_that_cannot_be_folded_are_computed_as_they_are(layer: Any) -> None:
    model = keras.Sequential([keras.Input((16, 18, 6, 1)), layer, keras.layers.Flatten(), keras.layers.Dense(2)])
    inputs = np.random.default_rng(0).normal(size=(2, 16, 18, 6, 1)).astype(np.float32)
    np.testing.assert_allclose(folded(model)(inputs, training=False), model(inputs), atol=2e-6)


def test_gradients_reach_the_models_own_weights() -> None:
    import tensorflow as tf

    model = cnn3d(dense_units=4)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(folded(model)(some_inputs(), training=False)[:, 1])
    assert all(gradient is not None for gradient in tape.gradient(loss, model.trainable_variables))


@settings(max_examples=20)
@given(st.integers(2, 30), st.integers(2, 30), st.integers(0, 99))
def test_the_truncated_product_is_the_nearest_of_its_rank(rows: int, columns: int, seed: int) -> None:
    """Eckart and Young: the squared error is the sum of the squared singular values left out."""
    matrix = np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)
    rank = max(1, min(rows, columns) // 2)
    left, right = truncated(matrix, rank)
    left_out = np.linalg.svd(matrix, compute_uv=False)[rank:]
    assert np.linalg.norm(matrix - left @ right) == pytest.approx(np.sqrt((left_out**2).sum()), rel=1e-3, abs=1e-4)


def test_an_impossible_rank_is_refused() -> None:
    with pytest.raises(ConfigError, match="rank 8"):
        truncated(np.zeros((8, 9), np.float32), 8)
    with pytest.raises(ConfigError, match="nothing to factorise"):
        factorised(cnn3d(dense_units=4), Ranks())


def test_a_low_rank_lstm_is_keras_own_with_the_product_of_its_factors() -> None:
    plain = keras.Sequential([keras.Input((6, 12)), keras.layers.LSTM(10, name="lstm")])
    kernel, recurrent, bias = plain.layers[0].get_weights()
    thin = LowRankLSTM(10, 11, 9)
    thin.build((None, 6, 12))
    thin.set_weights([*truncated(kernel, 11), *truncated(recurrent, 9), bias])
    enter_in, enter_out, again_in, again_out, _ = thin.get_weights()
    plain.layers[0].set_weights([enter_in @ enter_out, again_in @ again_out, bias])
    inputs = np.random.default_rng(1).normal(size=(3, 6, 12)).astype(np.float32)
    np.testing.assert_allclose(thin(inputs), plain(inputs), atol=1e-5)


def test_a_factorised_network_saves_and_loads(tmp_path: Any) -> None:
    from convert.networks.scoring import load_model

    model = factorised(cnn_lstm(units=32, features=16), Ranks(lstm_input=4, lstm_recurrent=8))
    model.save(tmp_path / "m.keras")
    inputs = some_inputs()
    np.testing.assert_allclose(load_model(tmp_path / "m.keras")(inputs), model(inputs), atol=1e-6)


def test_factorising_at_nearly_full_rank_changes_nearly_nothing() -> None:
    model = cnn3d(dense_units=40)
    rng = np.random.default_rng(2)
    for name in ("norm", "dense1"):
        layer = model.get_layer(name)
        layer.set_weights([rng.uniform(0.1, 0.5, weight.shape) for weight in layer.get_weights()])
    kernel, bias = model.get_layer("dense1").get_weights()
    left, right = truncated(kernel - kernel.mean(), 39)
    model.get_layer("dense1").set_weights([left @ right, bias])  # of rank 39 indeed
    small = factorised(model, Ranks(dense=39))
    assert [layer.name for layer in small.layers if "dense1" in layer.name] == ["dense1_thin", "dense1"]
    np.testing.assert_allclose(small(some_inputs()), model(some_inputs()), atol=1e-4)
