"""What reviews say joints were, as the truth of a lot to learn from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from edge.core.card import NORMAL, NORMAL_NAMES
from edge.core.review import Said, weighed
from edge.core.verdict import Reason
from edge.feedback.ports import ReviewHeld

_UNNAMED = "unknown"


class Truth(NamedTuple):
    """A row of ``truth.csv`` (docs/lots.md). ``reviewer`` and ``reviewed``: of the review that counts."""

    job_id: str
    joint: str
    board_type: str
    label: int
    truth: str
    reviewer: str
    reviewed: str


def truth_of(reviews: Iterable[ReviewHeld]) -> list[Truth]:
    """A row for each joint that reviewers were sure of, the graver review counting; none of those set aside."""
    by_event: dict[str, list[ReviewHeld]] = {}
    for review in reviews:
        if review.event_id is not None and review.reason != Reason.JOB_REFUSED:  # sent again, it has other pictures
            by_event.setdefault(review.event_id, []).append(review)
    return [row for said in by_event.values() if (row := _row(said)) is not None]


def _row(reviews: list[ReviewHeld]) -> Truth | None:
    decision = weighed((Said(review.decision), review.settled) for review in reviews)
    if decision is Said.UNSURE:
        return None
    counts = sorted((review for review in reviews if review.decision == decision), key=lambda one: not one.settled)
    first = next((review for review in counts if review.defect_class), counts[0])
    defect = decision is Said.DEFECT
    return Truth(
        job_id=first.job_id,
        joint=first.joint,
        board_type=first.board_type or _UNNAMED,
        label=int(defect),
        truth=_named(first.defect_class) if defect else NORMAL,
        reviewer=first.reviewer,
        reviewed=first.time,
    )


def _named(defect_class: str | None) -> str:
    """A class of that name would stand against the label."""
    return defect_class if defect_class and defect_class.casefold() not in NORMAL_NAMES else "defect"
