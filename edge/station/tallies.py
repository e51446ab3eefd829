"""What is counted of joints and reviews, by half hours and board types: the line's history, which stays when joints go.

Figures that are no counts (scores, how long something took) are counted by steps, of which shares are read off.
"""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from edge.core.review import Said
from edge.station.joints import Joint

SLOT_S = 1800
"""Days begin at whole or half hours in all but a few places."""
_SHARES = 20
_PER_DOUBLING = 4
_LONGEST_MS = 1e9
LONGEST_LOOK_S = 600.0
"""A review that took longer was not looking."""


class What(StrEnum):
    """What is counted; of reviews those that can no longer be undone."""

    RELEASED = "released"
    SENT = "sent"
    SCORE = "score"
    QUALITY = "quality"
    LATENCY = "latency"
    FALSE_CALL = "false_call"
    DEFECT = "defect"
    UNSURE = "unsure"
    SECONDS = "seconds"


class Tally(NamedTuple):
    """One more of something."""

    what: str
    slot: int
    board_type: str
    step: int = 0


def moment_of(time: str, now: float) -> float:
    """Seconds since the epoch of a time in words; ``now`` where it is none."""
    try:
        return datetime.fromisoformat(time).timestamp()
    except (ValueError, OverflowError, OSError):
        return now


def slot_of(time: str, now: float) -> int:
    return int(moment_of(time, now) // SLOT_S)


def of_joint(joint: Joint, now: float) -> list[Tally]:
    slot, of = slot_of(joint.time, now), joint.board_type
    found = [
        Tally(What.RELEASED if joint.released else What.SENT, slot, of),
        Tally(What.LATENCY, slot, of, step_of_length(joint.latency_ms)),
    ]
    if joint.p_defect is not None:
        found.append(Tally(What.SCORE, slot, of, step_of_share(joint.p_defect)))
    if joint.quality is not None:
        found.append(Tally(What.QUALITY, slot, of, step_of_share(joint.quality)))
    return found


def of_review(board_type: str, decision: Said, time: str, seconds: float | None, now: float) -> list[Tally]:
    """``seconds``: how long the joint was looked at; a page that was open over lunch says nothing of that."""
    slot = slot_of(time, now)
    found = [Tally(decision.value, slot, board_type)]
    if seconds is not None and seconds <= LONGEST_LOOK_S:
        found.append(Tally(What.SECONDS, slot, board_type, step_of_length(1000 * seconds)))
    return found


def add(db: sqlite3.Connection, counted: Counter[Tally]) -> None:
    """What is below 0 is taken back."""
    db.executemany(
        "INSERT INTO tallies (what, slot, board_type, step, count) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET count = count + excluded.count",
        [(str(one.what), one.slot, one.board_type, one.step, count) for one, count in counted.items()],
    )


def fold(db: sqlite3.Connection, start: float, end: float) -> None:
    """Count what was counted between these seconds since the epoch at their beginning: fewer rows, the same sums."""
    first, last = int(start // SLOT_S), int(end // SLOT_S)
    later = "FROM tallies WHERE what = :what AND slot > :first AND slot < :last"
    for what in What:
        asked = {"what": what.value, "first": first, "last": last}
        db.execute(
            "INSERT INTO tallies (what, slot, board_type, step, count) "
            f"SELECT what, :first, board_type, step, SUM(count) AS total {later} GROUP BY board_type, step "
            "ON CONFLICT DO UPDATE SET count = count + excluded.count",
            asked,
        )
        db.execute(f"DELETE {later}", asked)


def step_of_share(share: float) -> int:
    return int(min(max(share, 0.0), 1.0 - 0.5 / _SHARES) * _SHARES)


def step_of_length(milliseconds: float) -> int:
    """Four steps make twice the length."""
    return int(_PER_DOUBLING * math.log2(min(max(1.0, milliseconds), _LONGEST_MS)))


def share_at(steps: Mapping[int, int], part: float) -> float:
    """The share below which ``part`` of what was counted lies, evenly spread within a step."""
    step, within = _place(steps, part)
    return (step + within) / _SHARES


def length_at(steps: Mapping[int, int], part: float) -> float:
    """Milliseconds, so too."""
    step, within = _place(steps, part)
    return float(2 ** ((step + within) / _PER_DOUBLING))


def _place(steps: Mapping[int, int], part: float) -> tuple[int, float]:
    """There must be one that counts."""
    wanted, below = part * sum(steps.values()), 0
    for step, count in sorted(steps.items()):
        if below + count >= wanted and count > 0:
            return step, (wanted - below) / count
        below += count
    return max(steps), 1.0
