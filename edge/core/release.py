"""Which joints a licence releases, and which are drawn as evidence."""

from __future__ import annotations

from typing import NamedTuple

from edge.core.rules import Rule
from edge.core.verdict import Call, Decision, Reason


class Permit(NamedTuple):
    """``rule``: by which joints may be released; None where none may, for ``reason``. ``audit_share``: of them go to a
    specialist nonetheless.
    """

    rule: Rule | None
    audit_share: float
    reason: Reason = Reason.LEARNING


NOTHING = Permit(None, 1.0)


class Ruled(NamedTuple):
    """``sampled``: is the joint evidence, once it is reviewed?"""

    decision: Decision
    sampled: bool


def draw(event_id: str) -> float:
    """The coin: a number from 0 to below 1 by which a joint is drawn, spread evenly. It hangs on the event_id alone, so
    that it can be drawn again, and nobody can choose.
    """
    return int(event_id[:8], 16) / 2**32


def ruled(decision: Decision, permit: Permit, drawn: float) -> Ruled:
    """What is said of a joint under a licence. What could not be judged, or believed, stays so and proves nothing."""
    if decision.call is Call.UNJUDGED:
        return Ruled(decision, sampled=False)
    if permit.rule is None:
        return Ruled(decision.doubted(permit.reason), sampled=True)
    sampled = drawn < permit.audit_share
    now = permit.rule.decision(decision.score)
    if now.call is Call.DEFECT:
        now = now._replace(defect_class=decision.defect_class)
    if sampled and now.call is Call.NORMAL:
        return Ruled(now.doubted(Reason.AUDIT), sampled=True)
    return Ruled(now, sampled)
