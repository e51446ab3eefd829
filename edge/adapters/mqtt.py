"""The broker, through paho-mqtt. One session is one connection: once lost it is thrown away, never revived.

Reconnecting is the reporting loop's business, so nothing can wait in a client's memory where the journal does not
know of it.
"""

from __future__ import annotations

import logging
import queue
import socket
import ssl
import struct
import threading
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge.adapters.broker_reasons import PLAIN, remedy_for
from edge.adapters.mqtt_client import BrokerSettings, plain_client
from edge.core.errors import BrokerUnavailable
from edge.core.wire import Message
from edge.reporting.ports import Command, CommandTopics, Outcome

log = logging.getLogger(__name__)

_NO_LIMIT = 65_535
_LARGEST_PACKET = 268_435_455
_HEADROOM = 64
"""Bytes of a PUBLISH packet besides topic and payload, generously."""


class _Packed(Properties):
    """Properties that are packed for the wire once."""

    def seal(self) -> None:
        """They are not changed any more."""
        self.__dict__["packed"] = super().pack()  # type: ignore[no-untyped-call]  # its own setter takes no such name

    def pack(self) -> Any:
        return self.__dict__["packed"]


@lru_cache(maxsize=16)  # the same for all verdicts, and slow to make
def _properties(producer: str, expiry_s: int | None, correlation: bytes | None) -> Properties:
    properties = _Packed(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.PayloadFormatIndicator = 1
    properties.ContentType = "application/json"
    properties.UserProperty = [("producer", producer)]
    if expiry_s is not None:
        properties.MessageExpiryInterval = expiry_s
    if correlation is not None:
        properties.CorrelationData = correlation
    properties.seal()
    return properties


class MqttSession:
    """One connection to one broker."""

    def __init__(self, settings: BrokerSettings, will: Message | None, commands: CommandTopics | None = None) -> None:
        """Connect and wait for the broker's word. Raises BrokerUnavailable saying what it said."""
        self._settings, self._commands = settings, commands
        self._where = f"broker {settings.host}:{settings.port}"
        self._changed = threading.Condition()
        self._state: str = "connecting"
        self._answers: dict[int, Outcome] = {}
        self._wanted: set[int] = set()
        self._in_flight = _NO_LIMIT  # more than the broker's receive maximum would be a protocol error
        self._largest = _LARGEST_PACKET
        self._refusal = ""
        try:
            self._client = self._new_client(will)
            self._client.connect(settings.host, settings.port, settings.keepalive_s, **self._fresh())
        except (OSError, ValueError, struct.error) as error:
            raise BrokerUnavailable(f"{self._where}: {error}; {remedy_of(error)}") from error
        self._client.loop_start()
        with self._changed:
            self._changed.wait_for(lambda: self._state != "connecting", settings.timeout_s)
            state = self._state
        if state != "connected":
            self.close()
            said = "no answer in time" if state == "connecting" else state
            raise BrokerUnavailable(f"{self._where}: {said}; {remedy_for(said, otherwise_for(settings))}")

    def publish(self, messages: Sequence[Message]) -> list[Outcome]:
        """Publish at QoS 1 and wait for the broker's word on each message."""
        outcome: list[Outcome] = []
        for start in range(0, len(messages), self._in_flight):
            outcome += self._publish_at_once(messages[start : start + self._in_flight])
        return outcome

    def _publish_at_once(self, messages: Sequence[Message]) -> list[Outcome]:
        mids = [self._start(message) for message in messages]
        wanted = {mid for mid in mids if mid is not None}
        with self._changed:
            self._wanted = wanted
            self._changed.wait_for(
                lambda: self._state != "connected" or wanted <= self._answers.keys(), self._settings.timeout_s
            )
            answers = {mid: self._answers.get(mid, Outcome.UNKNOWN) for mid in wanted}
            if Outcome.UNKNOWN in answers.values() and self._state == "connected":
                self._state = "acknowledgements overdue"  # a broker that stays silent is as good as gone
            self._answers.clear()
        return [Outcome.REFUSED if mid is None else answers[mid] for mid in mids]

    def _start(self, message: Message) -> int | None:
        """The message's id, or None for what the broker or the protocol cannot carry."""
        if len(message.payload) + len(message.topic) + len(message.correlation or b"") > self.largest:
            log.error("message larger than the broker takes", extra={"topic": message.topic})
            return None
        try:
            said = self._client.publish(
                message.topic, message.payload, qos=1, retain=message.retain, properties=self._properties(message)
            )
        except ValueError as error:
            log.error("message cannot be published", extra={"problem": str(error)})  # noqa: TRY400
            return None
        return said.mid

    def _properties(self, message: Message) -> Properties | None:
        """What MQTT 5 lets a message say of itself."""
        if self._settings.version != "5":
            return None
        return _properties(self._settings.producer, message.expiry_s, message.correlation)

    @property
    def alive(self) -> bool:
        with self._changed:
            return self._state == "connected"

    @property
    def largest(self) -> int:
        """Bytes that a message and its topic may have."""
        return max(0, self._largest - _HEADROOM)

    @property
    def refusal(self) -> str:
        """What the broker said to the last message that it did not take; empty where it took them all."""
        with self._changed:
            return self._refusal

    @property
    def ended(self) -> str:
        """Why it is no longer alive, in the broker's words."""
        with self._changed:
            return "" if self._state == "connected" else self._state

    def close(self) -> None:
        """Disconnect cleanly; the Will is not sent."""
        self._client.disconnect()
        self._client.loop_stop()

    def _new_client(self, will: Message | None) -> paho.Client:
        client = plain_client(self._settings, reconnect=False)
        client.max_inflight_messages_set(0)  # unlimited here: publish() itself keeps to what the broker takes
        client.max_queued_messages_set(0)
        if will is not None:
            client.will_set(will.topic, will.payload, qos=1, retain=will.retain)
        client.on_socket_open = lambda _client, _data, connection: _set(connection, socket.TCP_NODELAY)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe
        return client

    def _fresh(self) -> dict[str, Any]:
        """Ask for a session that ends with the connection, in the words of the protocol version."""
        if self._settings.version != "5":
            return {}
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 0
        return {"clean_start": True, "properties": properties}

    # paho calls these on its network thread.

    def _on_connect(
        self,
        client: paho.Client,
        _data: object,
        _flags: object,
        code: ReasonCode,
        properties: Properties | None,
    ) -> None:
        self._in_flight = int(getattr(properties, "ReceiveMaximum", _NO_LIMIT))
        self._largest = int(getattr(properties, "MaximumPacketSize", _LARGEST_PACKET))
        if not code.is_failure and self._commands is not None:
            client.subscribe(self._commands.topics, qos=1)
        self._become(f"refused: {code}" if code.is_failure else "connected")

    def _on_disconnect(self, _client: object, _data: object, _flags: object, code: ReasonCode, _props: object) -> None:
        self._become(f"connection lost: {code}")

    def _on_publish(self, client: paho.Client, _data: object, mid: int, code: ReasonCode, _props: object) -> None:
        _set(client.socket(), socket.TCP_QUICKACK)  # Linux forgets it again and again
        if code.is_failure:
            log.warning("broker refused a message", extra={"problem": str(code)})
        with self._changed:
            self._refusal = str(code) if code.is_failure else self._refusal
            self._answers[mid] = Outcome.REFUSED if code.is_failure else Outcome.ACKNOWLEDGED
            if self._wanted <= self._answers.keys():  # who waits for all of them need not be woken for each
                self._changed.notify_all()

    def _on_subscribe(self, _client: object, _data: object, _mid: int, codes: list[ReasonCode], _props: object) -> None:
        if any(code.is_failure for code in codes):
            log.warning(
                "broker lets no commands through", extra={"topic": self._commands.topics if self._commands else ""}
            )

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        # A retained command would be obeyed again at every connection.
        if self._commands is not None and not message.retain:
            reply_to = getattr(message.properties, "ResponseTopic", "") or f"{message.topic}/response"
            correlation = getattr(message.properties, "CorrelationData", None)
            op = message.topic.rpartition("/")[2]
            self._commands.received(Command(op, reply_to, correlation, bytes(message.payload)))

    def _become(self, state: str) -> None:
        with self._changed:
            if self._state in {"connecting", "connected", "acknowledgements overdue"}:  # else it has ended: first word
                self._state = state
            self._changed.notify_all()


def _set(connection: Any, option: int) -> None:
    """Send what there is (NODELAY), acknowledge what came (QUICKACK) at once; a connection that is gone is let be.

    Nagle's algorithm on one side and delayed acknowledgements on the other would hold a view's verdicts, or the
    broker's PUBACKs, back for 40 ms.
    """
    if connection is None:
        return
    try:
        connection.setsockopt(socket.IPPROTO_TCP, option, 1)
    except OSError as error:
        log.debug("socket option not set", extra={"problem": str(error)})


def remedy_of(error: Exception) -> str:
    """Of what kept a connection from being made."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return "the broker's certificate is not one of [mqtt] ca_file, or not for this host: name its authority's"
    return "check [mqtt] and the network"


def otherwise_for(settings: BrokerSettings) -> str:
    """What to do where the broker gives no reason that is known."""
    return PLAIN if settings.ca_file is None else remedy_for("")


def listen(settings: BrokerSettings, topics: str) -> Iterator[tuple[str, bytes]]:
    """Every message under ``topics`` from now on, retained ones first; goes on after a lost connection.

    Raises BrokerUnavailable when the first connection fails or the broker does not let us subscribe.
    """
    arrived: queue.SimpleQueue[tuple[str, bytes] | BrokerUnavailable] = queue.SimpleQueue()
    answered = threading.Event()
    where = f"broker {settings.host}:{settings.port}"

    def connected(client: paho.Client, _data: object, _flags: object, code: ReasonCode, _props: object) -> None:
        if code.is_failure:
            arrived.put(
                BrokerUnavailable(f"{where}: refused: {code}; {remedy_for(str(code), otherwise_for(settings))}")
            )
            answered.set()
        else:
            client.subscribe(topics, qos=1)

    def subscribed(_client: object, _data: object, _mid: int, codes: list[ReasonCode], _props: object) -> None:
        if any(code.is_failure for code in codes):
            arrived.put(BrokerUnavailable(f"{where}: may not subscribe to {topics}; check its access rules"))
        answered.set()

    client = plain_client(settings)
    client.on_connect = connected
    client.on_subscribe = subscribed
    client.on_message = lambda _client, _data, message: arrived.put((message.topic, bytes(message.payload)))
    try:
        client.connect(settings.host, settings.port, settings.keepalive_s)
    except (OSError, ValueError, struct.error) as error:
        raise BrokerUnavailable(f"{where}: {error}; {remedy_of(error)}") from error
    client.loop_start()
    try:
        if not answered.wait(settings.timeout_s):
            raise BrokerUnavailable(f"{where}: no answer in time; {otherwise_for(settings)}")
        while True:
            found = arrived.get()
            if isinstance(found, BrokerUnavailable):
                raise found
            yield found
    finally:
        client.disconnect()
        client.loop_stop()
