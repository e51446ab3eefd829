"""A bundle on trial: activated in stages, watched for a while, and left again where it does badly.

What is on trial stands in a file beside the journal, so that it is known after any kind of end, the daemon's included.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from msgspec import Struct

from edge.core.wire import timestamp
from edge.files import read_plain, write_durably

MOST_STARTS = 3
"""A daemon that was started so often within a trial did not end by itself."""
_LEAST_JOINTS = 50
_NOT_TAKEN_UP_S = 300.0
_REMEMBERED = 100
_BROKEN = ("timeout", "runtime_crashed", "not_finite")


class Trial(Struct, frozen=True, kw_only=True):
    """``digest``: of the bundle; ``joint_type``: the route's that it is of, or ''; ``since``, ``until``: when it was
    activated, and when it is kept. ``starts``: of the daemon, since.
    """

    bundle: str
    digest: str
    joint_type: str
    since: str
    until: str
    starts: int = 0

    def over(self, now: datetime) -> bool:
        return now >= datetime.fromisoformat(self.until)

    def overdue(self, now: datetime) -> bool:
        """Should it have been taken up by now?"""
        return now >= datetime.fromisoformat(self.since) + timedelta(seconds=_NOT_TAKEN_UP_S)


class Trials:
    """Files beside the journal: what is on trial, and what was left."""

    def __init__(self, journal: Path) -> None:
        self._path = journal.with_name(f"{journal.name}.trial.json")
        self._left = journal.with_name(f"{journal.name}.left.json")

    def begin(self, bundle: str, digest: str, joint_type: str, now: datetime, watch_s: float) -> None:
        until = now + timedelta(seconds=watch_s)
        self.write(
            Trial(bundle=bundle, digest=digest, joint_type=joint_type, since=timestamp(now), until=timestamp(until))
        )

    def write(self, trial: Trial) -> None:
        write_durably(self._path, msgspec.json.encode(trial))

    def read(self) -> Trial | None:
        """None where nothing is on trial, or nothing that can be read."""
        try:
            return msgspec.json.decode(read_plain(self._path), type=Trial)
        except (OSError, ValueError):
            return None

    def end(self) -> None:
        self._path.unlink(missing_ok=True)

    def leave(self, trial: Trial) -> None:
        """It did badly: that is remembered, so that it is not taken up again by itself."""
        if not self.was_left(trial.digest):
            write_durably(self._left, msgspec.json.encode([*self._left_before(), trial.digest][-_REMEMBERED:]))
        self.end()

    def was_left(self, digest: str) -> bool:
        return digest in self._left_before()

    def _left_before(self) -> list[str]:
        try:
            return msgspec.json.decode(read_plain(self._left), type=list[str])
        except (OSError, ValueError):
            return []


def trouble_with(reasons: Counter[str], max_unfamiliar: float) -> str:
    """What speaks against a bundle that has judged joints with these reasons, '' for none; '' where nothing does."""
    judged = reasons.total()
    broken = {reason: reasons[reason] for reason in _BROKEN if reasons[reason]}
    if broken:
        return ", ".join(f"{count} joints with {reason}" for reason, count in broken.items())
    strange = reasons["unfamiliar"]
    if judged >= _LEAST_JOINTS and strange > max_unfamiliar * judged:
        return f"{strange} of {judged} joints look unfamiliar to it"
    return ""
