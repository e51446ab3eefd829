"""Lowering is exact: over random shapes, for every layer it knows; what it does not know it refuses by name."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

keras = pytest.importorskip("keras")

from convert.lowering.flat import flatten_network  # noqa: E402
from convert.lowering.layers import Lstm  # noqa: E402
from convert.lowering.lower import (  # noqa: E402
    PASSES,
    USUAL_PASSES,
    lower,
    lower_checked,
    program_scores,
    require_equivalence,
    rewritten,
)
from convert.lowering.passes.spread import rotation  # noqa: E402
from convert.lowering.program import Conv2d, MatMul  # noqa: E402
from convert.lowering.read import read_network  # noqa: E402
from convert.networks.cnn3d import INPUT_SHAPE, TABLE_II, cnn3d  # noqa: E402
from convert.networks.cnn_lstm import Stage, cnn_lstm  # noqa: E402
from convert.networks.factorise import Ranks, factorised  # noqa: E402
from convert.networks.scoring import score  # noqa: E402
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
                new.append(rng.normal(0, 0.6 / np.sqrt(max(1, np.prod(weight.shape[:-1]))), weight.shape))
        layer.set_weights(new)
    return model


def small(*body: object, shape: tuple[int, ...] = (12, 13, 5, 1)) -> object:
    return keras.Sequential([keras.Input(shape), *body, layers.Dense(2, activation="softmax")])


def patches(shape: tuple[int, ...], n: int = 4) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (n, *shape[:3])).astype(np.uint8)


ALL_BUT_MERGING = (*USUAL_PASSES[:-1], "balance-channels", USUAL_PASSES[-1])


def require_exact(model: object, passes: tuple[str, ...] = ALL_BUT_MERGING) -> None:
    """Every pass leaves p_defect as it was, and so does flattening; the model's own plain layers are the reference."""
    inputs = patches(model.input_shape[1:])
    lowered = lower_checked(read_network(model), score(model, inputs, plain=True), inputs, passes)
    assert [rewrite.name for rewrite in lowered.rewrites] == ["read", *passes, "flatten"]
    assert all(rewrite.difference <= 1e-5 for rewrite in lowered.rewrites)


paddings = st.sampled_from(["valid", "same"])
triples = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))


def same_everywhere(size: tuple[int, ...], strides: tuple[int, ...], padding: str) -> bool:
    """Where windows leave gaps and "same" would pad less than nothing, TensorFlow 2.20 differs between processors."""
    return padding == "valid" or all(step <= width for step, width in zip(strides, size, strict=True))


@settings(max_examples=25)
@given(kernel=triples, strides=triples, padding=paddings, channels=st.integers(1, 5), seed=st.integers(0, 99))
def test_convolutions_of_any_shape_are_exact(
    kernel: tuple[int, ...], strides: tuple[int, ...], padding: str, channels: int, seed: int
) -> None:
    assume(same_everywhere(kernel, strides, padding))
    assume(kernel[2] == 1 or kernel[2] != strides[2])  # TensorFlow 2.20's Conv3D is wrong there on some processors
    conv = layers.Conv3D(channels, kernel, strides=strides, padding=padding, activation="relu")
    again = layers.Conv3D(3, (2, 2, 1), padding=padding)
    require_exact(shaken(small(conv, again, layers.Flatten(), shape=(9, 8, 5, 1)), seed))


class Conv3D(layers.Conv3D):
    """A convolution that is computed otherwise than defined, as some strides are by TensorFlow on some machines."""

    def call(self, inputs: object) -> object:
        return super().call(inputs[:, :, :, ::-1])


def test_a_layer_that_is_not_computed_as_defined_is_refused() -> None:
    """Keras trained with what was computed, so no definition of the layer would reproduce the model."""
    with pytest.raises(GateRefused, match="changes a score"):
        require_exact(shaken(small(Conv3D(1, (1, 1, 3)), layers.Flatten(), shape=(9, 8, 5, 1)), 0))


@settings(max_examples=25)
@given(size=triples, strides=triples, padding=paddings, depth=st.integers(3, 6), seed=st.integers(0, 99))
def test_pools_of_any_shape_are_exact(
    size: tuple[int, ...], strides: tuple[int, ...], padding: str, depth: int, seed: int
) -> None:
    assume(same_everywhere(size, strides, padding))
    body = layers.Conv3D(3, (2, 2, 1)), layers.MaxPooling3D(size, strides=strides, padding=padding), layers.Flatten()
    require_exact(shaken(small(*body, shape=(9, 8, depth, 1)), seed))
    require_exact(shaken(small(layers.MaxPooling3D(size, strides=strides, padding=padding), layers.Flatten()), seed))


