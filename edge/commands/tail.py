"""``axi-edge tail``: what the device publishes, live from the broker, for people or as a capture for ``audit``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from edge.adapters.mqtt import listen
from edge.bootstrap import broker_settings
from edge.config import Settings
from edge.core.grades import in_words


def follow(settings: Settings, *, as_json: bool) -> None:
    """Print a line a message until interrupted. Raises BrokerUnavailable or ConfigError."""
    broker = broker_settings(settings.mqtt, settings.device.name)
    broker = broker._replace(client_id=f"{broker.client_id}-tail")
    for topic, raw in listen(broker, f"{settings.mqtt.base_topic}/#"):
        if as_json:
            print(msgspec.json.encode({"topic": topic, "payload": _decoded(raw)}).decode(), flush=True)
        else:
            print(readable(topic.removeprefix(f"{settings.mqtt.base_topic}/"), _decoded(raw)), flush=True)


def _decoded(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return raw.decode("utf-8", "backslashreplace")


def readable(topic: str, payload: Any) -> str:
    """One line for a person."""
    kind = str(payload.get("schema", "")).partition("/")[0] if isinstance(payload, dict) else ""
    say = _SAYINGS.get(kind)
    if say is None:
        return f"{topic}: {msgspec.json.encode(payload).decode()}"
    return f"{str(payload['time'])[11:23]}  {say(payload)}"


def _verdict(said: Any) -> str:
    score = "" if said["p_defect"] is None else f"  p {said['p_defect']:.3f} of {said['threshold']:.3f}"
    if "grade" in said:
        score = f"  {in_words(said['grade'])}, quality index {said['quality_index']:.3f}"
    why = f"  {said['reason']}" if said["reason"] else ""
    return f"{said['board']['serial']}  {said['verdict']:<8} -> {said['route']:<10}  {said['joint']}{score}{why}"


def _board(said: Any) -> str:
    counts = ", ".join(f"{n} {call}" for call, n in said["verdicts"].items() if n) or "no joints"
    grades = ", ".join(f"{n} {in_words(grade)}" for grade, n in said.get("grades", {}).items() if n)
    counts += f" ({grades})" if grades else ""
    return f"{said['board']['serial']}  {'REFUSED' if said['refused'] else 'finished'} job {said['job_id']}: {counts}"


def _alarm(said: Any) -> str:
    return f"ALARM {said['severity']} {said['code']}: {said['text']}"


def _status(said: Any) -> str:
    bundles = [("", said["bundle"])] if said["bundle"] else []
    bundles += [(f" for {kind}", bundle) for kind, bundle in said.get("routes", {}).items()]
    return ", ".join([f"device {said['state']}", *(f"{one['name']} {one['version']}{kind}" for kind, one in bundles)])


def _metrics(said: Any) -> str:
    p99 = f", p99 {said['latency_ms']['p99']:.0f} ms" if said["latency_ms"] else ""
    waits = f"{said['backlog']} jobs and {said['outbox']} messages wait"
    moving = [kind or "unnamed" for kind, one in said.get("quality", {}).items() if one["drifting"]]
    drift = f", quality drifts on {', '.join(moving)}" if moving else ""
    return f"{said['joints_per_s']:.1f} joints/s{p99}, {waits}, {said['memory_mb']} MB{drift}"


_SAYINGS: dict[str, Callable[[Any], str]] = {
    "axi-verdict": _verdict,
    "axi-board": _board,
    "axi-alarm": _alarm,
    "axi-status": _status,
    "axi-metrics": _metrics,
}
