"""A client of paho-mqtt with protocol, login and TLS as configured."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import NamedTuple

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion


class BrokerSettings(NamedTuple):
    """How to reach the broker. ``password`` has been read from its file already."""

    host: str
    port: int
    client_id: str
    version: str
    keepalive_s: int
    timeout_s: float
    username: str | None = None
    password: str | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    producer: str = "axi-edge"


def _addresses(settings: BrokerSettings) -> int:
    """How many a host has: each is tried as long as the client waits. One where nobody knows it: connecting says so."""
    try:
        return len({found[4][0] for found in socket.getaddrinfo(settings.host, settings.port)})
    except (OSError, UnicodeError):
        return 1


def plain_client(settings: BrokerSettings, *, reconnect: bool = True, lasting: bool = False) -> paho.Client:
    """A client with protocol, login and TLS as configured.

    ``lasting``: the broker keeps its session, and what it receives is acknowledged by whoever asked for it.
    """
    five = settings.version == "5"
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id=settings.client_id,
        protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
        clean_session=None if five else not lasting,
        reconnect_on_failure=reconnect,
        manual_ack=lasting,
    )
    client.connect_timeout = settings.timeout_s / _addresses(settings)
    if settings.username is not None:
        client.username_pw_set(settings.username, settings.password)
    if settings.ca_file is not None:
        client.tls_set(
            str(settings.ca_file),
            str(settings.cert_file) if settings.cert_file else None,
            str(settings.key_file) if settings.key_file else None,
        )
    return client
