"""One device and its board types, from the first board on, through the code that decides and counts."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.core.licence import State, Terms
from edge.core.release import NOTHING, Permit, draw, ruled
from edge.core.review import Said
from edge.core.rules import OperatingPoint
from edge.core.verdict import Call, Route
from edge.core.wire import event_id
from edge.feedback.evidence import Evidence
from edge.feedback.ports import Key, Spoken
from tests.licensing.world import BoardType, Reviewer

TERMS = Terms(target_escape=0.05, confidence=0.95)
AUDIT = 0.05
FLAGGED = 20
"""Joints that the machine flags on a board."""
KNOWN_DEFECTS, KNOWN_GOOD = 200, 500
"""Joints of known truth that each reviewer looks at before anything else."""
NEVER, TWICE = 0.05, 0.03
LATEST = 12
"""Reviews come up to so many boards later."""
SETTLED, SETTLING = 0.98, 10
"""The share of claimed escapes that is looked at once more, all that came in so many boards at a time."""
DIGEST = "sha256:simulated"
LOGITS = np.linspace(-16.0, 16.0, 641)
"""Bounds of what scores are counted in, to compare with thresholds for all types."""


class Board(NamedTuple):
    """What became of one board. ``escape_rate``: the true one of what is released by, 0 while nothing is."""

    defects: int
    released: int
    escaped: int
    state: State
    escape_rate: float


@dataclass
class Course:
    """What became of the boards of one type."""

    kind: BoardType
    boards: list[Board] = field(default_factory=list)
    defects_by_logit: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(LOGITS) - 1, np.int64))
    good_by_logit: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(LOGITS) - 1, np.int64))

    def note(self, board: Board, defect: NDArray[np.bool_], p: NDArray[np.float64]) -> None:
        self.boards.append(board)
        logits = np.clip(np.log(p / (1 - p)), LOGITS[0], LOGITS[-1] - 1e-9)
        self.defects_by_logit += np.histogram(logits[defect], LOGITS)[0]
        self.good_by_logit += np.histogram(logits[~defect], LOGITS)[0]


class Simulated:
    """A device. ``step`` inspects one board of each type; reviews come when they come."""

    def __init__(self, number: int, kinds: Sequence[BoardType], points: Sequence[OperatingPoint]) -> None:
        self._number, self._points = number, points
        self._rng = np.random.default_rng((77, number))
        self._reviewers = (Reviewer("r1"), Reviewer("r2"))
        self._expert = Reviewer("expert")
        self._clock, self._order = count(1), count()
        self._waiting: list[tuple[int, int, Spoken]] = []
        self._evidence = Evidence(TERMS, {DIGEST: points})
        self._permits: dict[Key, Permit] = {}
        self._states: dict[Key, State] = {}
        self.courses = [Course(kind) for kind in kinds]
        self._keys = [Key(f"MB-{n}", "PTH", DIGEST) for n in range(len(kinds))]
        self._measure_reviewers()

    def _measure_reviewers(self) -> None:
        """By joints of its own kinds of boards."""
        known = list[Spoken]()
        for reviewer in self._reviewers:
            for defects, wanted in ((True, KNOWN_DEFECTS), (False, KNOWN_GOOD)):
                for p in self._pool(wanted, defects=defects):
                    event = f"known-{next(self._order)}"
                    truth = Said.DEFECT if defects else Said.FALSE_CALL
                    known.append(self._spoken(event, self._keys[0], p, truth, "lab", settled=True, sampled=False))
                    known.append(self._spoken(event, self._keys[0], p, self._look(reviewer, p, defects), reviewer.name))
        self._hear(known)

    def _pool(self, wanted: int, *, defects: bool) -> Iterator[float]:
        found = 0
        while found < wanted:
            kind = self.courses[int(self._rng.integers(len(self.courses)))].kind
            which, p = kind.joints(self._rng, 40, 0)
            for score in p[which == defects][: wanted - found]:
                found += 1
                yield float(score)

    def _look(self, reviewer: Reviewer, p: float, defect: bool) -> Said:
        return Said.DEFECT if reviewer.says_defect(self._rng, defect=defect, p_defect=p) else Said.FALSE_CALL

    def _spoken(
        self, event: str, key: Key, p: float, said: Said, who: str, *, settled: bool = False, sampled: bool = True
    ) -> Spoken:
        return Spoken(0, 0, event, key, p, said, who, settled, sampled)

    def _hear(self, said: Sequence[Spoken]) -> None:
        numbered = ((next(self._clock), spoken) for spoken in said)
        self._evidence.take((spoken._replace(placed=now, entered=now) for now, spoken in numbered))

    def step(self, board: int) -> None:
        self._take_reviews(board)
        for key, course in zip(self._keys, self.courses, strict=True):
            defect, p = course.kind.joints(self._rng, FLAGGED, board)
            course.note(self._inspect(key, course.kind, board, defect, p), defect, p)

    def _inspect(
        self, key: Key, kind: BoardType, board: int, defect: NDArray[np.bool_], p: NDArray[np.float64]
    ) -> Board:
        permit, job, escaped, released = self._permits.get(key, NOTHING), f"L{self._number}-{board}", 0, 0
        for joint, (is_defect, score) in enumerate(zip(defect.tolist(), p.tolist(), strict=True)):
            event = event_id(key.board_type, job, f"J{joint}", DIGEST)
            decision, sampled = ruled(self._points[0].decision(score), permit, draw(event))
            if decision.route is Route.RELEASE:
                released, escaped = released + 1, escaped + is_defect
            else:
                self._send_to_specialist(event, key, score, board, defect=is_defect, sampled=sampled)
        rule = permit.rule
        rate = kind.escape_rate(rule.threshold, board) if isinstance(rule, OperatingPoint) else 0.0
        return Board(int(defect.sum()), released, escaped, self._states.get(key, State.LEARNING), rate)

    def _send_to_specialist(self, event: str, key: Key, p: float, board: int, *, defect: bool, sampled: bool) -> None:
        if self._rng.random() < NEVER:
            return
        first, second = self._rng.permutation(2)
        looks = (first, second) if self._rng.random() < TWICE else (first,)
        for which in looks:
            reviewer = self._reviewers[which]
            spoken = self._spoken(event, key, p, self._look(reviewer, p, defect), reviewer.name, sampled=sampled)
            due = board + int(self._rng.integers(1, LATEST))
            heapq.heappush(self._waiting, (due, next(self._order), spoken))
            claimed = spoken.said is Said.DEFECT and self._points[-1].decision(p).call is Call.NORMAL
            if claimed and self._rng.random() < SETTLED:
                truth = self._spoken(
                    event, key, p, self._look(self._expert, p, defect), "expert", settled=True, sampled=sampled
                )
                heapq.heappush(self._waiting, ((due // SETTLING + 1) * SETTLING, next(self._order), truth))

    def _take_reviews(self, board: int) -> None:
        came = list[Spoken]()
        while self._waiting and self._waiting[0][0] <= board:
            came.append(heapq.heappop(self._waiting)[2])
        self._hear(came)
        for key in {spoken.key for spoken in came}:
            course = self._evidence.line(key).course(())
            self._states[key], self._permits[key] = course.state, Permit(course.rule, AUDIT)
