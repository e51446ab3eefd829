"""Reviews as evidence: what each joint was, on whose word, and what reviewers' own records are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import merge

from edge.core.licence import Act, Course, Standing, Terms, Trial
from edge.core.review import Said, weighed
from edge.core.reviewers import Known, Reliance, records_of, reliances
from edge.core.rules import Rule
from edge.feedback.ports import ActHeld, Key, Spoken

Reliances = Mapping[str, Reliance]


class Joint:
    """A joint and all that was said of it."""

    __slots__ = ("first", "looks", "sampled", "score", "settled")

    def __init__(self, score: float | None, *, sampled: bool) -> None:
        self.score, self.sampled = score, sampled
        self.first = 0
        self.looks: list[Spoken] = []
        self.settled: list[Spoken] = []

    def hear(self, spoken: Spoken) -> None:
        (self.settled if spoken.settled else self.looks).append(spoken)
        if not spoken.settled and not self.first:
            self.first = spoken.placed

    @property
    def known(self) -> list[Known]:
        """What reviewers said who could not know that the truth was settled already; each reviewer's first word."""
        if not self.settled:
            return []
        since = min(spoken.entered for spoken in self.settled)
        truth = weighed((spoken.said, True) for spoken in self.settled)
        words: dict[str, Said] = {}
        for look in self.looks:
            if look.entered > since:
                words.setdefault(look.reviewer, look.said)
        return [Known(reviewer, truth, said) for reviewer, said in words.items()]

    def trial(self, relied_on: Reliances) -> Trial | None:
        """As evidence. None where it is none: nobody drew it or looked at it, or it was put there, its truth known."""
        if not self.sampled or self.score is None or not self.looks or self.known:
            return None
        truth = weighed((spoken.said, spoken.settled) for spoken in (*self.looks, *self.settled))
        word = truth if not self.settled else None
        theirs = [relied_on.get(look.reviewer) for look in self.looks if word in {None, look.said}]
        enough = [reliance for reliance in theirs if reliance is not None and reliance.enough]
        return Trial(self.score, truth, min(enough, default=None))


class Line:
    """The evidence for one licence, folded as it comes; once what was folded has changed, all of it anew."""

    def __init__(self) -> None:
        self.joints: dict[str, Joint] = {}
        self._folded: dict[str, Trial | None] = {}
        self._course: Course | None = None
        self._acts: Sequence[ActHeld] = ()

    def hear(self, spoken: Spoken, joint: Joint) -> None:
        self.joints.setdefault(spoken.event_id, joint)

    def changed(self, event_id: str, relied_on: Reliances) -> None:
        """Something more was said of this joint."""
        trial = self.joints[event_id].trial(relied_on)
        if event_id not in self._folded:
            if trial is None:
                return
            self._folded[event_id] = trial
            if self._course is not None:
                self._course.add(trial)
        elif trial != self._folded[event_id]:
            self._course = None

    def standing(self, terms: Terms, points: Sequence[Rule], acts: Sequence[ActHeld], relied_on: Reliances) -> Standing:
        if self._course is None or acts != self._acts:
            self._course, self._acts = Course(terms, points), acts
            trials = {event: joint.trial(relied_on) for event, joint in self.joints.items()}
            self._folded = {event: trial for event, trial in trials.items() if trial is not None}
            for event in self._in_order(acts):
                if isinstance(event, Act):
                    self._course.act(event)
                else:
                    self._course.add(event)
        return self._course.standing()

    def _in_order(self, acts: Sequence[ActHeld]) -> Iterator[Trial | Act]:
        """An act comes after the reviews that had been placed then."""
        joints = sorted((self.joints[event].first, 0, event) for event in self._folded)
        deeds = ((held.after, 1, number) for number, held in enumerate(acts))
        for _, kind, which in merge(joints, deeds, key=lambda one: one[:2]):
            found = acts[which].act if kind and isinstance(which, int) else self._folded[str(which)]
            if found is not None:
                yield found

    def fold_anew(self) -> None:
        self._course = None


class Evidence:
    """All that counts for the bundles in use. ``heard`` is where the next reviews are to be asked for from."""

    def __init__(self, terms: Terms) -> None:
        self.heard = 0
        self.lines: dict[Key, Line] = {}
        self.relied_on: Reliances = {}
        self._terms = terms
        self._joints: dict[str, Joint] = {}
        self._settled: dict[str, Joint] = {}
        self._known: list[Known] = []

    def take(self, spoken: Iterable[Spoken], digests: Iterable[str]) -> None:
        """What was said since."""
        mine, touched = set(digests), list[tuple[Line, str]]()
        for one in spoken:
            joint = self._joints.setdefault(one.event_id, Joint(one.score, sampled=one.sampled))
            joint.hear(one)
            if joint.settled:
                self._settled[one.event_id] = joint
            if one.key.digest in mine and one.key.board_type:
                line = self.lines.setdefault(one.key, Line())
                line.hear(one, joint)
                touched.append((line, one.event_id))
            self.heard = one.placed
        self._measure_reviewers()
        for line, event_id in touched:
            line.changed(event_id, self.relied_on)

    def _measure_reviewers(self) -> None:
        known = [one for joint in self._settled.values() for one in joint.known]
        if known == self._known:
            return
        self._known = known
        before, self.relied_on = self.relied_on, reliances(records_of(known), self._terms.alpha_of_reviewers)
        if before != self.relied_on:
            for line in self.lines.values():
                line.fold_anew()
