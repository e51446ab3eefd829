"""How the configured broker is reached: secrets read, defaults settled, and a try whether it takes what we send."""

from __future__ import annotations

from pathlib import Path

from edge import __version__
from edge.adapters.mqtt import BrokerSettings, MqttSession
from edge.config import MqttSettings, Settings
from edge.core.errors import BrokerUnavailable, ConfigError
from edge.core.wire import Message
from edge.reporting.ports import Outcome


def broker_settings(settings: Settings) -> BrokerSettings:
    """Read the secrets and settle the defaults. Raises ConfigError."""
    mqtt = settings.mqtt
    _require_pairs(mqtt)
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


def _password(path: str) -> str | None:
    if not path:
        return None
    try:
        return Path(path).read_text("utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"[mqtt] password_file: {path}: {error}; name a readable file") from error


def _path(text: str) -> Path | None:
    return Path(text) if text else None


def try_broker(settings: Settings) -> str:
    """Connect once under a client id of its own, publish under ``<base>/check``, and leave. '' or what is wrong.

    The retained status is the daemon's and is not touched, and a clean goodbye sends no Will. An MQTT 3.1.1 broker
    acknowledges what it throws away, so only version 5 shows missing access rights.
    """
    broker = broker_settings(settings)
    broker = broker._replace(client_id=f"{broker.client_id}-check")
    probe = Message(f"{settings.mqtt.base_topic}/check", b"{}", expiry_s=1)
    try:
        session = MqttSession(broker, probe)
    except BrokerUnavailable as error:
        return str(error)
    outcome = session.publish([probe])
    session.close()
    if outcome == [Outcome.ACKNOWLEDGED]:
        return ""
    answer = "refused" if outcome == [Outcome.REFUSED] else "did not acknowledge"
    rights = f"to write {settings.mqtt.base_topic}/# and read {settings.mqtt.base_topic}/cmd/+"
    who = f"user {broker.username!r}" if broker.username else "this client"
    return f"broker {broker.host}:{broker.port} {answer} a message to {probe.topic}; give {who} the right {rights}"
