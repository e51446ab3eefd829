"""Bands: the same function of every joint of the sample, and less of it lost in rounding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("tensorflow")

from convert.lowering.bands import band_channels, bands_of, chosen_fineness
from convert.lowering.evaluate import readings
from convert.lowering.layers import (
    Conv,
    Dense,
    Flatten,
    FlattenSlices,
    Layer,
    Lstm,
    MaxPool,
    Network,
    Softmax,
)
from convert.lowering.passes.head import thermometer_head
from convert.lowering.statistics import reaches, rounding_weights

SHAPE = (9, 10, 3)


def patches(seed: int, n: int = 12) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, *SHAPE)).astype(np.uint8)


def weights(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Columns of very different size, as trained ones are."""
    spread = 10 ** rng.uniform(-1, 0.5, shape[-1])
    return (rng.normal(0, 1 / np.sqrt(np.prod(shape[:-1])), shape) * spread).astype(np.float32)


def vector(rng: np.random.Generator, size: int) -> np.ndarray:
    return rng.normal(0, 0.1, size).astype(np.float32)


def convolutional(seed: int) -> Network:
    rng = np.random.default_rng(seed)
    return Network(
        "cnn",
        SHAPE,
        (
            Conv("conv1", weights(rng, 3, 3, 2, 1, 4), vector(rng, 4), "relu"),
            MaxPool("pool1", (2, 2, 1), (2, 2, 1)),
            Conv("conv2", weights(rng, 2, 2, 1, 4, 6), vector(rng, 6), "relu", same=True),
            Flatten("flatten"),
            Dense("dense1", weights(rng, 3 * 4 * 2 * 6, 8), vector(rng, 8), "relu"),
            Softmax("dense2", weights(rng, 8, 2), vector(rng, 2)),
        ),
    )


def recurrent(seed: int) -> Network:
    rng = np.random.default_rng(seed)
    return Network(
        "lstm",
        SHAPE,
        (
            Conv("conv1", weights(rng, 3, 3, 1, 1, 4), vector(rng, 4), "relu"),
            FlattenSlices("flatten"),
            Dense("features", weights(rng, 7 * 8 * 4, 5), vector(rng, 5), "relu"),
            Lstm("lstm", (weights(rng, 5, 24),), (weights(rng, 6, 24),), vector(rng, 24)),
            Softmax("dense2", weights(rng, 6, 2), vector(rng, 2)),
        ),
    )


def widths(network: Network) -> dict[str, int]:
    return {layer.name: layer.bias.size for layer in network.layers if isinstance(layer, Conv | Dense)}


def rounding_cost(network: Network, sample: np.ndarray) -> float:
    """Variance of the logit when each layer with ReLU is rounded to its own 255 steps."""
    reach, weight = reaches(network, sample), rounding_weights(network, sample)
    return sum(float((reach[name].max() / 255) ** 2 / 12 * weight[name].sum()) for name in widths(network))


@settings(max_examples=15, deadline=None)
@given(
    make=st.sampled_from([convolutional, recurrent]),
    seed=st.integers(0, 99),
    growth=st.sampled_from([0.25, 0.5, 1.0]),
    head=st.booleans(),
)
def test_bands_change_nothing_on_the_sample_and_make_rounding_cheaper(
    make: object, seed: int, growth: float, head: bool
) -> None:
    network, sample = make(seed), patches(seed)
    network = thermometer_head(network) if head else network
    banded = band_channels(network, sample, growth)
    np.testing.assert_allclose(readings(banded, sample), readings(network, sample), atol=2e-4)
    before, after = widths(network), widths(banded)
    assert all(before[name] <= after[name] <= (1 + growth) * before[name] for name in before)
    assert sum(after.values()) > sum(before.values())
    assert rounding_cost(banded, sample) < rounding_cost(network, sample)


def test_without_growth_nothing_is_cut() -> None:
    network = convolutional(1)
    assert widths(band_channels(network, patches(1), 0.0)) == widths(network)


def test_a_value_beyond_the_sample_is_clipped_at_the_reach_of_its_layer() -> None:
    """As int8 would: never wrapped, never scaled."""
    identity: tuple[Layer, ...] = (
        Flatten("flatten"),
        Dense("dense1", np.eye(2, dtype=np.float32), np.zeros(2, np.float32), "relu"),
        Softmax("dense2", np.array([[0, 3], [0, 1]], np.float32), np.zeros(2, np.float32)),
    )
    network = Network("line", (1, 1, 2), identity)
    sample = np.array([[[[100, 51]]]], np.uint8)
    banded = band_channels(network, sample, 1.0)
    assert widths(banded) == {"dense1": 4}
    far = np.array([[[[255, 51]]]], np.uint8)
    np.testing.assert_allclose(readings(banded, far), readings(banded, sample), atol=1e-6)


def test_what_rounding_costs_is_the_squared_slope() -> None:
    network = Network(
        "line",
        (1, 1, 2),
        (
            Flatten("flatten"),
            Dense("dense1", np.eye(2, dtype=np.float32), np.array([0, -0.5], np.float32), "relu"),
            Softmax("dense2", np.array([[1, 3], [2, -5]], np.float32), np.zeros(2, np.float32)),
        ),
    )
    half_alive = np.array([[[[10, 255]]], [[[20, 0]]]], np.uint8)
    np.testing.assert_allclose(rounding_weights(network, half_alive)["dense1"], [4.0, 49.0 / 2])
    full = thermometer_head(network)
    np.testing.assert_allclose(rounding_weights(full, half_alive)["dense1"], [4.0, 49.0 / 2], rtol=1e-5)


reach_and_weight = st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10)), min_size=1, max_size=12)


@given(reach_and_weight, st.floats(0, 2))
def test_fineness_keeps_to_its_room(pairs: list[tuple[float, float]], growth: float) -> None:
    reach, weight = (np.array(column) for column in zip(*pairs, strict=True))
    fineness = chosen_fineness(reach, weight, growth)
    assert (fineness >= 1).all()
    if reach.any():
        assert bands_of(reach, fineness).sum() - reach.size <= growth * reach.size


def test_the_channel_that_costs_most_is_cut_first() -> None:
    assert chosen_fineness(np.ones(4), np.array([1.0, 9.0, 2.0, 1.0]), 0.25).tolist() == [1, 2, 1, 1]


def test_a_channel_of_short_reach_grows_before_it_is_cut() -> None:
    """Reaching a third as far as the widest, it is rounded three times finer in one channel."""
    reach = np.array([3.0, 1.0, 3.0, 3.0])
    fineness = chosen_fineness(reach, np.array([0.0, 1.0, 0.0, 0.0]), 0.25)
    assert fineness[1] >= 3
    assert bands_of(reach, fineness).sum() == 5
