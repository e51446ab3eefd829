"""What is counted of joints and reviews, by half hours and board types: the line's history, which stays when joints go.

Figures that are no counts (scores, how long something took) are counted by steps, of which shares are read off.
"""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from edge.core.review import Said
from edge.core.verdict import Reason
from edge.station.joints import Joint

SLOT_S = 1800
"""Days begin at whole or half hours in all but a few places."""
_SHARES = 20
_PER_DOUBLING = 4
_LONGEST = 4 * 40


class What(StrEnum):
    """``AUDIT_GOOD``, ``AUDIT_DEFECT``: joints drawn for the audit, by what a reviewer was sure they are."""

    RELEASED = "released"
    SENT = "sent"
    SCORE = "score"
    QUALITY = "quality"
    LATENCY = "latency"
    FALSE_CALL = "false_call"
    DEFECT = "defect"
    UNSURE = "unsure"
    SECONDS = "seconds"
    AUDIT_GOOD = "audit_good"
    AUDIT_DEFECT = "audit_defect"


class Tally(NamedTuple):
    """One more of something."""

    what: str
    slot: int
    board_type: str
    step: int = 0


def slot_of(time: str, now: float) -> int:
    """The half hour of a time in words; that of ``now`` where it is none."""
    try:
        return int(datetime.fromisoformat(time).timestamp() // SLOT_S)
    except (ValueError, OverflowError, OSError):
        return int(now // SLOT_S)


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


def of_review(joint: Joint | None, decision: Said, time: str, seconds: float | None, now: float) -> list[Tally]:
    """``joint``: None where nobody knows it here. ``seconds``: how long it was looked at."""
    slot, of = slot_of(time, now), joint.board_type if joint else ""
    found = [Tally(decision.value, slot, of)]
    if seconds is not None:
        found.append(Tally(What.SECONDS, slot, of, step_of_length(1000 * seconds)))
    if joint is not None and joint.reason == Reason.AUDIT and decision is not Said.UNSURE:
        found.append(Tally(What.AUDIT_DEFECT if decision is Said.DEFECT else What.AUDIT_GOOD, slot, of))
    return found


def add(db: sqlite3.Connection, tallies: Iterable[Tally], by: int = 1) -> None:
    """``by``: -1 takes them back."""
    db.executemany(
        "INSERT INTO tallies (what, slot, board_type, step, count) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET count = count + excluded.count",
        [(str(one.what), one.slot, one.board_type, one.step, by * count) for one, count in Counter(tallies).items()],
    )


def step_of_share(share: float) -> int:
    return max(0, min(_SHARES - 1, int(share * _SHARES)))


def step_of_length(milliseconds: float) -> int:
    """Four steps make twice the length."""
    return max(0, min(_LONGEST, int(_PER_DOUBLING * math.log2(max(1.0, milliseconds)))))


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
