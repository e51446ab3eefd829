"""``axi-edge tail``: what the device publishes, live from the broker, for people or as a capture for ``audit``."""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

import msgspec

from edge.adapters.mqtt import listen
from edge.commands import Commands, add_config, shown
from edge.config import Settings, load_settings
from edge.core import grades
from edge.daemon.broker import broker_settings, require_certificates


def add_tail(commands: Commands) -> None:
    tail = commands.add_parser("tail", help="what the device publishes, live from the broker")
    add_config(tail)
    tail.add_argument("--json", action="store_true", help="a message a line, as axi-edge audit --capture reads them")
    tail.set_defaults(action=_tail)


def _tail(arguments: argparse.Namespace) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # either way of ending it is a clean one
    with suppress(KeyboardInterrupt):
        follow(load_settings(arguments.config), as_json=arguments.json)
    return 0


def follow(settings: Settings, *, as_json: bool) -> None:
    """Print a line a message until interrupted. Raises BrokerUnavailable or ConfigError."""
    require_certificates(settings.mqtt)
    broker = broker_settings(settings)
    # An id of its own: two that share one take each other's place, and each loses what comes meanwhile.
    broker = broker._replace(client_id=f"{broker.client_id}-tail-{os.urandom(4).hex()}")
    for topic, raw in listen(broker, f"{settings.mqtt.base_topic}/#"):
        if as_json:
            print(msgspec.json.encode({"topic": topic, "payload": _decoded(raw)}).decode(), flush=True)
        else:
            print(readable(topic.removeprefix(f"{settings.mqtt.base_topic}/"), _decoded(raw)), flush=True)


def _decoded(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return raw.decode("utf-8", "backslashreplace")


def readable(topic: str, payload: Any) -> str:
    """One line for a person; what is no message of ours as it stands. Control characters are written out."""
    line = _told(payload) or f"{topic}: {msgspec.json.encode(payload).decode()}"
    return shown(line)


def _told(payload: Any) -> str:
    """A message of ours in words; empty for anything else, which anybody may publish."""
    with suppress(LookupError, TypeError, ValueError, AttributeError):
        kind = str(payload["schema"]).partition("/")[0]
        moment = datetime.fromisoformat(payload["time"]).astimezone()
        return f"{moment:%Y-%m-%d %H:%M:%S}  {_IN_WORDS[kind](payload)}"
    return ""


def _verdict(message: Any) -> str:
    score = "" if message["p_defect"] is None else f"  p {message['p_defect']:.3f} of {message['threshold']:.3f}"
    if "defect_class" in message:
        score += f"  {message['defect_class']['name']} {message['defect_class']['share']:.0%}"
    if "grade" in message:
        score = f"  {grades.in_words(message['grade'])}, quality index {message['quality_index']:.3f}"
    why = f"  {message['reason']}" if message["reason"] else ""
    serial, call, route = message["board"]["serial"], message["verdict"], message["route"]
    return f"{serial}  {call:<8} -> {route:<10}  {message['joint']}{score}{why}"


def _board(message: Any) -> str:
    counts = ", ".join(f"{n} {call}" for call, n in message["verdicts"].items() if n) or "no joints"
    graded = ", ".join(f"{n} {grades.in_words(grade)}" for grade, n in message.get("grades", {}).items() if n)
    counts += f" ({graded})" if graded else ""
    ended = "REFUSED" if message["refused"] else "finished"
    return f"{message['board']['serial']}  {ended} job {message['job_id']}: {counts}"


def _alarm(message: Any) -> str:
    return f"ALARM {message['severity']} {message['code']}: {message['text']}"


def _status(message: Any) -> str:
    bundles = [("", message["bundle"])] if message["bundle"] else []
    bundles += [(f" for {kind}", bundle) for kind, bundle in message.get("routes", {}).items()]
    return ", ".join(
        [f"device {message['state']}", *(f"{bundle['name']} {bundle['version']}{kind}" for kind, bundle in bundles)]
    )


def _metrics(message: Any) -> str:
    p99 = f", p99 {message['latency_ms']['p99']:.0f} ms" if message["latency_ms"] else ""
    waits = f"{message['backlog']} jobs and {message['outbox']} messages wait"
    moving = [kind or "unnamed" for kind, trend in message.get("quality", {}).items() if trend["drifting"]]
    drift = f", quality drifts on {', '.join(moving)}" if moving else ""
    moving = [
        kind or "unnamed"
        for kind, drift in message.get("drift", {}).items()
        if any(drift[name] and drift[name]["drifting"] for name in ("normal", "unjudged", "p_defect"))
    ]
    drift += f", joints look different on {', '.join(moving)}" if moving else ""
    return f"{message['joints_per_s']:.1f} joints/s{p99}, {waits}, {message['memory_mb']} MB{drift}"


_IN_WORDS: dict[str, Callable[[Any], str]] = {
    "axi-verdict": _verdict,
    "axi-board": _board,
    "axi-alarm": _alarm,
    "axi-status": _status,
    "axi-metrics": _metrics,
}
