"""What is wrong with a document is said in words, with what would be right."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import Struct

from edge.config import Settings
from edge.core.card import ModelCard
from edge.core.job import Job
from edge.core.review import ReviewPayload
from edge.core.wording import in_words


def said(document: Any, kind: type[Struct]) -> tuple[str, str]:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(document, kind)
    return in_words(str(caught.value), kind)


SOUND = {"device": {"name": "x"}, "model": {"bundle": "b"}, "mqtt": {"base_topic": "a"}}


@pytest.mark.parametrize(
    ("section", "given", "where", "words"),
    [
        ("device", {"name": "a b"}, "device.name", "must be of letters, digits and . _ - alone"),
        ("device", {"name": ""}, "device.name", "is empty"),
        ("device", {"name": "a" * 65}, "device.name", "has more than 64 characters"),
        ("mqtt", {"base_topic": "/a/"}, "mqtt.base_topic", "must be a topic such as acme/line3/axi1"),
        ("mqtt", {"base_topic": "a", "answer_under": ["#"]}, "mqtt.answer_under[0]", "must be a topic such as"),
        ("mqtt", {"base_topic": "a", "port": "1883"}, "mqtt.port", "a whole number is expected, not text"),
        ("mqtt", {"base_topic": "a", "port": 1.5}, "mqtt.port", "a whole number is expected, not a number with a fr"),
        ("mqtt", {"base_topic": "a", "port": 70_000}, "mqtt.port", "must be at most 65535"),
        ("mqtt", {"base_topic": "a", "version": "4"}, "mqtt.version", "'4' is none of '3.1.1', '5'"),
        ("mqtt", {"base_topic": "a", "reviews": "no"}, "mqtt.reviews", "true or false is expected, not text"),
        ("release", {"policy": "all"}, "release.policy", "'all' is none of 'advise', 'card', 'licensed'"),
        ("release", {"target_escape": 0}, "release.target_escape", "must be at least 0.001"),
        ("station", {"classes": []}, "station.classes", "is empty"),
        ("station", {"url": "line3"}, "station.url", "must be an address such as https://"),
        ("station", {"classes": "void"}, "station.classes", "a list is expected, not text"),
        ("model", {"bundle": "b", "routes": {"BGA": {"bundle": 1}}}, "model.routes[...].bundle", "text, in quotes is"),
        ("model", ["b"], "model", "a table of keys is expected, not a list"),
    ],
)
def test_a_configuration(section: str, given: Any, where: str, words: str) -> None:
    what, place = said({**SOUND, section: given}, Settings)
    assert place == where
    assert what.startswith(words)


def test_other_documents() -> None:
    what, place = said({"schema": "axi-review/2"}, ReviewPayload)
    assert (what, place) == ("'axi-review/2' is none of 'axi-review/1'", "schema")
    what, place = said({"review_id": "1"}, ReviewPayload)
    assert (what[:19], place) == ("must be a UUID such", "review_id")
    sound = {"review_id": 8 * "0" + 3 * "-0000" + "-" + 12 * "0", "time": "t"}
    what, place = said({**sound, "event_id": sound["review_id"], "decision": "good"}, ReviewPayload)
    assert (what, place) == ("'good' is none of 'defect', 'false_call', 'unsure'", "decision")
    assert said([], Job) == ("a table of keys is expected, not a list", "")
    assert said({}, Job) == ("schema is missing", "")


def _patterns(kind: Any, path: str = "") -> list[tuple[str, bool]]:
    """Every text of which a pattern is asked, and whether it is also described."""
    info = msgspec.inspect
    if isinstance(kind, info.Metadata):
        described = "description" in (kind.extra_json_schema or {})
        bare = isinstance(kind.type, info.StrType) and kind.type.pattern is not None
        return [(path, described)] if bare else _patterns(kind.type, path)
    if isinstance(kind, info.StrType):
        return [(path, False)] if kind.pattern is not None else []
    if isinstance(kind, info.StructType):
        return [one for field in kind.fields for one in _patterns(field.type, f"{path}.{field.encode_name}")]
    inner = [getattr(kind, name, None) for name in ("item_type", "value_type", "key_type")]
    several = [*getattr(kind, "types", ()), *getattr(kind, "item_types", ())]
    return [one for each in (*inner, *several) if each is not None for one in _patterns(each, path)]


@pytest.mark.parametrize("kind", [Settings, ModelCard, Job, ReviewPayload])
def test_no_pattern_is_asked_for_without_words(kind: type[Struct]) -> None:
    asked = _patterns(msgspec.inspect.type_info(kind))
    assert asked
    assert [path for path, described in asked if not described] == []
