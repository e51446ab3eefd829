from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.core.card import TensorInfo
from edge.core.decide import decide, score_of, supported
from edge.core.verdict import Call, Decision, Reason, unjudged
from tests.support.builders import make_card

CARD = make_card()
POINT = CARD.operating_point()


@given(st.lists(st.integers(0, 255), min_size=4, max_size=4))
def test_an_integer_thermometer_reads_as_its_logit(bands: list[int]) -> None:
    logit = -12 + 24 * sum(bands) * (6 / 255) / (4 * 6)
    score = score_of(np.array([bands], np.uint8), CARD.quantisation)
    assert score == pytest.approx(1 / (1 + math.exp(-logit)), rel=1e-12)


def test_empty_and_full_thermometers_are_the_ends_of_the_scale() -> None:
    assert score_of(np.zeros((1, 4), np.uint8), CARD.quantisation) < 1e-5
    assert score_of(np.full((1, 4), 255, np.uint8), CARD.quantisation) > 1 - 1e-5


def test_a_signed_output_honours_its_zero_point() -> None:
    signed = msgspec.structs.replace(
        CARD.quantisation, output=TensorInfo(dtype="int8", shape=(1, 4), scale=6 / 255, zero_point=-128)
    )
    bands = np.array([[0, 100, 200, 255]], np.uint8)
    shifted = (bands.astype(np.int16) - 128).astype(np.int8)
    assert score_of(shifted, signed) == score_of(bands, CARD.quantisation)


def test_what_is_not_a_number_is_never_normal() -> None:
    floats = msgspec.structs.replace(CARD.quantisation, output=TensorInfo(dtype="float32", shape=(1, 4)))
    for poison in (math.nan, math.inf, -math.inf):
        output = np.array([[1, poison, 0, 0]], np.float32)
        assert decide(output, floats, POINT) == unjudged(Reason.NOT_FINITE)


@given(st.floats(0, 1))
def test_a_defect_is_called_at_and_above_the_threshold(p: float) -> None:
    call = Call.DEFECT if p >= POINT.threshold else Call.NORMAL
    wanted = Decision(call, p_defect=p, threshold=POINT.threshold, operating_point=POINT.name)
    assert POINT.decision(p) == wanted


@given(st.floats(allow_nan=True).filter(lambda p: not 0 <= p <= 1))
def test_only_a_probability_is_judged(p: float) -> None:
    assert POINT.decision(p) == unjudged(Reason.NOT_FINITE)


def test_joint_types_compare_without_case() -> None:
    assert supported("pth", ["PTH"])
    assert not supported("BGA", ["PTH"])
