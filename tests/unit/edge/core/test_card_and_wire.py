from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.core.card import encode_card, parse_card
from edge.core.errors import BundleRefused
from edge.core.grades import GRADES
from edge.core.job import NamedJoint
from edge.core.payloads import BoardRef, ModelRef, VerdictPayload
from edge.core.verdict import Call, Decision, Reason, Route, Verdict, unjudged
from edge.core.wire import BoardOutcome, Encoder, Topics, event_id, timestamp, topic_level
from tests.support.builders import make_card, make_job, make_quality_card

NOW = datetime(2026, 11, 21, 8, 15, 31, 204_000, tzinfo=UTC)
MODEL = ModelRef(name="cnn3d", version="1.0.0", digest="sha256:" + "1" * 64)
ENCODER = Encoder("axi1", Topics("acme/line3/axi1"), "0.1.0", MODEL)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


def test_a_card_survives_the_round_trip() -> None:
    card = make_card(files={"model.tflite": "sha256:" + "a" * 64})
    assert parse_card(encode_card(card)) == card


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schema", "axi-card/9"),
        ("version", "1.0"),
        ("name", "../x"),
        ("operating_points", []),
        ("task", "other"),
        ("classes", ["defect", "normal"]),
        ("joint_types", []),
    ],
)
def test_a_bad_card_is_refused_by_field(field: str, value: object) -> None:
    document = json.loads(encode_card(make_card()))
    document[field] = value
    with pytest.raises(BundleRefused, match=field):
        parse_card(json.dumps(document).encode())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("quantisation", "head", "full"), 0.0),
        (("quantisation", "head", "low"), 12.0),
        (("quantisation", "input", "shape"), [1, 64, 64, 6]),
        (("operating_points", 0, "threshold"), 1.0),
    ],
)
def test_a_card_that_would_release_everything_is_refused(path: tuple[str | int, ...], value: object) -> None:
    document = json.loads(encode_card(make_card()))
    target = document
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    with pytest.raises(BundleRefused, match="card"):
        parse_card(json.dumps(document).encode())


def test_a_card_that_grades_survives_the_round_trip() -> None:
    card = make_quality_card(files={"model.tflite": "sha256:" + "a" * 64})
    assert parse_card(encode_card(card)) == card
    assert card.rule() is card.rule("midpoints") is card.grades
    with pytest.raises(BundleRefused, match=r"recall-0\.90.*offers: midpoints"):
        card.rule("recall-0.90")


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (("classes",), ["normal", "defect"], "classes"),
        (("grades",), None, "grades"),
        (("grades", "thresholds"), [0.4, 0.4, 0.6, 0.8], "thresholds"),
        (("grades", "thresholds"), [0.0, 0.4, 0.6, 0.8], "thresholds"),
        (("grades", "thresholds"), [0.2, 0.4, 0.6, 1.0], "thresholds"),
        (("grades", "thresholds"), [0.125, 0.375, 0.625, 0.9], "midway"),
        (("grades", "class_means"), [0.9, 0.1, 0.5, 0.5, 0.0], "class_means"),
        (("quantisation", "head", "consequents"), [0.2, 0.25, 0.5, 0.75, 1.0], "no index could be poor"),
        (("quantisation", "head", "consequents"), [0.0, 0.25, 0.5, 0.75, 0.8], "none excessive"),
        (("preprocess", "ranges"), [[0.0, 1.0]] * 3, "ranges"),
        (("preprocess", "ranges", 3), [1.0, 1.0], "ranges"),
        (("quantisation", "head", "consequents"), [0.0, 0.5, 0.25, 0.75, 1.0], "head"),
        (("quantisation", "head"), {"kind": "thermometer", "low": -1.0, "high": 1.0, "full": 6.0}, "head"),
        (("quantisation", "output", "shape"), [1, 5], "output"),
        (("quantisation", "input", "shape"), [1, 1, 1, 3], "input"),
        (("task",), "joint_defect", "classes"),
    ],
)
def test_a_card_that_would_grade_wrongly_is_refused_by_field(
    path: tuple[str | int, ...], value: object, field: str
) -> None:
    document = json.loads(encode_card(make_quality_card()))
    target = document
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    with pytest.raises(BundleRefused, match=field):
        parse_card(json.dumps(document).encode())


def test_a_card_must_offer_its_default_operating_point() -> None:
    with pytest.raises(BundleRefused, match=r"recall-0\.99.*offers: recall-0\.90"):
        parse_card(encode_card(make_card(default_operating_point="recall-0.99")))


