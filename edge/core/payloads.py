"""Versioned JSON payloads: what a message says."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from edge.core.job import MachineCall, Roi
from edge.core.licence import By, State
from edge.core.verdict import Call, DefectClass, Reason, Route

Policy = Literal["advise", "licensed", "card"]


class BoardRef(Struct, frozen=True, kw_only=True):
    serial: str
    type: str = ""


class ModelRef(Struct, frozen=True, kw_only=True):
    """Which bundle judged; ``digest`` is that of its card, which names all its files' digests."""

    name: str
    version: str
    digest: str


class VerdictPayload(Struct, frozen=True, kw_only=True):
    """``quality_index`` (0 to 1, solder amount) and ``grade`` are there only where a joint was graded.

    ``defect_class``: the likeliest kind of defect and its share of ``p_defect``, where the network tells kinds apart
    and the joint was scored and is not called normal. ``view``, ``roi`` and ``files``, the names of the view's slices
    in the job's folder, by their order in depth: where the joint is to be seen; not of a job that was refused.
    ``link``: the page that shows it, where ``[station] url`` is set.
    """

    schema: Literal["axi-verdict/1"] = "axi-verdict/1"
    event_id: str
    device: str
    time: str
    job_id: str
    board: BoardRef
    joint: str
    refdes: str
    pin: str
    machine_call: MachineCall | None
    verdict: Call
    route: Route
    p_defect: float | None
    threshold: float | None
    operating_point: str | None
    reason: Reason | None
    slices: int
    model: ModelRef | None
    latency_ms: float
    quality_index: float | UnsetType = UNSET
    grade: str | UnsetType = UNSET
    defect_class: DefectClass | UnsetType = UNSET
    view: str | UnsetType = UNSET
    roi: Roi | UnsetType = UNSET
    files: tuple[str, ...] | UnsetType = UNSET
    link: str | UnsetType = UNSET


class BoardPayload(Struct, frozen=True, kw_only=True):
    """Summary of one job: the counts add up to ``joints_decided``, which equals ``joints_expected``.

    ``grades``: joints by grade, where any was graded. ``reasons``: joints that could not be judged or believed, by
    reason, where there are any. ``unread``: only of a refused job that may hold more joints than
    could be read, and why.
    """

    schema: Literal["axi-board/1"] = "axi-board/1"
    device: str
    time: str
    job_id: str
    board: BoardRef
    joints_expected: int
    joints_decided: int
    verdicts: dict[str, int]
    routes: dict[str, int]
    refused: bool
    duration_ms: float
    grades: dict[str, int] | UnsetType = UNSET
    reasons: dict[str, int] | UnsetType = UNSET
    unread: str | UnsetType = UNSET


Presence = Literal["online", "stopped", "offline"]


class QualifiedPayload(Struct, frozen=True, kw_only=True):
    """Is this device certified (``axi-qualification/1``) as it is now? ``text``: by what, or why not. ``time`` and
    ``digest`` of the certificate, where there is one that can be read.
    """

    certified: bool
    text: str
    time: str | UnsetType = UNSET
    digest: str | UnsetType = UNSET


class StatusPayload(Struct, frozen=True, kw_only=True):
    schema: Literal["axi-status/1"] = "axi-status/1"
    state: Presence
    time: str
    version: str
    bundle: ModelRef | None
    routes: dict[str, ModelRef] = {}
    """Bundles of the joint types that have one of their own."""
    release: Policy = "licensed"
    """What joints are released on: nothing, their licence, or the card's word alone."""
    qualification: QualifiedPayload | UnsetType = UNSET
    """Whether this device is certified, while it is online."""


Severity = Literal["warning", "error", "critical"]


class AlarmPayload(Struct, frozen=True, kw_only=True):
    """``about``: whose trouble it is, such as a board type's, where several may have the same at once."""

    schema: Literal["axi-alarm/1"] = "axi-alarm/1"
    code: str
    severity: Severity
    text: str
    time: str
    about: str | UnsetType = UNSET


class Raised(Struct, frozen=True, kw_only=True):
    """A trouble that is on. ``about``: whose, where several may have the same."""

    code: str
    about: str
    text: str
    since: str


