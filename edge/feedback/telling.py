"""What everyone is told of a licence."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, TypeVar

import msgspec

from edge.core.licence import By, Deed, Standing, State, Terms
from edge.core.payloads import LicencePayload, ModelRef, Policy
from edge.core.rules import OperatingPoint, Rule
from edge.core.wire import timestamp
from edge.feedback.ports import ActHeld, Key, Suspended

log = logging.getLogger(__name__)
K = TypeVar("K")


class Release(NamedTuple):
    """What joints are released on. ``rules``: of each bundle in use, by digest, the strictest first."""

    policy: Policy
    terms: Terms
    audit_share: float
    rules: Mapping[str, Sequence[Rule]]
    models: Mapping[str, ModelRef]


def suspended(acts: Sequence[ActHeld]) -> tuple[Suspended, ...]:
    """What is suspended by hand, and not lifted."""
    found: dict[tuple[str, str | None], Suspended] = {}
    for held in acts:
        place = held.board_type, held.joint_type
        if held.act.deed is Deed.SUSPEND:
            found[place] = Suspended(*place, held.act.by, held.act.reason)
        elif held.act.deed is not Deed.RESTART:
            found = {
                other: one
                for other, one in found.items()
                if other != place and not (held.joint_type is None and other[0] == held.board_type)
            }
    return tuple(found.values())


def payload_of(device: str, key: Key, standing: Standing, release: Release, now: datetime) -> LicencePayload:
    rule = standing.rule
    held_back = release.policy == "advise" and rule is not None
    reason = standing.reason or None
    if held_back and rule is not None:
        word = "granted" if standing.by is By.HAND else "earned"
        reason = f"policy advise: nothing is released; {rule.name} is {word}"
    return LicencePayload(
        device=device,
        time=timestamp(now),
        board_type=key.board_type,
        joint_type=key.joint_type,
        model=release.models[key.digest],
        state=State.LEARNING if held_back else standing.state,
        by=standing.by,
        operating_point=rule.name if rule else None,
        threshold=rule.threshold if isinstance(rule, OperatingPoint) else None,
        escape_bound=round(standing.escape_bound, 4),
        confidence=release.terms.confidence,
        target_escape=release.terms.target_escape,
        defects_sampled=standing.findings.escapes + standing.findings.caught,
        escapes=standing.findings.escapes,
        joints_reviewed=standing.reviewed,
        reviewers_miss=round(standing.misses, 4),
        audit_share=release.audit_share,
        policy=release.policy,
        reason=reason,
    )


def same(before: LicencePayload, after: LicencePayload, *, figures: bool) -> bool:
    """But for the time; without ``figures`` also but for these."""
    if figures:
        return msgspec.structs.replace(before, time=after.time) == after
    what = ("state", "by", "operating_point", "policy", "model")
    return all(getattr(before, name) == getattr(after, name) for name in what)


def readable(said: Mapping[K, bytes]) -> dict[K, LicencePayload]:
    """What an earlier version said in other words is said anew."""
    found = {}
    for key, raw in said.items():
        try:
            found[key] = msgspec.json.decode(raw, type=LicencePayload)
        except msgspec.DecodeError:
            log.info("licence of an earlier version said anew", extra={"about": str(key)})
    return found
