"""Home Assistant finds the device by itself: retained configurations, as every version reads them.

Where they go and what they hold: Home Assistant's "MQTT discovery"; node and object ids may hold [a-zA-Z0-9_-] only.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from edge import __version__
from edge.core.payloads import LicencePayload, MetricsPayload, StatusPayload
from edge.core.wire import Message, Topics

_OTHER = re.compile("[^a-zA-Z0-9_-]")
_ONLINE = "{{ 'online' if value_json.state == 'online' else 'offline' }}"


class _Entity(NamedTuple):
    """``kind``: Home Assistant's; ``more``: what it shows, and how."""

    kind: str
    name: str
    more: Mapping[str, Any]
    lasting: bool = False
    """It is shown also while the device is away."""
    key: str = ""
    """What its id is made of, if not its name."""


def discovery(
    prefix: str,
    base_topic: str,
    metrics: MetricsPayload | None,
    status: StatusPayload | None,
    licences: Iterable[LicencePayload],
) -> list[Message]:
    """One message for each entity. ``prefix``: where Home Assistant looks, by default ``homeassistant``."""
    topics, node = Topics(base_topic), id_of_topic(base_topic)
    device = {
        "identifiers": [node],
        "name": metrics.device if metrics else base_topic.rpartition("/")[2],
        "manufacturer": "axi-edge",
        "model": "X-ray inspection of solder joints",
        "sw_version": status.version if status else __version__,
    }
    entities = [*_of_device(topics), *_of_metrics(topics, metrics), *(_of_licence(topics, one) for one in licences)]
    return [_message(prefix, node, device, topics, entity) for entity in entities]


def id_of_topic(text: str) -> str:
    """Of the letters that an id may hold; two texts never have one id."""
    plain = _OTHER.sub("_", text)
    return plain if plain == text else f"{plain}_{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _message(prefix: str, node: str, device: Mapping[str, Any], topics: Topics, entity: _Entity) -> Message:
    thing = id_of_topic(entity.key or entity.name.lower().replace(" ", "_"))
    available = {"availability_topic": topics.status, "availability_template": _ONLINE}
    config = {
        "name": entity.name,
        "unique_id": f"{node}_{thing}",
        "object_id": f"{node}_{thing}",
        "device": device,
        **({} if entity.lasting else available),
        **entity.more,
    }
    return Message(f"{prefix}/{entity.kind}/{node}/{thing}/config", msgspec.json.encode(config), retain=True)


def _of_device(topics: Topics) -> Sequence[_Entity]:
    template = "value_template"
    return (
        _Entity(
            "binary_sensor",
            "Online",
            {
                "state_topic": topics.status,
                template: _ONLINE,
                "payload_on": "online",
                "payload_off": "offline",
                "device_class": "connectivity",
            },
            lasting=True,
        ),
        _Entity(
            "sensor",
            "Bundle",
            {
                "state_topic": topics.status,
                template: "{{ value_json.bundle.name ~ ' ' ~ value_json.bundle.version if value_json.bundle else '' }}",
                "icon": "mdi:package-variant-closed",
            },
        ),
        _Entity(
            "sensor",
            "Last alarm",
            {
                "state_topic": topics.alarm,
                template: "{{ value_json.code }}",
                "json_attributes_topic": topics.alarm,
                "icon": "mdi:alert",
            },
            lasting=True,
        ),
        _Entity("button", "Reload", {"command_topic": f"{topics.base}/cmd/reload", "payload_press": "", "qos": 1}),
    )


def _of_metrics(topics: Topics, metrics: MetricsPayload | None) -> Iterable[_Entity]:
    """``metrics``: of the last interval; they say which disks there are, and whether the temperature is known."""
    measured: list[tuple[str, str, dict[str, Any]]] = [
        ("Joints per second", "joints_per_s", {"icon": "mdi:speedometer"}),
        ("Latency median", "latency_ms.p50", {"unit_of_measurement": "ms", "device_class": "duration"}),
        ("Latency 99 of 100", "latency_ms.p99", {"unit_of_measurement": "ms", "device_class": "duration"}),
        ("Jobs waiting", "backlog", {"icon": "mdi:tray-full"}),
        ("Messages waiting", "outbox", {"icon": "mdi:email-outline"}),
        ("Memory", "memory_mb", {"unit_of_measurement": "MB", "device_class": "data_size"}),
    ]
    for disk in filter(str.isidentifier, metrics.free_mb if metrics else ()):  # nothing else gets into a template
        free = {"unit_of_measurement": "MB", "device_class": "data_size"}
        measured.append((f"Free on {disk}", f"free_mb['{disk}']", free))
    if metrics is not None and metrics.temperature_c is not None:
        measured.append(("Temperature", "temperature_c", {"unit_of_measurement": "°C", "device_class": "temperature"}))
    for name, path, more in measured:
        what = f"value_json.{path}"
        empty = f" if value_json.{path.partition('.')[0]} else None" if "." in path else ""
        shown = {"state_topic": topics.metrics, "value_template": f"{{{{ {what}{empty} }}}}"}
        yield _Entity("sensor", name, {**shown, "state_class": "measurement", **more})


def _of_licence(topics: Topics, said: LicencePayload) -> _Entity:
    topic = topics.licence(said.board_type, said.joint_type)
    name = f"Licence {said.board_type} {said.joint_type}"
    shown = {"state_topic": topic, "value_template": "{{ value_json.state }}", "json_attributes_topic": topic}
    key = msgspec.json.encode(["licence", said.board_type, said.joint_type]).decode()
    return _Entity("sensor", name, {**shown, "icon": "mdi:certificate"}, lasting=True, key=key)