class MetricsPayload(Struct, frozen=True, kw_only=True):
    """What happened in the last ``interval_s``, and what is the case now.

    ``latency_ms``: from the first byte read of a joint's view to its verdict, of the last joints judged; None before
    there was one. ``score_ms``: what the model alone takes for a joint of late, median. ``backlog``: jobs waiting;
    ``outbox``: messages not yet acknowledged. ``quality``: of graded joints, by board type; ``drift``: of what X-rays
    show. ``reviews``: how many the journal holds, of known joints and set aside.
    """

    schema: Literal["axi-metrics/1"] = "axi-metrics/1"
    device: str
    time: str
    interval_s: float
    uptime_s: float
    joints: dict[str, int]
    joints_per_s: float
    latency_ms: LatencyMs | None
    score_ms: float
    backlog: int
    outbox: int
    free_mb: dict[str, int]
    memory_mb: int
    temperature_c: float | None
    quality: dict[str, QualityTrend] = {}
    drift: dict[str, Drift] = {}
    reviews: ReviewTotals


class ReviewTotals(Struct, frozen=True, kw_only=True):
    counted: int
    set_aside: int


class QualityTrend(Struct, frozen=True, kw_only=True):
    """Where the quality index of one board type goes, which moves before any joint is a defect.

    ``joints`` and ``mean``: of the last interval. ``trend``: exponentially weighted mean of the views' means;
    ``usual``: the mean of the first views, and ``low`` and ``high`` the control limits round it
    (``edge.core.trend``); None until there were enough. ``drifting``: the trend lies outside.
    """

    joints: int
    mean: float | None
    trend: float
    usual: float | None
    low: float | None
    high: float | None
    drifting: bool


class DriftChart(Struct, frozen=True, kw_only=True):
    """One figure of a board type's boards, as a control chart (``edge.core.drift``). ``lately``: its mean over some ten
    boards; ``usual``: over all. ``moved``: how far it has moved, below 0 for down; it drifts beyond 20.
    """

    lately: float
    usual: float
    moved: float
    drifting: bool


class Drift(Struct, frozen=True, kw_only=True):
    """What X-rays show of a board type: the share of a board's joints that the network calls normal, whatever is earned
    or drawn for the audit; the share it can say nothing of; the middle p_defect of those it scored. None where no board
    had any. ``boards``: charted so far.
    """

    boards: int
    normal: DriftChart | None
    unjudged: DriftChart | None
    p_defect: DriftChart | None


class LicencePayload(Struct, frozen=True, kw_only=True):
    """What the joints of one type on boards of one type have earned; retained, and said anew when that changes.

    ``by``: evidence, or a hand; ``reason``: why nothing is released, or who granted it and why. ``escape_bound``: what
    the share of defects that are released lies below, reviewers' own misses (below ``reviewers_miss``) counted in; 1
    where that is not known. ``defects_sampled`` and ``escapes``: reviewed joints since evidence was begun, at this
    operating point, or at the strictest while there is none. ``policy``: as configured.
    """

    schema: Literal["axi-licence/1"] = "axi-licence/1"
    device: str
    time: str
    board_type: str
    joint_type: str
    model: ModelRef
    state: State
    by: By
    operating_point: str | None
    threshold: float | None
    escape_bound: float
    confidence: float
    target_escape: float
    defects_sampled: int
    escapes: int
    joints_reviewed: int
    reviewers_miss: float
    audit_share: float
    policy: Policy
    reason: str | None


class AnswerPayload(Struct, frozen=True, kw_only=True):
    """What came of a command. ``text`` is for people; ``status``, ``metrics`` and ``alarms``, those that are on, answer
    ``status``.
    """

    schema: Literal["axi-answer/1"] = "axi-answer/1"
    op: str
    ok: bool
    text: str
    time: str
    status: StatusPayload | None = None
    metrics: MetricsPayload | None = None
    alarms: tuple[Raised, ...] | UnsetType = UNSET


class LatencyMs(Struct, frozen=True, kw_only=True):
    p50: float
    p99: float


Payload = AnswerPayload | MetricsPayload | VerdictPayload | BoardPayload | StatusPayload | AlarmPayload | LicencePayload
PAYLOADS: tuple[type[Struct], ...] = (
    VerdictPayload,
    BoardPayload,
    StatusPayload,
    AlarmPayload,
    MetricsPayload,
    AnswerPayload,
    LicencePayload,
)
