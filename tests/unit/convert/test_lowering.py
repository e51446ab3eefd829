from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from convert.factorise import Ranks, factorised  # noqa: E402
from convert.lowering.equivalence import lowered_scores, require_equivalence  # noqa: E402
from convert.lowering.lower import BANDS, lower  # noqa: E402
from convert.lowering.program import Conv, Dense  # noqa: E402
from convert.networks.cnn3d import INPUT_SHAPE, TABLE_II, cnn3d  # noqa: E402
from convert.train import score  # noqa: E402
from edge.core.errors import ConfigError, GateRefused  # noqa: E402

layers = keras.layers


def shaken(model: object, seed: int) -> object:
    """Random weights everywhere, the normalisation's statistics included."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        new = []
        for weight in layer.weights:
            if "variance" in weight.path or "gamma" in weight.path:
                new.append(rng.uniform(0.5, 2.0, weight.shape))
            else:
                new.append(rng.normal(0, 0.15, weight.shape))
        layer.set_weights(new)
    return model


def small(*body: object, shape: tuple[int, ...] = (12, 13, 5, 1)) -> object:
    return keras.Sequential([keras.Input(shape), *body, layers.Dense(2, activation="softmax")])


def patches(shape: tuple[int, ...], n: int = 4) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (n, *shape[:3])).astype(np.uint8)


def networks() -> dict[str, object]:
    conv, pool = layers.Conv3D, layers.MaxPooling3D
    return {
        "wide first, then contiguous ranges": small(
            conv(3, (3, 3, 2), activation="relu"), conv(4, (3, 3, 2), activation="relu"), layers.Flatten()
        ),
        "depth 3 kernel": small(conv(4, (3, 2, 3), activation="relu"), layers.Flatten()),
        "depth 1 kernel": small(conv(4, (3, 3, 1)), layers.Flatten(), layers.Dense(7, activation="relu")),
        "whole depth at once": small(conv(4, (3, 3, 5), activation="relu"), layers.Flatten()),
        "no bias": small(conv(4, (3, 3, 2), use_bias=False), layers.Flatten(), layers.Dense(3, use_bias=False)),
        "pools over depth": small(
            conv(4, (3, 3, 2), activation="relu"),
            pool((2, 2, 2)),
            conv(5, (2, 2, 2)),
            pool((2, 2, 1)),
            layers.Flatten(),
        ),
        "odd depth is cut as Keras cuts it": small(conv(4, (3, 3, 1)), pool((2, 3, 2)), layers.Flatten()),
        "normalised before dense": small(
            conv(4, (3, 3, 2)),
            pool((2, 2, 2)),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(6, activation="relu"),
        ),
        "normalised before the head": small(
            conv(2, (3, 3, 2)), layers.BatchNormalization(scale=False), layers.Flatten()
        ),
        "many channels deep": small(
            conv(3, (3, 3, 2)), conv(3, (3, 3, 2)), conv(3, (2, 2, 2)), layers.Flatten(), shape=(12, 12, 12, 1)
        ),
    }


@pytest.mark.parametrize("name", list(networks()))
def test_lowering_is_exact(name: str) -> None:
    model = shaken(networks()[name], seed=len(name))
    inputs = patches(model.input_shape[1:])
    assert require_equivalence(score(model, inputs, plain=True), lowered_scores(lower(model), inputs)) <= 1e-5


def test_table_ii_has_every_printed_shape() -> None:
    model = cnn3d()
    assert model.input_shape == (None, *INPUT_SHAPE)
    assert [(layer.name, layer.output.shape[1:]) for layer in model.layers] == list(TABLE_II)
    printed = {
        "conv1": (3, 3, 2, 1, 8),
        "conv2": (3, 3, 2, 8, 16),
        "conv3": (3, 3, 2, 16, 32),
        "conv4": (3, 3, 1, 32, 64),
    }
    for name, kernel in printed.items():
        assert model.get_layer(name).kernel.shape == kernel
    assert model.get_layer("dense1").kernel.shape == (53_824, 1024)
    assert model.get_layer("dense2").kernel.shape == (1024, 2)


def test_table_ii_lowers_to_one_wide_convolution_and_four_on_contiguous_ranges() -> None:
    model = shaken(cnn3d(dense_units=8), seed=3)
    program = lower(model)
    kernels = [op.kernel.shape for op in program.ops if isinstance(op, (Conv, Dense))]
    assert kernels == [(3, 3, 6, 40), *[(3, 3, 16, 16)] * 4, (3, 3, 32, 32), (3, 3, 32, 64), (53_824, 8), (8, BANDS)]
    inputs = patches(INPUT_SHAPE)
    assert require_equivalence(score(model, inputs, plain=True), lowered_scores(program, inputs)) <= 1e-5


def test_a_factorised_network_is_lowered_exactly() -> None:
    model = factorised(shaken(cnn3d(dense_units=64), seed=5), Ranks(dense=6))
    inputs = patches(INPUT_SHAPE, 2)
    program = lower(model)
    kernels = [op.kernel.shape for op in program.ops if isinstance(op, Dense)]
    assert kernels == [(53_824, 6), (6, 64), (64, BANDS)]
    assert require_equivalence(score(model, inputs, plain=True), lowered_scores(program, inputs)) <= 1e-5


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        (layers.Conv3D(2, 3, padding="same"), "only VALID"),
        (layers.Conv3D(2, 3, strides=2), "stride 1"),
        (layers.AveragePooling3D(2), "AveragePooling3D, which no lowering rule knows"),
        (layers.Conv3D(2, 3, activation="tanh"), "activation 'tanh'"),
    ],
)
def test_what_no_rule_knows_is_refused_by_name(layer: object, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as refusal:
        lower(small(layer, layers.Flatten()))
    assert layer.name in str(refusal.value)


def test_a_difference_is_not_let_through() -> None:
    with pytest.raises(GateRefused):
        require_equivalence(np.array([0.5, 0.5]), np.array([0.5, 0.50002]))
    with pytest.raises(GateRefused):
        require_equivalence(np.array([0.5]), np.array([np.nan]))
