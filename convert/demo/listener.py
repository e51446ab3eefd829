"""The demo's own subscriber: what really arrived at the broker's far side, shown and kept."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from edge.core.errors import BrokerUnavailable, UsageError
from edge.core.payloads import LicencePayload, MetricsPayload, ModelRef, StatusPayload, VerdictPayload

_SILENCE_S = 60.0


class Address(msgspec.Struct, frozen=True):
    host: str
    port: int


def parse_url(url: str) -> Address:
    """``mqtt://host[:port]``. Raises UsageError."""
    parts = urlsplit(url)
    if parts.scheme != "mqtt" or not parts.hostname:
        raise UsageError(f"MQTT_URL={url!r}: give mqtt://host:port, without user and password")
    return Address(parts.hostname, parts.port or 1883)


class Heard(NamedTuple):
    """Queues that fill with what was published: verdicts, the bundles that the device said it judges with, licences,
    and how many reviews the device holds.
    """

    verdicts: queue.Queue[VerdictPayload]
    bundles: queue.Queue[ModelRef]
    licences: queue.Queue[LicencePayload]
    reviews: queue.Queue[int]

    def wait_for(self, name: str) -> None:
        """Until the device judges with this bundle. Raises SystemExit where it does not."""
        try:
            while f"{(found := self.bundles.get(timeout=_SILENCE_S)).name}-{found.version}" != name:
                pass
        except queue.Empty:
            raise SystemExit(f"the device did not take {name}: its reason stands above") from None

    def wait_for_reviews(self, number: int) -> None:
        """Until the device holds so many. Raises SystemExit where it does not."""
        until, held = time.monotonic() + _SILENCE_S, 0
        while held < number and time.monotonic() < until:
            with suppress(queue.Empty):
                held = self.reviews.get(timeout=1.0)
        if held < number:
            raise SystemExit(f"the device holds {held} of {number} reviews after {_SILENCE_S:.0f} s")


@contextmanager
def heard_from(address: Address, base: str, capture: Path) -> Iterator[Heard]:
    """What is published under ``base`` while the block runs.

    Every message is also written to ``capture``, a line each, as ``axi-edge tail --json`` prints them.
    """
    heard = Heard(queue.Queue(), queue.Queue(), queue.Queue(), queue.Queue())
    subscribed = threading.Event()
    client = paho.Client(CallbackAPIVersion.VERSION2)
    with capture.open("wb") as lines:

        def on_connect(client: paho.Client, *_: object) -> None:
            client.subscribe(f"{base}/#", qos=1)

        def on_message(_client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
            kept = {"topic": message.topic, "payload": msgspec.Raw(message.payload)}
            lines.write(msgspec.json.encode(kept) + b"\n")
            if message.topic.startswith(f"{base}/verdict/"):
                heard.verdicts.put(msgspec.json.decode(message.payload, type=VerdictPayload))
            elif message.topic.startswith(f"{base}/licence/"):
                heard.licences.put(msgspec.json.decode(message.payload, type=LicencePayload))
            elif message.topic == f"{base}/metrics":
                held = msgspec.json.decode(message.payload, type=MetricsPayload).reviews
                heard.reviews.put(held.counted + held.set_aside)
            elif message.topic == f"{base}/status":
                status = msgspec.json.decode(message.payload, type=StatusPayload)
                if status.bundle is not None:
                    heard.bundles.put(status.bundle)

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
            yield heard
        finally:
            client.disconnect()
            client.loop_stop()
