"""Scores and verdicts: the values a joint turns into on its way out."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from edge.core.job import MachineCall


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
    """Why a joint could not be judged. Stable codes: consumers match on them."""

    SLICE_MISSING = "slice_missing"
    SLICE_UNREADABLE = "slice_unreadable"
    SLICE_CORRUPT = "slice_corrupt"
    SLICE_FORMAT = "slice_format"
    SLICE_BLANK = "slice_blank"
    SLICE_SIZES_DIFFER = "slice_sizes_differ"
    TOO_MANY_SLICES = "too_many_slices"
    ROI_OUTSIDE = "roi_outside"
    UNFAMILIAR = "unfamiliar"
    UNSUPPORTED_JOINT_TYPE = "unsupported_joint_type"
    NOT_FINITE = "not_finite"
    JOB_REFUSED = "job_refused"
    TIMEOUT = "timeout"
    RUNTIME_CRASHED = "runtime_crashed"
    OVERLOAD = "overload"


class Score(Struct, frozen=True):
    """What the model said: ``p_defect`` is a probability in [0, 1]; NaN when the output was not a number."""

    p_defect: float


class Verdict(Struct, frozen=True, kw_only=True):
    """The decision on one joint.

    ``p_defect`` and ``threshold`` are None when nothing was scored, ``quality_index`` and ``grade`` where it was not
    graded. ``joint_type``: as its job says, which tells which bundle is responsible. ``latency_ms`` runs from the first
    byte read of the joint's view to this decision. ``slices`` counts the slices its view holds.
    """

    joint: str
    call: Call
    refdes: str = ""
    pin: str = ""
    machine_call: MachineCall | None = None
    p_defect: float | None = None
    threshold: float | None = None
    operating_point: str | None = None
    quality_index: float | None = None
    grade: str | None = None
    joint_type: str = ""
    reason: Reason | None = None
    slices: int = 0
    latency_ms: float = 0.0

    @property
    def scored(self) -> bool:
        """Did a model have a say?"""
        return self.p_defect is not None or self.quality_index is not None

    @property
    def route(self) -> Route:
        """Only a joint called normal is released; everything else is looked at by a specialist."""
        return Route.RELEASE if self.call is Call.NORMAL else Route.SPECIALIST
