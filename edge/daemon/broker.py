"""How the configured broker is reached: secrets read, defaults settled, and a try whether it takes what we send."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from edge import __version__
from edge.adapters.broker_reasons import remedy_for
from edge.adapters.certificates import certificates_in
from edge.adapters.mqtt import MqttSession
from edge.adapters.mqtt_client import BrokerSettings
from edge.config import MqttSettings, Settings
from edge.core.errors import AxiError, BrokerUnavailable, ConfigError
from edge.core.job import MAX_SLICES, Board, Job, MachineCall, NamedJoint, Roi, SliceFile, View
from edge.core.payloads import ModelRef
from edge.core.verdict import Call, Decision, Verdict
from edge.core.wire import Encoder, Message, Topics
from edge.files import read_plain
from edge.reporting.ports import Outcome

_LONG_NAME = 64
_LONGEST_PASSWORD = 65_535
"""Bytes (MQTT)."""


def broker_settings(settings: Settings) -> BrokerSettings:
    """Read the secrets and settle the defaults. Raises ConfigError."""
    mqtt = settings.mqtt
    _require_pairs(mqtt)
    _require_open_key(mqtt.key_file)
    return BrokerSettings(
        host=mqtt.host,
        port=mqtt.port,
        client_id=mqtt.client_id or f"axi-edge-{settings.device.name}",
        version=mqtt.version,
        keepalive_s=mqtt.keepalive_s,
        timeout_s=mqtt.timeout_s,
        username=mqtt.username or None,
        password=_password(mqtt.password_file),
        ca_file=_path(mqtt.ca_file),
        cert_file=_path(mqtt.cert_file),
        key_file=_path(mqtt.key_file),
        producer=f"axi-edge {__version__}",
    )


def _require_pairs(mqtt: MqttSettings) -> None:
    """Raises ConfigError for half of what belongs together."""
    if (mqtt.cert_file or mqtt.key_file) and not mqtt.ca_file:
        raise ConfigError("[mqtt] ca_file: missing beside cert_file and key_file; name the CA, or there is no TLS")
    if bool(mqtt.cert_file) != bool(mqtt.key_file):
        raise ConfigError("[mqtt] cert_file and key_file: one is missing; name both for mutual TLS")
    if mqtt.password_file and not mqtt.username:
        raise ConfigError("[mqtt] username: missing beside password_file; name the user")


def _require_open_key(path: str) -> None:
    """Raises ConfigError for a key that is encrypted: whoever opens it would be asked for a passphrase, and wait."""
    if not path:
        return
    try:
        load_pem_private_key(read_plain(Path(path)), None)
    except TypeError as error:
        remedy = f"store it without a passphrase (openssl pkey -in {path} -out ...), readable for the daemon alone"
        raise ConfigError(f"[mqtt] key_file: {path}: is encrypted; {remedy}") from error
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"[mqtt] key_file: {path}: {error}; name a readable PEM key") from error


def require_certificates(mqtt: MqttSettings) -> None:
    """Raises ConfigError for a file that no TLS can begin with. Not asked of the daemon, which judges without a broker,
    too.
    """
    for key in ("ca_file", "cert_file"):
        if path := getattr(mqtt, key):
            certificates_in(path, f"[mqtt] {key}")


def _password(path: str) -> str | None:
    if not path:
        return None
    try:
        return read_plain(Path(path), _LONGEST_PASSWORD).decode().strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"[mqtt] password_file: {path}: {error}; name a readable file") from error


def _path(text: str) -> Path | None:
    return Path(text) if text else None


def broker_trouble(settings: Settings) -> str:
    """Why verdicts would not arrive, or '': of the configuration, or by a try."""
    try:
        return try_broker(settings)
    except AxiError as error:
        return str(error)


def try_broker(settings: Settings) -> str:
    """Connect once under a client id of its own, publish under ``<base>/check``, and leave. '' or what is wrong.

    The Will is retained, as the daemon's is, and a clean goodbye sends none; the retained status is the daemon's and is
    not touched, nor are the topics of verdicts, which others listen to: rights to those alone are not seen. What is
    published is as large as a verdict may well be. An MQTT 3.1.1 broker acknowledges what it
    throws away, so only version 5 shows missing access rights and limits.
    """
    broker = broker_settings(settings)
    broker = broker._replace(client_id=f"{broker.client_id}-check")
    topic = f"{settings.mqtt.base_topic}/check"
    probe = Message(topic, _full_verdict(settings), expiry_s=1)
    try:
        session = MqttSession(broker, Message(topic, b"{}", retain=True))
    except BrokerUnavailable as error:
        return str(error)
    outcome, largest = session.publish([probe]), session.largest
    said = session.refusal or session.ended
    session.close()
    where = f"broker {broker.host}:{broker.port}"
    if outcome == [Outcome.ACKNOWLEDGED]:
        return ""
    if len(probe.payload) > largest:
        limit = f"takes no message over {largest} bytes, and a verdict may have {len(probe.payload)}"
        return f"{where} {limit}; raise its max_packet_size"
    answer = "refused" if outcome == [Outcome.REFUSED] else "did not acknowledge"
    remedy = f"give {_who(broker)} the right {_rights(settings)}"
    if not session.refusal:
        remedy += ", and look at its limits on messages"
    remedy = remedy if "not authorized" in said.casefold() else remedy_for(said, remedy)
    return f"{where} {answer} a message to {probe.topic}{f' ({said})' if said else ''}; {remedy}"


def _who(broker: BrokerSettings) -> str:
    return f"user {broker.username!r}" if broker.username else "this client"


def _rights(settings: Settings) -> str:
    return f"to write {settings.mqtt.base_topic}/# and read {settings.mqtt.base_topic}/cmd/+ and .../review"


def _full_verdict(settings: Settings) -> bytes:
    """A verdict whose names are all as long as names usually are at most."""
    name = "N" * _LONG_NAME
    model = ModelRef(name=name, version="100.100.100", digest="sha256:" + "0" * 64)
    encoder = Encoder(settings.device.name, Topics(settings.mqtt.base_topic), __version__, model)
    encoder = encoder._replace(station_url=settings.station.url)
    joint = NamedJoint(
        name, name, name, name, MachineCall(code=0, name=name), name, Roi(10_000, 10_000, 10_100, 10_100)
    )
    slices = tuple(SliceFile(index=index, file=name) for index in range(MAX_SLICES))
    job = Job(
        schema="axi-job/1",
        job_id=name,
        created="",
        board=Board(serial=name, type=name, revision=name, side=name),
        views=(View(id=name, slices=slices),),
        joints=(),
    )
    verdict = Verdict(joint, Decision(Call.DEFECT, None, 0.123456, 0.123456, name), 6, 1234.567)
    return encoder.verdict(job, verdict, datetime(2026, 1, 1, tzinfo=UTC)).message.payload
