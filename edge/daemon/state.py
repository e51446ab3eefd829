"""What the daemon says of itself in a file: gathered from the rooms that know."""

from __future__ import annotations

import os
from pathlib import Path

from edge import __version__
from edge.adapters.host import utc_now
from edge.config import Settings
from edge.daemon.reload import Reloader
from edge.inspection.tally import Tally
from edge.reporting.absence import Absence
from edge.upkeep.alarms import Alarms
from edge.upkeep.state import Before, DaemonState, StateFile, state_path

STATE_EVERY_S = 5.0


def state_file(settings: Settings, reloader: Reloader, absence: Absence, tally: Tally, alarms: Alarms) -> StateFile:
    def look(before: Before | None) -> DaemonState:
        encoder = reloader.serving.encoder
        return DaemonState(
            pid=os.getpid(),
            version=__version__,
            connected=not absence.seconds(),
            judged=tally.judged,
            bundle=encoder.model,
            routes=dict(encoder.routes),
            release=encoder.policy,
            qualification=reloader.serving.standing.text,
            alarms=alarms.raised(),
            before=before,
            reloads=reloader.reloaded.times,
            reload_problem=reloader.reloaded.problem,
            later=reloader.reloaded.later,
            broker=f"{settings.mqtt.host}:{settings.mqtt.port}",
        )

    return StateFile(state_path(Path(settings.journal.path)), __version__, look, utc_now)
