from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from edge.core.card import TensorInfo, encode_card, parse_card
from edge.core.decide import Answer, decide, decide_familiar
from edge.core.errors import BundleRefused
from edge.core.familiarity import Familiarity, packed
from edge.core.verdict import Call, Reason
from tests.support.builders import HALF, make_card

WEIGHTS = np.array([[3, -2, 0], [-1, 4, 7]])
KNOWN = Familiarity(
    weights=packed(WEIGHTS), offsets=(-10, 5), ends=(2, -3), limit=40, measured_on="held-out", unfamiliar=HALF
)
INFO = TensorInfo(dtype="uint8", shape=(1, 3), scale=0.01)
CARD = make_card()
KNOWING = replace(CARD, familiarity=KNOWN, quantisation=replace(CARD.quantisation, features=INFO))
NORMAL = np.zeros((1, CARD.quantisation.output.shape[1]), np.uint8)
DEFECT = np.full_like(NORMAL, 255)


@given(st.lists(st.integers(0, 255), min_size=3, max_size=3))
def test_strangeness_is_the_whole_number_that_it_says(levels: list[int]) -> None:
    hidden = [
        max(0, sum(w * x for w, x in zip(row, levels, strict=True)) + at)
        for row, at in zip(WEIGHTS.tolist(), (-10, 5), strict=True)
    ]
    assert KNOWN.strangeness(np.array([levels], np.uint8)) == 2 * hidden[0] - 3 * hidden[1]


@given(st.lists(st.integers(0, 255), min_size=3, max_size=3), st.sampled_from([NORMAL, DEFECT]))
def test_what_looks_strange_goes_to_the_specialist_with_its_score(levels: list[int], output: np.ndarray) -> None:
    features = np.array([levels], np.uint8)
    before = decide(output, KNOWING.quantisation, KNOWING.rule())
    after = decide_familiar(Answer(output, features), KNOWING.quantisation, KNOWING.rule(), KNOWN)
    if KNOWN.strangeness(features) <= 40:
        assert after == before
    else:
        assert (after.call, after.reason, after.route) == (Call.UNJUDGED, Reason.UNFAMILIAR, "specialist")
        assert (after.p_defect, after.threshold) == (before.p_defect, before.threshold)


@pytest.mark.parametrize(
    "features", [None, np.full((1, 3), math.nan, np.float32), np.full((1, 3), math.inf, np.float32)]
)
def test_what_cannot_be_told_is_unfamiliar(features: np.ndarray | None) -> None:
    decision = decide_familiar(Answer(NORMAL, features), KNOWING.quantisation, KNOWING.rule(), KNOWN)
    assert decision.reason is Reason.UNFAMILIAR


def test_a_bundle_without_familiarity_decides_as_before() -> None:
    answer = Answer(NORMAL, np.zeros((1, 3), np.uint8))
    assert decide_familiar(answer, CARD.quantisation, CARD.rule(), None) == decide(
        NORMAL, CARD.quantisation, CARD.rule()
    )


def test_a_card_survives_the_round_trip_with_it() -> None:
    assert parse_card(encode_card(KNOWING)) == KNOWING


@pytest.mark.parametrize(
    "card",
    [
        replace(KNOWING, familiarity=None),
        replace(KNOWING, quantisation=CARD.quantisation),
        replace(KNOWING, familiarity=replace(KNOWN, weights=KNOWN.weights[:-1])),
        replace(KNOWING, familiarity=replace(KNOWN, weights=b"")),
        replace(KNOWING, familiarity=replace(KNOWN, ends=(1,))),
        replace(KNOWING, familiarity=replace(KNOWN, limit=2**60)),
        replace(KNOWING, familiarity=replace(KNOWN, offsets=(2**53, 5))),
        replace(KNOWING, quantisation=replace(KNOWING.quantisation, features=replace(INFO, shape=(1, 4)))),
    ],
)
def test_a_card_whose_familiarity_cannot_be_computed_is_refused(card: object) -> None:
    with pytest.raises(BundleRefused, match=r"familiarity|features"):
        parse_card(encode_card(card))  # type: ignore[arg-type]
