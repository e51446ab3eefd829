"""Scores and verdicts: the values a joint turns into on its way out."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from edge.core.job import NamedJoint
from edge.core.looks import Look


class Call(StrEnum):
    """What we say of a joint."""

    NORMAL = "normal"
    DEFECT = "defect"
    UNJUDGED = "unjudged"


class Route(StrEnum):
    """Where the joint goes next."""

    RELEASE = "release"
    SPECIALIST = "specialist"


class Reason(StrEnum):
    """Why a joint could not be judged, or is not released. Stable codes: consumers match on them."""

    SLICE_MISSING = "slice_missing"
    SLICE_UNREADABLE = "slice_unreadable"
    SLICE_CORRUPT = "slice_corrupt"
    SLICE_UNCHECKED = "slice_unchecked"
    SLICE_FORMAT = "slice_format"
    SLICE_BLANK = "slice_blank"
    SLICE_SIZES_DIFFER = "slice_sizes_differ"
    SLICE_REPEATED = "slice_repeated"
    VIEW_UNFAMILIAR = "view_unfamiliar"
    TOO_MANY_SLICES = "too_many_slices"
    ROI_OUTSIDE = "roi_outside"
    UNFAMILIAR = "unfamiliar"
    LEARNING = "learning"
    AUDIT = "audit"
    UNCERTIFIED = "uncertified"
    UNSUPPORTED_JOINT_TYPE = "unsupported_joint_type"
    NOT_FINITE = "not_finite"
    JOB_REFUSED = "job_refused"
    TIMEOUT = "timeout"
    RUNTIME_CRASHED = "runtime_crashed"
    OVERLOAD = "overload"


class DefectClass(Struct, frozen=True):
    """The likeliest kind of defect, and its share of p_defect."""

    name: str
    share: float


class Decision(NamedTuple):
    """What is said of a joint, why nothing could be, and by what figures.

    ``p_defect`` and ``threshold`` are None when nothing was scored, ``quality_index`` and ``grade`` where it was not
    graded, ``defect_class`` where the network tells no classes apart or the joint is called normal.
    """

    call: Call
    reason: Reason | None = None
    p_defect: float | None = None
    threshold: float | None = None
    operating_point: str | None = None
    quality_index: float | None = None
    grade: str | None = None
    defect_class: DefectClass | None = None

    @property
    def scored(self) -> bool:
        """Did a model have a say?"""
        return self.p_defect is not None or self.quality_index is not None

    @property
    def score(self) -> float:
        """p_defect, or the quality index; NaN where the joint was not scored."""
        score = self.quality_index if self.p_defect is None else self.p_defect
        return math.nan if score is None else score

    def doubted(self, reason: Reason) -> Decision:
        """The joint goes to the specialist, what was scored beside it."""
        return self._replace(call=Call.UNJUDGED, reason=reason, grade=None, defect_class=None)

    @property
    def route(self) -> Route:
        """Only a joint called normal is released; everything else is looked at by a specialist."""
        return Route.RELEASE if self.call is Call.NORMAL else Route.SPECIALIST


def unjudged(reason: Reason) -> Decision:
    """Nothing can be said of the joint: it goes to the specialist."""
    return Decision(Call.UNJUDGED, reason)


class Verdict(Struct, frozen=True):
    """A joint and what was decided of it.

    ``slices`` counts the slices its view holds. ``latency_ms`` runs from the first byte read of the joint's view to the
    decision. ``shown``: fingerprints of those slices; ``look``: how they look, with the first verdict on them.
    ``sampled``: it is evidence, once it is reviewed.
    """

    joint: NamedJoint
    decision: Decision
    slices: int = 0
    latency_ms: float = 0.0
    shown: tuple[bytes, ...] = ()
    sampled: bool = False
    look: Look | None = None

    def doubted(self, reason: Reason) -> Verdict:
        """The joint goes to the specialist, unless it does already for another reason."""
        decision = self.decision
        return self if decision.call is Call.UNJUDGED else replace(self, decision=decision.doubted(reason))
