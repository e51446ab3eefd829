"""Messages of which none may be lost: a lasting session of their own, and none acknowledged before it is on disk."""

from __future__ import annotations

import logging
import struct
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge.adapters.mqtt_client import BrokerSettings, plain_client
from edge.feedback.ports import Heard
from edge.reporting.loop import Trouble

log = logging.getLogger(__name__)

_KEPT_S = 30 * 24 * 3600
"""For so long the broker keeps what comes while the device is off (MQTT 5; before that, for ever)."""
_LONGEST_WAIT_S = 30


class Subscription(NamedTuple):
    """``name``: of the session, behind the client's; ``topics`` that are asked for, of ``what``. ``unheard``: the alarm
    where the broker does not let them through; ``unwanted``: how somebody does without them.
    """

    name: str
    topics: tuple[str, ...]
    what: str
    unheard: str
    unwanted: str = ""


def reviews_of(base_topic: str) -> Subscription:
    """What specialists say, from wherever."""
    unwanted = ", or set [mqtt] reviews = false"
    return Subscription("reviews", (f"{base_topic}/review",), "reviews", "reviews_unheard", unwanted)


class MqttLasting:
    """Connects again and again. ``arrived`` is called for each message, from any thread; ``trouble`` sets an alarm
    where the broker does not let us listen, or ends it.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        subscription: Subscription,
        arrived: Callable[[], None],
        trouble: Trouble,
    ) -> None:
        self._settings = settings._replace(client_id=f"{settings.client_id}-{subscription.name}")
        self._wanted, self._arrived, self._trouble = subscription, arrived, trouble
        self._lock = threading.Lock()
        self._session = 0
        self._heard: list[Heard] = []
        self._client: paho.Client | None = None

    def listen(self) -> None:
        """From now on, unless it does already; does not wait for the broker, and its trouble is an alarm."""
        if self._client is None:
            try:
                self._client = self._started()
            except (OSError, ValueError, struct.error) as error:  # a file of [mqtt] that cannot be used, or no host
                self._unheard(str(error), "check [mqtt]")

    def _started(self) -> paho.Client:
        client = plain_client(self._settings, lasting=True)
        client.reconnect_delay_set(1, _LONGEST_WAIT_S)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        lasting: dict[str, Any] = {}
        if self._settings.version == "5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = _KEPT_S
            lasting = {"clean_start": False, "properties": properties}
        client.connect_async(self._settings.host, self._settings.port, self._settings.keepalive_s, **lasting)
        client.loop_start()
        return client

    @property
    def connected(self) -> bool:
        return self._client is not None and self._client.is_connected()

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
            numbers = [message.number for message in heard if message.session == self._session and message.number]
        client = self._client
        if client is not None:
            for number in numbers:
                client.ack(number, 1)

    def close(self) -> None:
        """The session lasts: what comes meanwhile is kept by the broker."""
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()

    def _on_connect(self, client: paho.Client, _data: object, _flags: object, code: ReasonCode, _props: object) -> None:
        with self._lock:
            self._session += 1
            self._heard = []  # the broker sends them again
        if code.is_failure:
            self._unheard(str(code), "check [mqtt]")
        else:
            client.subscribe(self._asked())

    def _on_subscribe(self, _client: object, _data: object, _mid: int, codes: list[ReasonCode], _props: object) -> None:
        if any(code.is_failure for code in codes):
            refused = next(code for code in codes if code.is_failure)
            self._unheard(str(refused), f"give {self._settings.client_id} the right to read {self._topics}")
        else:
            self._trouble(self._wanted.unheard, f"{self._wanted.what} are heard on {self._topics}", on=False)

    @property
    def _topics(self) -> str:
        return ", ".join(self._wanted.topics)

    def _asked(self) -> list[tuple[str, Any]]:
        """A retained message would come again at every connection."""
        if self._settings.version != "5":
            return [(topic, 1) for topic in self._wanted.topics]
        options = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
        return [(topic, options) for topic in self._wanted.topics]

    def _unheard(self, said: str, remedy: str) -> None:
        what = self._wanted.what
        log.warning(f"no {what} from the broker", extra={"topic": self._topics, "problem": said})
        text = f"the broker lets no {what} through ({said}); {remedy}{self._wanted.unwanted}"
        self._trouble(self._wanted.unheard, text, on=True)

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        number = message.mid if message.qos else 0  # at QoS 0 nobody waits for an acknowledgement
        with self._lock:
            self._heard.append(Heard(self._session, number, bytes(message.payload)))
        self._arrived()
