"""Reviews from the broker: a lasting session of their own, and no message acknowledged before it is on disk."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge.adapters.mqtt_client import BrokerSettings, plain_client
from edge.feedback.ports import Heard

log = logging.getLogger(__name__)

_KEPT_S = 30 * 24 * 3600
"""For so long the broker keeps what comes while the device is off (MQTT 5; before that, for ever)."""
_LONGEST_WAIT_S = 30
UNHEARD = "reviews_unheard"


class Trouble(Protocol):
    """Sets an alarm, or ends it."""

    def __call__(self, code: str, text: str, *, on: bool) -> None: ...


class MqttReviews:
    """Listens from ``start`` on, connecting again and again. ``arrived`` is called for each message, from any thread;
    ``trouble`` sets an alarm where the broker does not let us listen, or ends it.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        topic: str,
        arrived: Callable[[], None],
        trouble: Trouble,
    ) -> None:
        self._settings = settings._replace(client_id=f"{settings.client_id}-reviews")
        self._topic, self._arrived, self._trouble = topic, arrived, trouble
        self._lock = threading.Lock()
        self._session = 0
        self._heard: list[Heard] = []
        self._client = plain_client(self._settings, lasting=True)
        self._client.reconnect_delay_set(1, _LONGEST_WAIT_S)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    def start(self) -> None:
        """Does not wait for the broker."""
        lasting: dict[str, Any] = {}
        if self._settings.version == "5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = _KEPT_S
            lasting = {"clean_start": False, "properties": properties}
        self._client.connect_async(self._settings.host, self._settings.port, self._settings.keepalive_s, **lasting)
        self._client.loop_start()

    def take(self) -> list[Heard]:
        """What has come since this was asked last."""
        with self._lock:
            heard, self._heard = self._heard, []
        return heard

    def put_back(self, heard: Sequence[Heard]) -> None:
        """They could not be written down: they are to be taken again."""
        with self._lock:
            self._heard = [*(message for message in heard if message.session == self._session), *self._heard]

    def acknowledge(self, heard: Sequence[Heard]) -> None:
        """They are on disk. Of a session that has ended nothing is acknowledged: the broker sends those again, and what
        is called by the same number by now may be another message.
        """
        with self._lock:
            numbers = [message.number for message in heard if message.session == self._session]
        for number in numbers:
            self._client.ack(number, 1)

    def close(self) -> None:
        """The session lasts: what comes meanwhile is kept by the broker."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: paho.Client, _data: object, _flags: object, code: ReasonCode, _props: object) -> None:
        with self._lock:
            self._session += 1
            self._heard = []  # the broker sends them again
        if code.is_failure:
            self._unheard(str(code))
        else:
            client.subscribe(self._topic, qos=1)

    def _on_subscribe(self, _client: object, _data: object, _mid: int, codes: list[ReasonCode], _props: object) -> None:
        if any(code.is_failure for code in codes):
            self._unheard(str(codes[0]))
        else:
            self._trouble(UNHEARD, f"reviews are heard on {self._topic}", on=False)

    def _unheard(self, said: str) -> None:
        log.warning("no reviews from the broker", extra={"topic": self._topic, "problem": said})
        remedy = f"give the device the right to read {self._topic}, or set [mqtt] reviews = false"
        self._trouble(UNHEARD, f"the broker lets no reviews through ({said}); {remedy}", on=True)

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        with self._lock:
            self._heard.append(Heard(self._session, message.mid, bytes(message.payload)))
        self._arrived()
