"""Whether what we show the broker, what we check it by, and what it shows us, is still valid."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from datetime import datetime

from cryptography.x509 import load_der_x509_certificate

from edge.adapters.certificates import certificates_in
from edge.adapters.host import utc_now
from edge.commands.findings import Finding, Health
from edge.config import MqttSettings
from edge.core.errors import ConfigError

_RENEW_DAYS = 30
_PATIENCE_S = 10


def certificates(mqtt: MqttSettings) -> Iterator[Finding]:
    """Ours, as far as files are named, and the broker's own."""
    for key in ("ca_file", "cert_file"):
        path = getattr(mqtt, key)
        if not path:
            continue
        try:
            last = [found.not_valid_after_utc for found in certificates_in(path, f"[mqtt] {key}")]
        except (ConfigError, ValueError) as error:
            yield Finding("certificate", Health.FAIL, str(error))
            continue
        # Of several authorities one is enough; of a chain of ours the first to end ends it.
        ends = max(last) if key == "ca_file" else min(last)
        health, remedy = _ends(ends)
        expired = sum(end < utc_now() for end in last)
        if health is not Health.FAIL and expired:
            health, remedy = Health.WARN, f"; {expired} of {len(last)} in it have expired: remove them"
        yield Finding("certificate", health, f"[mqtt] {key}: {path}: valid until {ends:%Y-%m-%d}{remedy}")
    yield from _of_the_broker(mqtt)


def _ends(moment: datetime) -> tuple[Health, str]:
    left = (moment - utc_now()).days
    if left < 0:
        return Health.FAIL, "; it has expired: renew it"
    return (Health.WARN, "; renew it") if left < _RENEW_DAYS else (Health.OK, "")


def _of_the_broker(mqtt: MqttSettings) -> Iterator[Finding]:
    """Nothing where it shows none: another finding says what is wrong with the connection."""
    if not mqtt.ca_file:
        return
    try:
        context = ssl.create_default_context(cafile=mqtt.ca_file)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # how it ends is asked, not whose it is
        with (
            socket.create_connection((mqtt.host, mqtt.port), _PATIENCE_S) as plain,
            context.wrap_socket(plain, server_hostname=mqtt.host) as secured,
        ):
            shown = secured.getpeercert(binary_form=True)
    except (OSError, ValueError):
        return
    if shown:
        ends = load_der_x509_certificate(shown).not_valid_after_utc
        health, remedy = _ends(ends)
        yield Finding("certificate", health, f"of the broker: valid until {ends:%Y-%m-%d}{remedy}")
