"""The demo's own subscriber: what really arrived at the broker's far side, shown and kept."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from edge.core.errors import BrokerUnavailable, UsageError
from edge.core.payloads import VerdictPayload


class Address(msgspec.Struct, frozen=True):
    host: str
    port: int


def parse_url(url: str) -> Address:
    """``mqtt://host[:port]``. Raises UsageError."""
    parts = urlsplit(url)
    if parts.scheme != "mqtt" or not parts.hostname:
        raise UsageError(f"MQTT_URL={url!r}: give mqtt://host:port, without user and password")
    return Address(parts.hostname, parts.port or 1883)


@contextmanager
def verdicts_from(address: Address, base: str, capture: Path) -> Iterator[queue.Queue[VerdictPayload]]:
    """A queue that fills with every verdict published under ``base`` while the block runs.

    Every message is also written to ``capture``, a line each, as ``axi-edge tail --json`` prints them.
    """
    arrived: queue.Queue[VerdictPayload] = queue.Queue()
    subscribed = threading.Event()
    client = paho.Client(CallbackAPIVersion.VERSION2)
    with capture.open("wb") as lines:

        def on_connect(client: paho.Client, *_: object) -> None:
            client.subscribe(f"{base}/#", qos=1)

        def on_message(_client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
            kept = {"topic": message.topic, "payload": msgspec.Raw(message.payload)}
            lines.write(msgspec.json.encode(kept) + b"\n")
            if message.topic.startswith(f"{base}/verdict/"):
                arrived.put(msgspec.json.decode(message.payload, type=VerdictPayload))

        client.on_connect = on_connect
        client.on_subscribe = lambda *_: subscribed.set()
        client.on_message = on_message
        where = f"broker {address.host}:{address.port}"
        try:
            client.connect(address.host, address.port)
        except OSError as error:
            raise BrokerUnavailable(f"{where}: {error}; unset MQTT_URL to use the embedded one") from error
        client.loop_start()
        try:
            if not subscribed.wait(10):
                raise BrokerUnavailable(f"{where} does not let us subscribe to {base}/#")
            yield arrived
        finally:
            client.disconnect()
            client.loop_stop()
