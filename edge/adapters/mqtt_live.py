"""What a device says now, for who shows it: what is missed meanwhile would be stale anyway."""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable, Sequence

import paho.mqtt.client as paho
from paho.mqtt.reasoncodes import ReasonCode

from edge.adapters.mqtt_client import BrokerSettings, plain_client

log = logging.getLogger(__name__)

_LONGEST_WAIT_S = 30
Hear = Callable[[str, bytes], None]


class MqttLive:
    """Connects again and again. ``hear`` is called with topic and payload, from the network's thread."""

    def __init__(self, settings: BrokerSettings, topics: Sequence[str], hear: Hear) -> None:
        self._settings = settings._replace(client_id=f"{settings.client_id}-sees")
        self._topics, self._hear = topics, hear
        self._client: paho.Client | None = None

    def listen(self) -> None:
        """From now on; does not wait for the broker."""
        client = plain_client(self._settings)
        client.reconnect_delay_set(1, _LONGEST_WAIT_S)
        client.on_connect = self._on_connect
        client.on_message = lambda _client, _data, message: self._hear(message.topic, bytes(message.payload))
        try:
            client.connect_async(self._settings.host, self._settings.port, self._settings.keepalive_s)
            client.loop_start()
        except (OSError, ValueError, struct.error) as error:
            log.warning("nothing heard of the device", extra={"problem": str(error)})
            return
        self._client = client

    def close(self) -> None:
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()

    def _on_connect(self, client: paho.Client, _data: object, _flags: object, code: ReasonCode, _props: object) -> None:
        if not code.is_failure:
            client.subscribe([(topic, 0) for topic in self._topics])
