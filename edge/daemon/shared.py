"""What more than one of the daemon's rooms is given, and the processes that judge."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from edge.adapters.host import utc_now
from edge.adapters.spool import FolderSpool
from edge.config import Settings, bundles_to_load, load_settings
from edge.daemon.reload import Reloader, Serving
from edge.daemon.signals import Signals
from edge.daemon.staged import Activation
from edge.daemon.told import left_behind
from edge.daemon.waits import Waits
from edge.inspection.tally import Tally
from edge.jobs.vendors import JobDefaults
from edge.judging.client import Judges
from edge.judging.worker import Worker
from edge.logs import level_in_force
from edge.reporting.absence import Absence
from edge.reporting.passing import PassingMessages
from edge.upkeep.alarms import Alarms
from edge.upkeep.progress import Progress

INSPECTION, REPORTING = "inspection", "reporting"


class Shared(NamedTuple):
    """``tell``: an alarm (code, text) that no end follows."""

    settings: Settings
    spool: FolderSpool
    reloader: Reloader
    signals: Signals
    progress: Progress
    passing: PassingMessages
    absence: Absence
    alarms: Alarms
    waits: Waits
    tally: Tally
    activation: Activation
    tell: Callable[[str, str], None]


def judges_of(settings: Settings) -> Judges:
    """The processes that judge with the configured bundles, not yet started; they log at this one's level."""
    inference = settings.inference
    command, load = (sys.executable, "-m", "edge.judging.process", level_in_force()), bundles_to_load(settings)
    return Judges(
        [
            Worker(
                command,
                load,
                time.monotonic,
                start_timeout_s=inference.start_timeout_s,
                joint_timeout_s=inference.joint_timeout_s,
            )
            for _ in range(inference.processes)
        ],
        time.monotonic,
    )


def shared_parts(path: Path, serving: Serving, left: str = "") -> Shared:
    """``path``: where the settings came from, and come from again at a reload; ``left``: which bundle was, and why."""
    settings, encoder, signals = serving.settings, serving.encoder, Signals()
    passing = PassingMessages(signals.queued.set)
    reloader = Reloader(
        serving,
        lambda: load_settings(path),
        judges_of,
        now=utc_now,
        publish=passing.publish,
        requested=signals.upkeep_due.set,
    )
    spool, alarms = settings.spool, Alarms(encoder, utc_now, passing.publish)

    def tell(code: str, text: str) -> None:
        passing.publish(encoder.alarm(code, text, utc_now()))

    if left:
        tell("bundle_rolled_back", left)
    return Shared(
        settings=settings,
        spool=FolderSpool(
            Path(spool.path),
            JobDefaults(spool.joint_type, spool.polarity),
            settle_s=spool.settle_s,
            unfinished_s=settings.health.stuck_s,
            left=left_behind(alarms),
        ),
        reloader=reloader,
        signals=signals,
        progress=Progress(time.monotonic, (INSPECTION, REPORTING)),
        passing=passing,
        absence=Absence(time.monotonic, signals.upkeep_due.set),
        alarms=alarms,
        waits=Waits(alarms),
        tally=Tally(),
        activation=Activation(path, tell, time.monotonic),
        tell=tell,
    )
