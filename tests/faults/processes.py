"""Processes that die or hang, brokers that vanish, clocks that jump."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

from tests.faults.proxy import Mode, Proxy
from tests.faults.rig import Result
from tests.faults.stage import EAGER, Stage, pause

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")


def kill_daemon(stage: Stage) -> Result:
    """Half of the rounds at any instant from the start of the process on, half with the line at work."""
    rig = stage.rig()
    for number in stage.each_round():
        rig.submit(max(0, 3 - len(rig.device.waiting())))
        if number % 2:
            rig.device.start()
            pause(stage.chance, 1.5)
        else:
            rig.start()
            pause(stage.chance, 0.6)
        rig.device.kill()
        rig.audited()
        rig.reviewing.review()
    return rig.finish()


def kill_judge(stage: Stage) -> Result:
    """One of the processes that judge is killed at any instant; a job that meets that twice is set aside."""
    rig = stage.rig()
    rig.start()
    for _ in stage.each_round():
        rig.submit(max(0, 3 - len(rig.device.waiting())))
        rig.until(lambda: rig.device.workers, "a process that judges")
        pause(stage.chance, 2.0)
        rig.strike(
            stage.chance.choice(rig.device.workers or [None]),
            stage.chance.choice([signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT]),
        )
        rig.audited()
    return rig.finish()


def hang_judge(stage: Stage) -> Result:
    rig = stage.rig({"[inference]": "[inference]\njoint_timeout_s = 0.8"})
    rig.start()
    for _ in stage.each_round():
        worker = stage.chance.choice(rig.device.workers or [None])
        pause(stage.chance, 0.1)
        rig.strike(worker, signal.SIGSTOP)
        rig.submit(2)
        rig.emptied()
        rig.audited()
    return rig.finish()


def kill_broker(stage: Stage) -> Result:
    """The broker dies and comes back; its witness' session and queue are on its disk."""
    rig = stage.rig()
    rig.start()
    for number in stage.each_round():
        rig.submit(3)
        pause(stage.chance, 0.4)
        if number % 2:
            rig.broker.kill()
        else:
            rig.broker.stop()
        rig.submit(2)
        rig.reviewing.review()
        pause(stage.chance, 0.4)
        rig.broker.start()
        rig.audited(drained=True)
    return rig.finish()


def bad_line(mode: Mode) -> Callable[[Stage], Result]:
    def run(stage: Stage) -> Result:
        rig = stage.rig()
        proxy = Proxy(rig.broker.port)
        rig.change(f"port = {rig.broker.port}", f"port = {proxy.port}")
        rig.change("timeout_s = 5.0", "timeout_s = 1.0")
        rig.start()
        for _ in stage.each_round():
            rig.submit(2)
            pause(stage.chance, 0.3)
            proxy.become(mode)
            rig.submit(2)
            rig.emptied("inspection goes on")
            pause(stage.chance, 1.5)
            proxy.become("pass")
            rig.audited(drained=True)
        result = rig.finish()
        proxy.close()
        return result

    return run


def clock_steps(stage: Stage) -> Result:
    """The wall clock is set forward and back by up to a day."""
    rig = stage.rig(EAGER)
    offset = stage.work / "offset"
    offset.write_text("+0")
    env = {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    rig.device.start(env=env)
    for _ in stage.each_round():
        rig.submit(2)
        pause(stage.chance, 0.3)
        seconds = stage.chance.randrange(-86_400, 86_400)
        fresh = offset.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}")
        fresh.rename(offset)
        rig.submit(1)
        rig.emptied()
        rig.audited(drained=True)
    rig.alarm("clock_jump")
    return rig.finish()
