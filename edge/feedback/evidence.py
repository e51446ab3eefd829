"""Reviews as evidence: what each joint was, on whose word, and what reviewers' own records are."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter, itemgetter

from edge.core.licence import Act, Course, Terms, Trial, course_of, released_by
from edge.core.review import Said, weighed
from edge.core.reviewers import Known, Reliance, records_of, reliances
from edge.core.rules import Rule
from edge.feedback.ports import ActHeld, Key, Spoken

Reliances = Mapping[str, Reliance]


class Joint:
    """A joint and all that was said of it."""

    __slots__ = ("_released", "decided", "job_id", "judged", "looks", "sampled", "score", "settled")

    def __init__(self, spoken: Spoken) -> None:
        self.score, self.sampled = spoken.score, spoken.sampled
        self.job_id, self.decided, self.judged = spoken.job_id, spoken.decided, spoken.judged
        self._released: tuple[bool, ...] = ()
        self.looks: list[Spoken] = []
        self.settled: list[Spoken] = []

    def hear(self, spoken: Spoken) -> None:
        """In the order in which they were placed, whenever they are heard; once each."""
        said = self.settled if spoken.settled else self.looks
        if all(spoken.entered != one.entered for one in said):
            insort(said, spoken, key=attrgetter("placed"))
            self.decided = min(self.decided, spoken.decided)  # of one that nobody drew only known by its reviews

    @property
    def was_known(self) -> bool:
        """Was its truth settled before anybody looked at it? What is settled later was chosen by what was said."""
        if not self.settled or not self.looks:
            return False
        return min(spoken.entered for spoken in self.settled) < min(look.entered for look in self.looks)

    @property
    def known(self) -> list[tuple[int, Known]]:
        """Where it was: each reviewer's first word, after how many reviews."""
        if not self.was_known:
            return []
        truth = weighed((spoken.said, True) for spoken in self.settled)
        words: dict[str, Spoken] = {}
        for look in self.looks:
            words.setdefault(look.reviewer, look)
        return [(look.entered, Known(reviewer, truth, look.said)) for reviewer, look in words.items()]

    def trial(self, points: Sequence[Rule], relied_on: Reliances) -> Trial | None:
        """As evidence. None where it is none: nobody looked at it, or it was put there, its truth known; or nobody drew
        it, and it is no defect, or was not judged.
        """
        if self.score is None or not self.looks or self.was_known:
            return None
        truth = weighed((spoken.said, spoken.settled) for spoken in (*self.looks, *self.settled))
        if not self.sampled and (truth is not Said.DEFECT or not self.judged):
            return None
        word = truth if not self.settled else None
        theirs = [relied_on.get(look.reviewer) for look in self.looks if word in {None, look.said}]
        enough = [reliance for reliance in theirs if reliance is not None and reliance.enough]
        self._released = self._released or released_by(points, self.score)
        return Trial(self._released, truth, min(enough, default=None), self.job_id, self.sampled)


class Line:
    """The evidence for one licence, folded as it comes; once what was folded has changed, all of it anew.

    ``points``: by what its joints can earn release, the strictest first.
    """

    def __init__(self, terms: Terms, points: Sequence[Rule]) -> None:
        self._terms, self._points = terms, points
        self.joints: dict[str, Joint] = {}
        self._folded: dict[str, tuple[int, Trial | None]] = {}
        self._last = 0
        self._course: Course | None = None
        self._acts: Sequence[ActHeld] = ()
        self._since = ""

    def changed(self, event_id: str, relied_on: Reliances) -> None:
        """Something more was said of this joint."""
        joint = self.joints[event_id]
        trial, place = joint.trial(self._points, relied_on), joint.looks[0].placed
        if event_id not in self._folded:
            if trial is None:
                return
            if place < self._last:
                self._course = None
            elif self._course is not None and joint.decided >= self._since:
                self._course.add(trial)
        elif self._folded[event_id] != (place, trial):
            self._course = None
        self._folded[event_id], self._last = (place, trial), max(place, self._last)

    def course(self, acts: Sequence[ActHeld]) -> Course:
        """Folded up to what was heard last."""
        if self._course is None or acts != self._acts:
            self._acts, self._since = acts, acts[-1].time if acts else ""
            self._course = course_of(self._terms, self._points, self._in_order(acts))
        return self._course

    def _in_order(self, acts: Sequence[ActHeld]) -> Iterator[Trial | Act]:
        """Joints by their first reviews; an act comes after the reviews that had been placed then. What was decided
        before it is no evidence after it.
        """
        left, since = list(reversed(acts)), ""
        for event, (place, trial) in sorted(self._folded.items(), key=lambda item: item[1][0]):
            while left and left[-1].after < place:
                since = left[-1].time
                yield left.pop().act
            if trial is not None and self.joints[event].decided >= since:
                yield trial
        yield from (held.act for held in reversed(left))

    def weigh_anew(self, relied_on: Reliances) -> None:
        """Reviewers are relied on otherwise now."""
        trials = {event: joint.trial(self._points, relied_on) for event, joint in self.joints.items()}
        self._folded = {e: (self.joints[e].looks[0].placed, trial) for e, trial in trials.items() if trial is not None}
        self._last = max((place for place, _ in self._folded.values()), default=0)
        self._course = None


class Evidence:
    """All that counts for the bundles in use: ``rules``, by their digests.

    ``heard`` is where the next reviews are to be asked for from.
    """

    def __init__(self, terms: Terms, rules: Mapping[str, Sequence[Rule]]) -> None:
        self.heard = 0
        self.lines: dict[Key, Line] = {}
        self.relied_on: Reliances = {}
        self._terms, self._rules = terms, rules
        self._joints: dict[tuple[str, str], Joint] = {}
        self._settled: dict[str, Joint] = {}
        self._known: list[Known] = []

    def line(self, key: Key) -> Line:
        """The evidence for a licence; none yet, where nothing was said."""
        return self.lines.get(key) or Line(self._terms, self._rules[key.digest])

    def take(self, spoken: Iterable[Spoken]) -> None:
        """What was said since."""
        touched, measured = list[tuple[Line, str]](), False
        for one in spoken:
            of = one.event_id, one.key.digest  # another bundle may have judged it, too
            joint = self._joints.setdefault(of, Joint(one))
            before = joint.known
            joint.hear(one)
            if joint.settled:
                self._settled[one.event_id] = joint
                measured = measured or joint.known != before
            if one.key.digest in self._rules and one.key.board_type:
                line = self.lines.setdefault(one.key, self.line(one.key))
                if joint.looks:
                    line.joints.setdefault(one.event_id, joint)
                    touched.append((line, one.event_id))
            self.heard = max(self.heard, one.placed)
        if measured:
            self._measure_reviewers()
        for line, event_id in touched:
            line.changed(event_id, self.relied_on)

    def _measure_reviewers(self) -> None:
        found = sorted((one for joint in self._settled.values() for one in joint.known), key=itemgetter(0))
        known = [one for _, one in found]
        if known == self._known:
            return
        self._known = known
        before, self.relied_on = self.relied_on, reliances(records_of(known), self._terms.alpha_of_reviewers)
        if before != self.relied_on:
            for line in self.lines.values():
                line.weigh_anew(self.relied_on)
