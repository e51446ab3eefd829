"""Brokers that let a device in and then do not do what it needs, and clients that take its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.faults.rig import Result
from tests.faults.stage import Stage, pause


def strict_broker(extra: Callable[[Path], str], alarm: str = "") -> Callable[[Stage], Result]:
    """The broker comes back with these lines, jobs get through meanwhile, and it is mended: no verdict is lost.

    ``alarm``: which the device then raises.
    """

    def run(stage: Stage) -> Result:
        rig = stage.rig()
        rig.start()
        for _ in stage.each_round():
            rig.submit(1)
            pause(stage.chance, 0.3)
            rig.broker.change(extra(stage.work))
            rig.submit(2)
            rig.emptied("inspection goes on")
            pause(stage.chance, 1.0)
            rig.broker.change("")
            rig.audited(drained=True)
        if alarm:
            rig.alarm(alarm)
        return rig.finish()

    return run


def no_writing(work: Path) -> str:
    """Rules under which a device may say how it is, and nothing about joints."""
    rules = work / "acl"
    rules.write_text("topic read #\ntopic write acme/line3/axi1/status\ntopic write acme/line3/axi1/alarm\n")
    rules.chmod(0o644)
    return f"acl_file {rules}\n"


def twin(stage: Stage) -> Result:
    """Another client under the device's id: each throws the other out."""
    rig = stage.rig()
    rig.start()
    for _ in stage.each_round():
        other = paho.Client(CallbackAPIVersion.VERSION2, client_id="axi-edge-axi1", protocol=MQTTProtocolVersion.MQTTv5)
        other.reconnect_delay_set(1, 1)
        other.connect("127.0.0.1", rig.broker.port)
        other.loop_start()
        rig.submit(2)
        rig.emptied("inspection goes on")
        pause(stage.chance, 3.0)
        other.disconnect()
        other.loop_stop()
        rig.audited(drained=True)
    return rig.finish()