@settings(max_examples=15)
@given(place=st.sampled_from(range(6)), relu=st.booleans(), seed=st.integers(0, 99))
def test_normalisation_anywhere_is_folded_exactly(place: int, relu: bool, seed: int) -> None:
    """Before and after convolutions, before pools, after dense layers; with the activation inside or by itself."""
    body = [
        layers.Conv3D(4, (3, 3, 2), activation="relu" if relu else "linear"),
        layers.MaxPooling3D((2, 2, 1)),
        layers.Conv3D(3, (2, 2, 2)),
        layers.ReLU(),
        layers.Flatten(),
        layers.Dropout(0.5),
        layers.Dense(6, activation="relu"),
    ]
    body.insert(place, layers.BatchNormalization())
    model = shaken(small(*body), seed)
    network = rewritten(read_network(model), "fold-norms", patches(model.input_shape[1:]))
    assert "Norm" not in {type(layer).__name__ for layer in network.layers}
    require_exact(model)


def test_a_normalisation_that_only_zero_padding_follows_is_refused_by_name() -> None:
    norm = layers.BatchNormalization(name="settled")
    body = layers.Conv3D(3, 2, activation="relu"), norm, layers.Conv3D(3, 2, padding="same"), layers.Flatten()
    with pytest.raises(ConfigError, match=r"'settled'.*pads with zeros"):
        lower(shaken(small(*body), 1), patches((12, 13, 5)))


def test_a_normalisation_of_negative_scale_does_not_pass_a_pool() -> None:
    norm = layers.BatchNormalization(name="turned")
    model = shaken(small(layers.Conv3D(3, 2, activation="relu"), norm, layers.MaxPooling3D(2), layers.Flatten()), 1)
    norm.set_weights([-norm.get_weights()[0], *norm.get_weights()[1:]])
    with pytest.raises(ConfigError, match=r"'turned'.*pool minima"):
        lower(model, patches((12, 13, 5)))


def lstm_network(seed: int, units: int = 12) -> object:
    trunk = (Stage(3, pool=True), Stage(4, pool=True))
    return shaken(cnn_lstm(trunk=trunk, features=7, units=units, seed=seed), seed)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_recurrent_network_is_unrolled_exactly(seed: int) -> None:
    model = lstm_network(seed)
    require_exact(model)
    program = lower(model, patches(INPUT_SHAPE, 2))
    recurrent = [op for op in program.ops if op.name.startswith("lstm/recurrent")]
    inputs = [op for op in program.ops if op.name.startswith("lstm/inputs")]
    assert (len(inputs), len(recurrent)) == (1, 5), "one product for all slices, and none for the first state"
    assert len({op.matrix for op in recurrent}) == 1, "the steps share one matrix"


def test_factors_are_spread_and_multiplied_out_exactly() -> None:
    for model in (
        factorised(shaken(cnn3d(dense_units=64), seed=5), Ranks(dense=6)),
        factorised(lstm_network(3, units=40), Ranks(dense=4, lstm_input=3, lstm_recurrent=8, least_weights=10**9)),
    ):
        require_exact(model)
        require_exact(model, ("merge-products", *USUAL_PASSES))


def test_merging_gives_the_full_matrices_back() -> None:
    small_one = factorised(lstm_network(3, units=40), Ranks(lstm_input=3, lstm_recurrent=8, least_weights=10**9))
    merged = rewritten(read_network(small_one), "merge-products", patches(INPUT_SHAPE, 2))
    (lstm,) = (layer for layer in merged.layers if isinstance(layer, Lstm))
    assert [matrix.shape for matrix in (*lstm.kernel, *lstm.recurrent)] == [(7, 160), (40, 160)]


