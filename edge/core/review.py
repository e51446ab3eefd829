"""What a joint really was: contract ``axi-review/1``, and a review as it came, in whichever words."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from edge.core.clocks import is_moment
from edge.core.ids import id_of
from edge.core.job import Name, Roi, Text
from edge.core.wording import in_words

NAMESPACE = uuid.UUID("2c6f4c1e-8f0b-5d8a-9b5e-0a4b7f6c2d11")
"""Namespace of the ids of reviews that came without one; changing it would count them twice after an update."""
Uuid = Annotated[
    str,
    Meta(
        pattern="^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
        description="a UUID such as 0b3c6c1e-8f0b-4d8a-9b5e-0a4b7f6c2d11",
    ),
]


class Said(StrEnum):
    """What a reviewer says of a joint."""

    DEFECT = "defect"
    FALSE_CALL = "false_call"
    UNSURE = "unsure"


_GRAVITY = {Said.FALSE_CALL: 0, Said.UNSURE: 1, Said.DEFECT: 2}


def gravest(said: Iterable[Said]) -> Said:
    """What counts where reviewers do not agree. There must be one."""
    return max(said, key=_GRAVITY.__getitem__)


def weighed(said: Iterable[tuple[Said, bool]]) -> Said:
    """What a joint was, by what was said of it and whether that settled it; the graver counts. There must be one."""
    both = list(said)
    return gravest([word for word, settled in both if settled] or [word for word, _ in both])


class ReviewedBoard(Struct, frozen=True, kw_only=True):
    serial: Text = ""
    type: Text = ""


class ReviewPayload(Struct, frozen=True, kw_only=True):
    """One review. ``seconds``: how long the reviewer looked; ``blind``: without knowing what the network says.
    ``view``, ``roi`` and ``files``: where the joint is to be seen, as the verdict has it.
    """

    schema: Literal["axi-review/1"] = "axi-review/1"
    review_id: Uuid
    time: Name
    event_id: Uuid
    job_id: Text = ""
    board: ReviewedBoard = ReviewedBoard()
    joint: Text = ""
    decision: Said
    defect_class: Text | None = None
    reviewer: Name
    station: Text = ""
    seconds: Annotated[float, Meta(ge=0)] | None = None
    blind: bool = False
    view: Text | UnsetType = UNSET
    roi: Roi | UnsetType = UNSET
    files: tuple[Text, ...] | UnsetType = UNSET


class Review(NamedTuple):
    """A review of the joint that ``event_id`` names; where that is empty, of ``joint`` of the job, or of the board.

    ``settled``: it is the truth, from a better source than a look at the pictures; it counts before all others.
    """

    review_id: str
    time: str
    decision: Said
    reviewer: str
    event_id: str = ""
    job_id: str = ""
    serial: str = ""
    joint: str = ""
    defect_class: str | None = None
    station: str = ""
    seconds: float | None = None
    blind: bool = False
    settled: bool = False


class ReviewError(ValueError):
    """What is wrong with a review, and how to mend it."""


def read_payload(raw: bytes) -> Review:
    """The review in a JSON document of contract ``axi-review/1``. Raises ReviewError."""
    try:
        said = msgspec.json.decode(raw, type=ReviewPayload)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        what, where = in_words(str(error), ReviewPayload)
        raise ReviewError(f"{where or 'the review'}: {what}; see contract axi-review/1") from error
    if problem := wrong_time(said.time):
        raise ReviewError(f"{problem}; see contract axi-review/1")
    return Review(
        review_id=said.review_id.lower(),
        time=said.time,
        decision=said.decision,
        reviewer=said.reviewer,
        event_id=said.event_id.lower(),
        job_id=said.job_id,
        serial=said.board.serial,
        joint=said.joint,
        defect_class=said.defect_class,
        station=said.station,
        seconds=said.seconds,
        blind=said.blind,
    )


def wrong_time(text: str) -> str:
    """Why that is no moment, as reviews have them; empty where it is."""
    return "" if is_moment(text) else f"time: {text!r}; a date and a time, such as 2026-11-30T22:31:00Z"


def with_own_id(review: Review) -> Review:
    """One that came without an id gets one by what it says, so that it counts once however often it is sent."""
    if review.review_id:
        return review
    fields = (
        review.event_id,
        review.job_id,
        review.serial,
        review.joint,
        review.decision,
        review.reviewer,
        review.time,
    )
    settled = ("settled",) if review.settled else ()
    return review._replace(review_id=id_of(NAMESPACE, (*fields, *settled)))
