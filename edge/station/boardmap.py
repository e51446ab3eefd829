"""A board as its jobs have it: each view with its boxes, and what became of every joint in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

import msgspec

from edge.core.job import Roi
from edge.core.review import Said, gravest
from edge.station.database import Database
from edge.station.entering import COLUMNS, SINCE
from edge.station.joints import Joint
from edge.station.pictures import Pictures

_MOST_JOBS, _MOST_JOINTS = 20, 20_000


class Became(StrEnum):
    """Of two verdicts on one joint the earlier of these is shown. ``UNHEARD``: no verdict was heard on it."""

    WAITS = "waiting"
    DEFECT = "defect"
    GOOD = "false call"
    RELEASED = "released"
    UNHEARD = "no verdict heard"


class Placed(NamedTuple):
    """A joint on a map; ``roi`` in pixels of its view. ``event_id``: of its verdict, empty where none was heard."""

    joint: str
    roi: Roi
    became: Became
    event_id: str = ""


class ViewMap(NamedTuple):
    """``picture``: a joint of this view, by whose name its slice is fetched, and the slice; None where there is none.
    ``width`` and ``height`` hold all boxes.
    """

    job_id: str
    view: str
    width: int
    height: int
    picture: tuple[str, int] | None
    joints: Sequence[Placed]


class BoardMap(NamedTuple):
    """``counts`` of joints by what became of them; ``pictureless``: jobs whose pictures are no longer there."""

    serial: str
    board_type: str
    views: Sequence[ViewMap]
    counts: Mapping[Became, int]
    pictureless: Sequence[str]


class Boards:
    """Maps of boards whose verdicts were heard."""

    def __init__(self, database: Database, pictures: Pictures) -> None:
        self._database, self._pictures = database, pictures

    def map_of(self, serial: str, *, all_of_it: bool) -> BoardMap | None:
        """None where nobody has heard of the board; nor, but for who may see ``all_of_it``, while joints of it are held
        that are to come before reviewers as any others.
        """
        jobs = self._joints_of(serial)
        if not jobs or (self._is_held(serial) and not all_of_it):
            return None
        views, without, counts = list[ViewMap](), list[str](), dict.fromkeys(Became, 0)
        for joints in jobs.values():
            became = dict[str, Became]()
            for joint, said in joints:
                became[joint.joint] = _first(self._became(joint, said), became.get(joint.joint))
            drawn = self._views(joints[0][0], became, {joint.joint: joint.event_id for joint, _ in joints})
            views.extend(drawn)
            without.extend([] if drawn else [joints[0][0].job_id])
            unheard = [one for view in drawn for one in view.joints if one.became is Became.UNHEARD]
            for one in (*became.values(), *(place.became for place in unheard)):
                counts[one] += 1
        last = next(reversed(jobs.values()))[0][0]
        return BoardMap(serial, last.board_type, views, counts, without)

    def _is_held(self, serial: str) -> bool:
        return bool(self._database.rows("SELECT 1 FROM joints WHERE serial = ? AND held LIMIT 1", (serial,)))

    def _joints_of(self, serial: str) -> dict[tuple[str, bool], list[tuple[Joint, Sequence[str]]]]:
        """By job, and whether that was refused, the last jobs only; with each joint what was said of it."""
        rows = self._database.rows(
            f"SELECT {COLUMNS}, (SELECT json_group_array(decision) FROM reviews WHERE {SINCE}) "  # noqa: S608
            "FROM joints WHERE serial = ? ORDER BY place DESC LIMIT ?",
            (serial, _MOST_JOINTS),
        )
        jobs: dict[tuple[str, bool], list[tuple[Joint, Sequence[str]]]] = {}
        for *columns, said in reversed(rows):
            joint = Joint(*columns)
            jobs.setdefault((joint.job_id, joint.refused), []).append((joint, msgspec.json.decode(said)))
        return dict(list(jobs.items())[-_MOST_JOBS:])

    def _views(self, known: Joint, became: Mapping[str, Became], events: Mapping[str, str]) -> list[ViewMap]:
        """Those of the job that a joint is of, its own order; none where the job is gone."""
        job = self._pictures.job_of(known)
        found = list[ViewMap]()
        for view in job.views if job else ():
            placed = [
                Placed(joint.id, joint.roi, became.get(joint.id, Became.UNHEARD), events.get(joint.id, ""))
                for joint in (job.joints if job else ())
                if joint.view == view.id
            ]
            if placed:
                named = next((events[one.joint] for one in placed if one.joint in events), None)
                middle = view.slices[len(view.slices) // 2].index
                found.append(_map(known.job_id, view.id, (named, middle) if named else None, placed))
        return found

    @staticmethod
    def _became(joint: Joint, said: Sequence[str]) -> Became:
        if joint.released:
            return Became.RELEASED
        sure = [Said(word) for word in said if word != Said.UNSURE]
        if not sure:
            return Became.WAITS
        return Became.DEFECT if gravest(sure) is Said.DEFECT else Became.GOOD


def _first(one: Became, other: Became | None) -> Became:
    return one if other is None else min(one, other, key=list(Became).index)


def _map(job_id: str, view: str, picture: tuple[str, int] | None, placed: Sequence[Placed]) -> ViewMap:
    width, height = (max(1, *(place.roi[side] for place in placed), 1) for side in (2, 3))
    return ViewMap(job_id, view, width, height, picture, placed)
