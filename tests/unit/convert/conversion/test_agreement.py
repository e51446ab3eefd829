"""When runtimes may differ, and what the card then says."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from convert.conversion.convert import agreed
from convert.conversion.parity import Identity
from convert.lowering.passes.head import HEAD
from edge.core.card import Quantisation
from edge.core.errors import GateRefused
from tests.support.builders import make_card

EXACT = np.array([[0, 100, 200, 0], [10, 20, 30, 40]], np.uint8)


def _quantisation() -> Quantisation:
    return replace(make_card().quantisation, head=HEAD)


def _identity(
    other: Any, fast: Any = EXACT, *, differing: tuple[str, ...] = (), unsteady: tuple[str, ...] = ()
) -> Identity:
    return Identity(EXACT, {"litert": EXACT, "tflite-runtime": other}, {"litert": fast}, differing, unsteady)


def _with_features(found: Identity, apart: float) -> Identity:
    return dataclasses.replace(
        found, features_apart=apart, exact_features_apart=apart, features=np.zeros((2, 3), np.int8)
    )


def test_other_integers_are_refused_also_where_the_logit_comes_out_the_same() -> None:
    swapped = EXACT[:, ::-1].copy()
    with pytest.raises(GateRefused, match="exact kernels of tflite-runtime do not reproduce"):
        agreed(_identity(swapped, differing=("tflite-runtime",)), _quantisation(), 0.0, 0.05)


def test_a_tolerance_allows_so_much_and_no_more() -> None:
    moved = EXACT + np.uint8(10)
    found = _identity(moved, differing=("tflite-runtime",))
    with pytest.raises(GateRefused, match="a reading is"):
        agreed(found, _quantisation(), 1e-6, 0.05)
    assert not agreed(found, _quantisation(), 100.0, 0.05).bit_identical


def test_fast_kernels_widen_the_replay_and_refuse_nothing() -> None:
    calm = agreed(_identity(EXACT), _quantisation(), 0.0, 0.05)
    shifted = agreed(_identity(EXACT, EXACT + np.uint8(10), unsteady=("litert",)), _quantisation(), 0.0, 0.05)
    assert calm.bit_identical
    assert shifted.bit_identical
    assert shifted.replay_tolerance > calm.replay_tolerance


@pytest.mark.parametrize(("apart", "allowed"), [(0.0, 4.0), (6.0, 12.0), (32.0, 64.0)])
def test_features_may_be_a_few_levels_off_and_the_replay_knows(apart: float, allowed: float) -> None:
    found = _with_features(_identity(EXACT), apart)
    assert agreed(found, _quantisation(), 0.0, 0.05).features_tolerance == allowed
    assert agreed(found, _quantisation(), 0.0, 0.05).bit_identical


@pytest.mark.parametrize("apart", [33.0, float("nan")])
def test_features_that_are_far_off_are_refused(apart: float) -> None:
    with pytest.raises(GateRefused, match="features of one runtime"):
        agreed(_with_features(_identity(EXACT), apart), _quantisation(), 0.0, 0.05)
