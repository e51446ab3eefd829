"""How fast joints are judged here, and so whether a job's verdicts would come too late."""

from __future__ import annotations

_WEIGHT = 0.2
"""Of the newest view in the running mean of seconds a joint."""


class Pace:
    """``within_s``: seconds from a job's arrival within which its verdicts are due; 0: whenever."""

    def __init__(self, within_s: float) -> None:
        self.within_s = within_s
        self.overloaded = False
        self._joint_s: float | None = None

    def note(self, joints: int, seconds: float) -> None:
        """So many joints were judged in so many seconds."""
        if joints:
            newest = seconds / joints
            before = newest if self._joint_s is None else self._joint_s
            self._joint_s = before + _WEIGHT * (newest - before)

    def misses(self, age_s: float, joints: int) -> bool:
        """Would a job of this age, with so many joints to judge, be late? Until one was judged only age counts."""
        if not self.within_s:
            return False
        late = age_s + joints * (self._joint_s or 0.0) > self.within_s
        if late and age_s <= self.within_s and self._joint_s is not None:
            # Given up on a prediction alone: one slow view must not shed the load for ever, so it is believed less
            # each time, until a job is tried again.
            self._joint_s *= 1 - _WEIGHT
        return late
