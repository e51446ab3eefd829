"""Home Assistant is told of everything that there is to show, in ids that every version of it takes."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment

from edge.core.payloads import StatusPayload
from edge.station.discovery import discovery, id_of_topic
from tests.unit.edge.station.test_figures import LICENCE, METRICS, MODEL

BASE = "acme/penang/line 3/axi1"
STATUS = StatusPayload(state="online", time="t", version="1.2.3", bundle=MODEL)


def told(**other: Any) -> dict[str, Any]:
    """By topic."""
    metrics = other.get("metrics", METRICS)
    messages = discovery("homeassistant", BASE, metrics, STATUS, other.get("licences", [LICENCE]))
    assert all(message.retain for message in messages)
    return {message.topic: json.loads(message.payload) for message in messages}


def named(configs: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [config for config in configs.values() if config["name"] == name]
    return dict(found)


def shown(config: dict[str, Any], payload: object) -> str:
    value = json.loads(msgspec.json.encode(payload))
    return Environment(autoescape=False).from_string(config["value_template"]).render(value_json=value)  # noqa: S701


def test_topics_and_ids_are_such_as_it_takes() -> None:
    configs = told()
    for topic, config in configs.items():
        assert re.fullmatch(r"homeassistant/(sensor|binary_sensor|button)/[a-zA-Z0-9_-]+/[a-zA-Z0-9_-]+/config", topic)
        assert re.fullmatch("[a-zA-Z0-9_-]+", config["unique_id"])
    assert len({config["unique_id"] for config in configs.values()}) == len(configs)
    assert len({json.dumps(config["device"]) for config in configs.values()}) == 1


@given(st.text(max_size=20), st.text(max_size=20))
def test_two_names_never_have_one_id(one: str, other: str) -> None:
    assert re.fullmatch("[a-zA-Z0-9_-]*", id_of_topic(one))
    assert (id_of_topic(one) == id_of_topic(other)) == (one == other)


def test_licences_of_like_names_are_told_apart() -> None:
    names = (("A B", "C"), ("A", "B C"), ("A_B", "C"))
    several = [msgspec.structs.replace(LICENCE, board_type=one, joint_type=other) for one, other in names]
    assert len(told(licences=several)) == len(told(licences=[])) + 3


def test_templates_show_what_messages_say() -> None:
    configs = told()
    assert shown(named(configs, "Online"), STATUS) == "online"
    assert shown(named(configs, "Online"), msgspec.structs.replace(STATUS, state="stopped")) == "offline"
    assert shown(named(configs, "Bundle"), STATUS) == "slicenet 1.0.0"
    assert shown(named(configs, "Bundle"), msgspec.structs.replace(STATUS, bundle=None)) == ""
    assert shown(named(configs, "Latency 99 of 100"), METRICS) == "9.0"
    assert shown(named(configs, "Latency median"), msgspec.structs.replace(METRICS, latency_ms=None)) == "None"
    assert shown(named(configs, "Free on journal"), METRICS) == "2000"
    assert shown(named(configs, "Temperature"), METRICS) == "51.5"
    licence = named(configs, f"Licence {LICENCE.board_type} PTH")
    assert (licence["state_topic"], shown(licence, LICENCE)) == (f"{BASE}/licence/MB-_7__/PTH", "licensed")


def test_what_was_not_heard_yet_is_not_told() -> None:
    names = {config["name"] for config in told(metrics=None, licences=[]).values()}
    assert {"Online", "Reload", "Jobs waiting"} <= names
    assert not [name for name in names if name.startswith(("Free", "Temperature", "Licence"))]


def test_nothing_that_a_message_names_gets_into_a_template() -> None:
    hostile = msgspec.structs.replace(METRICS, free_mb={"x'] }}{{ 7*7 }}": 1, "spool": 2})
    licence = msgspec.structs.replace(LICENCE, board_type="{{ 7*7 }}")
    configs = told(metrics=hostile, licences=[licence])
    assert not [config for config in configs.values() if "7*7" in config.get("value_template", "")]
