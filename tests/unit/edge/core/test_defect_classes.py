"""A head of several thermometers: p_defect, the likeliest class, and what the card and the wire say of it."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.core.card import ModelCard, TensorInfo, encode_card, parse_card
from edge.core.decide import decide, parts_of, score_of
from edge.core.errors import BundleRefused
from edge.core.job import NamedJoint
from edge.core.payloads import ModelRef
from edge.core.rules import ClassesHead, OperatingPoint
from edge.core.verdict import Call, Reason, Verdict, unjudged
from edge.core.wire import Encoder, Topics
from tests.support.builders import make_card, make_job

CLASSES = ("insufficient", "short", "voided")
HEAD = ClassesHead(classes=CLASSES, low=-12.0, high=12.0, full=6.0)
BANDS = 4


def card() -> ModelCard:
    plain = make_card()
    quantisation = msgspec.structs.replace(
        plain.quantisation,
        head=HEAD,
        output=TensorInfo(dtype="uint8", shape=(1, BANDS * len(CLASSES)), scale=6 / 255),
    )
    return msgspec.structs.replace(plain, classes=("normal", *CLASSES), quantisation=quantisation)


CARD = card()
POINT = CARD.operating_point()
values = st.lists(st.integers(0, 255), min_size=BANDS * len(CLASSES), max_size=BANDS * len(CLASSES))


@given(values)
def test_p_defect_is_what_a_softmax_over_all_classes_leaves_to_normal(output: list[int]) -> None:
    margins = [-12 + 24 * sum(output[i : i + BANDS]) * (6 / 255) / (BANDS * 6) for i in range(0, len(output), BANDS)]
    odds = [math.exp(margin) for margin in margins]
    score = score_of(np.array([output], np.uint8), CARD.quantisation)
    assert score == pytest.approx(sum(odds) / (1 + sum(odds)), rel=1e-9)
    assert parts_of(np.array([output], np.uint8), CARD.quantisation) == pytest.approx(margins, abs=1e-9)


@given(values)
def test_the_class_with_most_of_p_defect_is_named_unless_the_joint_is_normal(output: list[int]) -> None:
    decision = decide(np.array([output], np.uint8), CARD.quantisation, POINT)
    sums = [sum(output[i : i + BANDS]) for i in range(0, len(output), BANDS)]
    if decision.call is Call.NORMAL:
        assert decision.defect_class is None
    else:
        assert decision.defect_class is not None
        assert decision.defect_class.name == CLASSES[sums.index(max(sums))]
        assert 1 / len(CLASSES) - 1e-9 <= decision.defect_class.share <= 1


@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
def test_a_class_that_is_no_number_leaves_the_joint_unjudged(poison: float) -> None:
    floats = msgspec.structs.replace(CARD.quantisation, output=TensorInfo(dtype="float32", shape=(1, 12)))
    output = np.zeros((1, 12), np.float32)
    output[0, 7] = poison
    assert decide(output, floats, POINT) == unjudged(Reason.NOT_FINITE)


def test_a_card_of_classes_comes_back_as_it_went() -> None:
    assert parse_card(encode_card(CARD)) == CARD


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"classes": ("normal", "defect")}, "classes: "),
        ({"classes": ("normal", "short", "insufficient", "voided")}, "classes: "),
    ],
)
def test_a_card_whose_classes_are_not_its_heads_is_refused(change: dict[str, tuple[str, ...]], says: str) -> None:
    with pytest.raises(BundleRefused, match=says):
        parse_card(encode_card(msgspec.structs.replace(CARD, **change)))


def test_a_card_whose_output_is_not_so_many_thermometers_is_refused() -> None:
    uneven = TensorInfo(dtype="uint8", shape=(1, 13), scale=6 / 255)
    quantisation = msgspec.structs.replace(CARD.quantisation, output=uneven)
    with pytest.raises(BundleRefused, match="is not 3 thermometers of one length"):
        parse_card(encode_card(msgspec.structs.replace(CARD, quantisation=quantisation)))


def test_a_verdict_names_the_class_where_there_is_one() -> None:
    output = np.array([[0] * 4 + [255] * 4 + [0] * 4], np.uint8)
    point: OperatingPoint = POINT
    defect = decide(output, CARD.quantisation, point)
    normal = decide(np.zeros((1, 12), np.uint8), CARD.quantisation, point)
    encoder = Encoder("axi1", Topics("base"), "0", ModelRef(name="m", version="1.0.0", digest="sha256:0"))
    job, now = make_job(), datetime(2026, 11, 21, tzinfo=UTC)
    said = [
        json.loads(encoder.verdict(job, Verdict(NamedJoint("J1.1"), decision), now).message.payload)
        for decision in (defect, normal)
    ]
    assert said[0]["defect_class"]["name"] == "short"
    assert said[0]["defect_class"]["share"] == pytest.approx(1.0, abs=1e-9)
    assert "defect_class" not in said[1]
