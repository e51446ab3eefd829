"""What to do about the reason that a broker gives for letting nobody in."""

from __future__ import annotations

_REMEDIES = {
    "retain not supported": "allow retained messages at the broker (mosquitto: retain_available true)",
    "qos not supported": "allow QoS 1 at the broker (mosquitto: max_qos)",
    "packet too large": "raise the broker's max_packet_size",
    "client identifier not valid": "set another [mqtt] client_id, or allow it at the broker",
    "bad user name or password": "correct [mqtt] username and password_file",
    "not authorized": "correct [mqtt] username and password_file, or let that user in at the broker",
    "unsupported protocol version": "set [mqtt] version to one that the broker speaks",
    "quota exceeded": "raise the quota at the broker",
    "use another server": "set [mqtt] host to the server that the broker names",
    "server moved": "set [mqtt] host to the server that the broker names",
    "connection rate exceeded": "wait, or let this client connect more often at the broker",
    "receive maximum exceeded": "lower [mqtt] window",
    "session taken over": "give each client an id of its own",
    "server busy": "wait, or make room at the broker",
    "server unavailable": "wait, or look after the broker",
    "banned": "ask whoever runs the broker",
    "topic name invalid": "set another [mqtt] base_topic",
}


_OTHERWISE = "check [mqtt] version, username and password_file"
PLAIN = f"{_OTHERWISE}; if the broker speaks TLS there (as on port 8883), set [mqtt] ca_file"
"""Where we speak no TLS: one that does says nothing that we understand."""


def remedy_for(said: str, otherwise: str = _OTHERWISE) -> str:
    """``said``: the reason code, in words (MQTT 5, section 2.4). ``otherwise``: where nothing better is known."""
    found = (remedy for reason, remedy in _REMEDIES.items() if reason in said.casefold())
    return next(found, otherwise)
