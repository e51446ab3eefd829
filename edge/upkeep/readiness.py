"""Is a daemon that was just started as well as the one before it? Asked after an upgrade, from outside."""

from __future__ import annotations

from edge.upkeep.state import DaemonState


def not_yet(state: DaemonState | None, version: str, waiting: int) -> str:
    """What is missing until an upgrade to ``version`` went well; empty once it did. ``waiting``: jobs in the spool.

    Its golden joints are reproduced, or it would not run. A broker that was away in the version before, too, is not the
    upgrade's fault. Where jobs wait, other than those that cannot be taken, at least one joint must have been judged.
    """
    if state is None:
        return "the daemon does not run"
    if state.version != version:
        return f"the daemon that runs is {state.version}, not {version}"
    if not state.connected and (state.before is None or state.before.connected):
        return "the broker has not answered"
    left = sum(alarm.code == "job_left" for alarm in state.alarms)
    if waiting > left and not state.judged:
        return "no joint was judged, although jobs wait"
    return ""
