"""Truth by a better source than a look, handed to the station and to the device at once."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec

from edge.adapters.review_folder import FOLDER, LARGEST_BYTES, drop
from edge.core.errors import UsageError
from edge.core.review import Review, ReviewedBoard, ReviewPayload, Said
from edge.feedback.reading import SETTLED, read_reviews
from edge.files import read_plain
from edge.station.database import Database
from edge.station.joints import Joint
from edge.station.known import KnownJoints, Marked

_LINES = 5_000
"""Of a file: the device takes no more than 4 MiB."""


class HandedOver(NamedTuple):
    """``released``: joints that no reviewer is shown; the device hears of them all the same. ``lies``: the files that
    it reads from; empty where there was nothing to hand over.
    """

    defects: int
    good: int
    released: int
    problems: list[str]
    lies: str


def hand_over(path: Path, database: Database, spool: Path) -> HandedOver:
    """Without joints that somebody looked at already: of those the device would learn otherwise. Raises
    UsageError where the file cannot be read, or the device's folder cannot be written.
    """
    try:
        raw = read_plain(path, LARGEST_BYTES)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}; name a file of truths, of at most 4 MiB") from error
    reviews, found = read_reviews(path.name, raw)
    problems = [problem.removeprefix(f"{path.name}: ") for problem in found]
    known = KnownJoints(database, 0.0, lambda joints: joints, lambda: True)
    taken = [(one.joint, one.review) for one in known.check(reviews) if one.joint is not None]
    try:
        lies = [
            drop(spool, f"truth{SETTLED}.jsonl", b"".join(_line(*one) for one in taken[start : start + _LINES]))
            for start in range(0, len(taken), _LINES)
        ]
    except OSError as error:
        raise UsageError(
            f"{spool}: {error.strerror or error}; run this again as a user who may write there, or nobody is measured"
        ) from error
    marked = known.mark(reviews)  # only now may they come before anybody
    problems += [f"{_named(one)}: {one.problem}" for one in marked if one.joint is None]
    of = [one.review.decision for one in marked if one.measures]
    released = sum(one.joint is not None and one.joint.released for one in marked)
    where = ", ".join(map(str, lies))
    return HandedOver(of.count(Said.DEFECT), of.count(Said.FALSE_CALL), released, problems, where)


def all_told(spool: Path) -> bool:
    """Has the device taken every file of truths? Raises nothing: a folder that is not there holds none."""
    return not any((spool / FOLDER).glob(f"*{SETTLED}.*"))


def _line(joint: Joint, truth: Review) -> bytes:
    said = ReviewPayload(
        review_id=truth.review_id,
        time=truth.time,
        event_id=joint.event_id,
        job_id=joint.job_id,
        board=ReviewedBoard(serial=joint.serial, type=joint.board_type),
        joint=joint.joint,
        decision=truth.decision,
        defect_class=truth.defect_class,
        reviewer=truth.reviewer,
    )
    return msgspec.json.encode(said) + b"\n"


def _named(marked: Marked) -> str:
    truth = marked.review
    where = truth.job_id or truth.serial
    return truth.event_id or f"joint {truth.joint} of {where}"
