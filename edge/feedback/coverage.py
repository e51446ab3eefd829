"""Reviews that do not come may be missing for a reason: then nothing is released."""

from __future__ import annotations

from datetime import timedelta

from edge.core.evidence import Count
from edge.core.licence import Standing, State
from edge.feedback.ports import Answered

LATELY = timedelta(hours=1)
"""For so long a board may be under review, before what is missing of it speaks against a licence that there is."""
OLD = timedelta(days=2)
"""For so long reviews may take."""
_ENOUGH, _HALF = 0.9, 0.5
"""Of a board that anybody has reviewed, most drawn joints must be, or those that are were chosen; of older ones half,
or nobody keeps the proof alive."""
_FEW = 10
"""Fewer joints say nothing of how many are reviewed."""


def as_answered(standing: Standing, answered: Answered, *, licensed: bool) -> Standing:
    """Nothing is released where reviews do not come, or only of some joints. ``licensed``: it is by now."""
    begun = answered.ended if licensed else answered.begun
    if _short(begun, _ENOUGH):
        return _unproved(standing, begun, "joints of reviewed boards", licensed=licensed)
    if standing.state is State.LICENSED and _short(answered.old, _HALF):
        return _unproved(standing, answered.old, f"joints of more than {OLD.days} days ago", licensed=licensed)
    return standing


def _short(count: Count, share: float) -> bool:
    return count.total >= _FEW and count.hits < share * count.total


def _unproved(standing: Standing, count: Count, of: str, *, licensed: bool) -> Standing:
    if standing.state is not State.LICENSED:
        return standing._replace(reason=standing.reason or _missing(count, of))
    rested = standing.rested(_missing(count, of))
    return rested if licensed else rested._replace(state=State.LEARNING)


def _missing(count: Count, of: str) -> str:
    return f"only {count.hits} of {count.total} drawn {of} are reviewed; review all that go to the specialist"