def test_the_verdict_payload_is_that_of_the_contract() -> None:
    joint = make_job().joints[0]
    decision = Decision(Call.NORMAL, p_defect=0.07, threshold=0.34, operating_point="recall-0.90")
    message = ENCODER.verdict(make_job(), Verdict(joint.named, decision, slices=4, latency_ms=38.2), NOW).message
    assert message.topic == "acme/line3/axi1/verdict/SN001"
    assert json.loads(message.payload) == {
        "schema": "axi-verdict/1",
        "event_id": event_id("axi1", "L7-000123", "J0.0", MODEL.digest),
        "device": "axi1",
        "time": "2026-11-21T08:15:31.204Z",
        "job_id": "L7-000123",
        "board": {"serial": "SN001", "type": "MB-7"},
        "joint": "J0.0",
        "refdes": "J0",
        "pin": "0",
        "machine_call": {"code": 164, "name": "insufficient"},
        "verdict": "normal",
        "route": "release",
        "p_defect": 0.07,
        "threshold": 0.34,
        "operating_point": "recall-0.90",
        "reason": None,
        "slices": 4,
        "model": {"name": "cnn3d", "version": "1.0.0", "digest": MODEL.digest},
        "latency_ms": 38.2,
        "view": joint.view,
        "roi": list(joint.roi),
        "files": [part.file for part in make_job().views[0].slices],
    }
    assert len(make_job().views[0].slices) > 1
    encoder = ENCODER._replace(station_url="https://line3.example")
    linked = encoder.verdict(make_job(), Verdict(joint.named, decision), NOW).payload
    assert linked.link == f"https://line3.example/joint/{linked.event_id}"


def test_a_graded_joint_carries_index_and_grade_and_the_bundle_of_its_type() -> None:
    quality = ModelRef(name="q", version="1.0.0", digest="sha256:" + "3" * 64)
    encoder = ENCODER._replace(routes=(("SMT", quality),))
    verdict = Verdict(NamedJoint("U1.1", type="smt"), Decision(Call.DEFECT, quality_index=0.04, grade="poor"))
    payload = json.loads(encoder.verdict(make_job(), verdict, NOW).message.payload)
    assert (payload["quality_index"], payload["grade"], payload["p_defect"]) == (0.04, "poor", None)
    assert payload["model"]["name"] == "q"
    assert payload["event_id"] == event_id("axi1", "L7-000123", "U1.1", quality.digest)
    lost = Verdict(NamedJoint("U1.1", type="SMT"), unjudged(Reason.TIMEOUT))
    assert encoder.verdict(make_job(), lost, NOW).payload.event_id == payload["event_id"], "whatever came of it"
    assert encoder.status_payload("online", NOW).routes == {"SMT": quality}


@pytest.mark.parametrize("call", list(Call))
def test_only_normal_is_released(call: Call) -> None:
    assert (Decision(call).route is Route.RELEASE) == (call is Call.NORMAL)


@given(st.tuples(texts, texts, texts, texts), st.tuples(texts, texts, texts, texts))
def test_event_ids_repeat_for_the_same_joint_and_differ_for_others(
    one: tuple[str, str, str, str], other: tuple[str, str, str, str]
) -> None:
    assert (event_id(*one) == event_id(*other)) == (one == other)


@given(texts)
def test_a_serial_is_one_clean_topic_level(serial: str) -> None:
    level = topic_level(serial)
    assert level
    assert all(c.isascii() and (c.isalnum() or c in "._-") for c in level)


def test_time_is_utc_with_milliseconds() -> None:
    assert timestamp(NOW.astimezone(timezone(timedelta(hours=8)))) == "2026-11-21T08:15:31.204Z"


def summary(calls: list[tuple[str, str]], grades: dict[str, int]) -> dict[str, Any]:
    board = BoardRef(serial="SN")
    outcome = BoardOutcome("L7", board, calls, grades, expected=len(calls), refused=False, duration_ms=1.0)
    message = ENCODER.board(outcome, NOW)
    assert message.topic == "acme/line3/axi1/board/SN"
    return json.loads(message.payload)  # type: ignore[no-any-return]


def test_a_board_summary_counts_every_call() -> None:
    found = summary([("normal", "release")] * 3 + [("defect", "specialist"), ("unjudged", "specialist")], {})
    assert found["verdicts"] == {"normal": 3, "defect": 1, "unjudged": 1}
    assert found["routes"] == {"release": 3, "specialist": 2}
    assert found["joints_decided"] == found["joints_expected"] == 5
    assert "grades" not in found


def test_a_board_summary_counts_every_grade_where_joints_were_graded() -> None:
    found = summary([("normal", "release")] * 3, {"good": 2})
    assert found["grades"] == dict.fromkeys(GRADES, 0) | {"good": 2}


def test_a_refused_joint_carries_no_model() -> None:
    payload, message, *_ = ENCODER.refused("L7", "SN/1", NamedJoint("J1"), "sha256:" + "2" * 64, NOW)
    assert payload.model is None
    assert (payload.verdict, payload.reason) == (Call.UNJUDGED, Reason.JOB_REFUSED)
    assert payload.route is Route.SPECIALIST
    assert not {"view", "roi", "files"} & json.loads(message.payload).keys()
    assert msgspec.json.decode(message.payload, type=VerdictPayload) == payload
    assert Topics("a/b").verdict("SN/1#+") == "a/b/verdict/SN_1__"