@given(st.integers(1, 64))
def test_a_rotation_keeps_lengths(size: int) -> None:
    turn = rotation(size, seed=size)
    np.testing.assert_allclose(turn.T @ turn, np.eye(size), atol=1e-12)


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
    require_exact(model)
    program = lower(model, patches(INPUT_SHAPE, 2))
    kernels = [op.kernel.shape for op in program.ops if isinstance(op, Conv2d)]
    assert kernels == [(3, 3, 6, 40), *[(3, 3, 16, 16)] * 4, (3, 3, 32, 32), (3, 3, 32, 64)]
    assert [matrix.shape for matrix in program.matrices] == [(8, 53_824), (32, 8)]
    assert len({op.name for op in program.ops}) == len(program.ops), "every operation can be named"
    assert sum(isinstance(op, MatMul) for op in program.ops) == 2


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        (layers.Conv3D(2, 3, dilation_rate=2), "dilated"),
        (layers.AveragePooling3D(2), "AveragePooling3D, which no lowering rule knows"),
        (layers.Conv3D(2, 3, activation="tanh"), "activation 'tanh'"),
        (layers.Lambda(lambda value: value * 2.0), "Lambda, which no lowering rule knows"),
        (layers.ReLU(max_value=6.0), "only a plain ReLU"),
        (layers.ReLU(), "follows no convolution"),
    ],
)
def test_what_no_rule_knows_is_refused_by_name(layer: object, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as refusal:
        lower(small(layer, layers.Flatten()), patches((12, 13, 5)))
    assert layer.name in str(refusal.value)


def test_a_model_that_branches_is_refused() -> None:
    value = inputs = keras.Input((8, 8, 2, 1))
    flat = layers.Flatten()(value)
    first, second = layers.Dense(4, name="first")(flat), layers.Dense(4, name="second")(flat)
    outputs = layers.Dense(2, activation="softmax")(layers.Add()([first, second]))
    with pytest.raises(ConfigError, match=r"'second'.*use a chain"):
        lower(keras.Model(inputs, outputs), patches((8, 8, 2)))


def test_a_chain_written_as_a_functional_model_is_lowered() -> None:
    inputs = keras.Input((8, 8, 2, 1))
    flat = layers.Flatten()(layers.Conv3D(2, 2)(inputs))
    require_exact(shaken(keras.Model(inputs, layers.Dense(2, activation="softmax")(flat)), 4))


def test_a_weight_that_is_not_finite_is_refused_by_name() -> None:
    model = shaken(small(layers.Conv3D(2, 2, name="broken"), layers.Flatten()), 1)
    kernel, bias = model.layers[0].get_weights()
    kernel[0, 0, 0, 0, 0] = np.nan
    model.layers[0].set_weights([kernel, bias])
    with pytest.raises(ConfigError, match=r"'broken'.*not finite"):
        lower(model, patches((12, 13, 5)))


def test_a_pass_that_is_missing_or_unknown_is_named() -> None:
    model = shaken(small(layers.Conv3D(2, 2), layers.BatchNormalization(name="left"), layers.Flatten()), 1)
    with pytest.raises(ConfigError, match=r"'left'.*name the pass"):
        lower(model, patches((12, 13, 5)), ("drop-dropout", "thermometer-head"))
    with pytest.raises(ConfigError, match="'fold-normals' is not a pass; use drop-dropout"):
        lower(model, patches((12, 13, 5)), ("fold-normals",))


def test_a_pass_that_changes_a_score_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def spoil(network: object, _: object) -> object:
        *before, last = network.layers
        return network.with_layers([*before, type(last)(last.name, last.kernel * 1.01, last.bias)])

    monkeypatch.setitem(PASSES, "spoil", spoil)
    model = shaken(small(layers.Conv3D(2, 2), layers.Flatten()), 1)
    inputs = patches((12, 13, 5))
    with pytest.raises(GateRefused, match="step 'spoil' changes a score"):
        lower_checked(read_network(model), score(model, inputs, plain=True), inputs, ("spoil", *USUAL_PASSES))


def test_a_difference_is_not_let_through() -> None:
    with pytest.raises(GateRefused):
        require_equivalence(np.array([0.5, 0.5]), np.array([0.5, 0.50002]), "here")
    with pytest.raises(GateRefused):
        require_equivalence(np.array([0.5]), np.array([np.nan]), "here")


def test_any_batch_gives_the_same_scores() -> None:
    model = lstm_network(4)
    network = read_network(model)
    inputs = patches(INPUT_SHAPE, 5)
    for name in USUAL_PASSES:
        network = rewritten(network, name, inputs)
    program = flatten_network(network)
    np.testing.assert_allclose(
        program_scores(program, inputs, batch=5), program_scores(program, inputs, batch=1), atol=1e-6
    )
