"""Release is earned: what a board type's reviewed joints prove, and what may be released on the strength of it.

Evidence are joints drawn by a coin that nobody can choose (``draw``), seen by a specialist whatever the network said.
The escape rate is the share of them that are defects and would be called normal. Operating points are tried from the
strictest to the most permissive, each once the one before is proved (fixed-sequence testing: Angelopoulos et al.,
"Learn then test", 2021), by a bound that holds at every look (``edge.core.evidence``). After a suspension evidence is
counted anew, with less of the probability of error than the time before (1/2, 1/6, 1/12, 1/20 and so on of it), so that
all attempts together err no more often than was asked for.

Reviewers err. Where they miss a share m of the defects that the network would release, an observed escape rate u stands
for a true one of u / (u + (1 - u)(1 - m)) at most; m is what their own record bounds (``edge.core.reviewers``). Good
joints that they call defects, and the network too, would pass for caught defects: as many as may be expected are taken
off. Those that the network calls normal pass for escapes, which is safe; what they were can be settled.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from edge.core.evidence import Count, Watch, shown_below, upper_bound
from edge.core.nearness import NearMisses
from edge.core.review import Said
from edge.core.reviewers import NOTHING_FEARED, Reliance
from edge.core.rules import Rule
from edge.core.verdict import Call

_OF_REVIEWERS = 0.2
"""The part of the probability of error that is spent on bounds for reviewers."""
_OF_ONE_BOARD = 5
"""Defects of one board that count as caught."""
_TURNED = 50.0
"""The level of the watch that suspends. A share at the target itself reaches it after 50 drawn defects or more, on
average; lower ones after many more."""


class State(StrEnum):
    """What a board type's joints are worth to the network that judges them."""

    LEARNING = "learning"
    LICENSED = "licensed"
    SUSPENDED = "suspended"


class By(StrEnum):
    """What a state rests on."""

    EVIDENCE = "evidence"
    HAND = "hand"


class Terms(NamedTuple):
    """``target_escape``: the share of defects that may be released; ``confidence``: that it is no larger, ever."""

    target_escape: float
    confidence: float

    @property
    def alpha_of_reviewers(self) -> float:
        return _OF_REVIEWERS * (1 - self.confidence)

    def alpha(self, attempt: int) -> float:
        """Of the attempt of this number, from 0."""
        return (1 - _OF_REVIEWERS) * (1 - self.confidence) / ((attempt + 1) * (attempt + 2))

    def observed(self, misses: float) -> float:
        """The share of escapes among reviewed defects that stands for the target, where reviewers miss so many."""
        kept = self.target_escape * (1 - misses)
        return kept / (1 - self.target_escape + kept)


class Trial(NamedTuple):
    """A joint that was reviewed. ``released``: by which operating points it would be, the strictest first;
    ``reliance``: on whoever said what it was, None where nobody knows; ``board``: the job it is of; ``drawn``: by the
    coin. One that was not proves nothing of escapes.
    """

    released: tuple[bool, ...]
    truth: Said
    reliance: Reliance | None
    board: str = ""
    drawn: bool = True


def released_by(points: Sequence[Rule], score: float) -> tuple[bool, ...]:
    """Whether each of the points would release a joint; ``score``: p_defect, or the quality index."""
    return tuple(point.decision(score).call is Call.NORMAL for point in points)


def needed(terms: Terms, misses: float, escapes: int, most: int = 100_000) -> int | None:
    """How many reviewed defects prove the target at the first attempt, where so many of them would have escaped and
    reviewers miss no larger share than ``misses``. None: more than ``most``.
    """
    low, high, limit, alpha = escapes, most, terms.observed(misses), terms.alpha(0)
    if not shown_below(Count(escapes, high), limit, alpha):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if shown_below(Count(escapes, middle), limit, alpha) else (middle, high)
    return high


class Deed(StrEnum):
    """What changes a licence beside evidence. Each begins the evidence anew."""

    SUSPEND = "suspend"
    """By hand; until it is lifted, or granted."""
    LIFT = "lift"
    """Back to learning."""
    GRANT = "grant"
    RESTART = "restart"
    """What was proved is in doubt."""


class Act(NamedTuple):
    """``point``: the operating point of a grant; ``reason`` and ``by``: why, and who."""

    deed: Deed
    by: str
    reason: str
    point: str = ""


class Findings(NamedTuple):
    """What reviewed joints say of one operating point. ``good``: those no defects that it calls defects."""

    escapes: int = 0
    caught: int = 0
    good: int = 0

    def after(self, trial: Trial, *, released: bool, counts: bool = True) -> Findings:
        """``counts``: may it count as a caught defect? What nobody is sure of would have escaped, for all we know."""
        if released and trial.truth is not Said.FALSE_CALL:
            return self._replace(escapes=self.escapes + 1)
        if trial.truth is Said.DEFECT:
            return self._replace(caught=self.caught + (counts and trial.reliance is not None))
        if trial.truth is Said.FALSE_CALL and not released and trial.reliance is not None:
            return self._replace(good=self.good + 1)
        return self

    def counted(self, reliance: Reliance) -> Count:
        caught = max(0, self.caught - reliance.expected_alarms(self.good))
        return Count(self.escapes, self.escapes + caught)


class Standing(NamedTuple):
    """Where a board type's joints of one type stand with one bundle.

    ``rule``: by which joints may be released, None where none may. ``findings``: at that point, else at the strictest.
    ``escape_bound``: what the true escape rate lies below; 1 where nothing is known. ``misses``: the bound on the
    reviewers'. ``reviewed``: joints since evidence was begun.
    """

    state: State
    by: By
    reason: str
    rule: Rule | None
    findings: Findings
    escape_bound: float
    misses: float
    reviewed: int

    def rested(self, reason: str) -> Standing:
        """Nothing is released while this is so."""
        granted = f"; granted by {self.reason}" if self.by is By.HAND and self.reason else ""
        return self._replace(state=State.SUSPENDED, rule=None, reason=f"{reason}{granted}")


class Course:
    """Evidence on one board type, joint type and bundle, as it came. ``points``: the strictest first."""

    def __init__(self, terms: Terms, points: Sequence[Rule]) -> None:
        self._terms, self._points = terms, points
        self._attempt = -1
        self._held = False
        self._begin(State.LEARNING)

    def _begin(self, state: State, by: By = By.EVIDENCE, reason: str = "") -> None:
        self._state, self._by, self._reason = state, by, reason
        self._attempt += 1
        self._findings = [Findings() for _ in self._points]
        self._proved, self._reviewed = 0, 0
        self._granted: Rule | None = None
        self._reliance = NOTHING_FEARED
        self._relied = False
        self._of_board: Counter[str] = Counter()
        self._watch = Watch(self._terms.target_escape)
        self._near = NearMisses(len(self._points))

    def act(self, act: Act) -> None:
        """Something was done by hand, or put in doubt."""
        who = f"{act.by}: {act.reason}" if act.reason else act.by
        granted = next((point for point in self._points if point.name == act.point), None)
        if act.deed is Deed.RESTART:
            if not self._held:
                was_licensed = self._state is State.LICENSED
                self._begin(State.SUSPENDED if was_licensed else self._state, reason=act.reason)
            return
        self._held = act.deed is Deed.SUSPEND
        if act.deed is Deed.LIFT or (act.deed is Deed.GRANT and granted is None):
            self._begin(State.LEARNING)
        else:
            self._begin(State.SUSPENDED if self._held else State.LICENSED, By.HAND, who)
            self._granted = granted

    def add(self, trial: Trial) -> None:
        """One more joint was reviewed."""
        heard = trial.truth is Said.DEFECT and trial.reliance is not None
        if heard and self._near_ones_have_risen(trial):
            self._begin(State.SUSPENDED, reason="defects that would nearly be released have become more")
        elif trial.drawn:  # the one that suspends is chosen by what it is, and proves nothing for the next attempt
            self._weigh(trial)

    def _weigh(self, trial: Trial) -> None:
        self._reviewed += 1
        if trial.reliance is not None:
            self._reliance, self._relied = self._reliance.or_worse(trial.reliance), True
        if trial.truth is Said.FALSE_CALL and all(trial.released):
            return  # as most are, and it changes nothing
        counts = self._counts(trial)
        pairs = zip(self._findings, trial.released, strict=True)
        self._findings = [findings.after(trial, released=is_released, counts=counts) for findings, is_released in pairs]
        if trial.truth is Said.FALSE_CALL:
            return
        if self._state is State.LICENSED:
            self._look_out(hit=trial.released[self._points.index(self.rule)] if self.rule else False)
        if not self._held and self._granted is None:
            self._prove()

    def _counts(self, trial: Trial) -> bool:
        """The defects of one board are often of one cause: no more than a few of them prove anything."""
        if trial.truth is not Said.DEFECT or not trial.board:
            return True
        self._of_board[trial.board] += 1
        return self._of_board[trial.board] <= _OF_ONE_BOARD

    @property
    def state(self) -> State:
        """As ``standing`` says, without its figures."""
        return self._state

    @property
    def rule(self) -> Rule | None:
        """By which joints may be released; None where none may."""
        if self._state is not State.LICENSED:
            return None
        return self._granted or self._points[self._proved - 1]

    def _near_ones_have_risen(self, trial: Trial) -> bool:
        """Has it become more usual that defects are nearly released?"""
        rule = self.rule
        if rule is None or self._granted is not None:
            if trial.drawn:
                self._near.learn(trial.released, trial.board)
            return False
        return self._near.risen(trial.released, trial.board, self._points.index(rule))

    def _look_out(self, *, hit: bool) -> None:
        self._watch = self._watch.after(hit=hit)
        if self._watch.level >= _TURNED:
            self._begin(State.SUSPENDED, reason="defects among the joints that would be released have become too many")

    def _prove(self) -> None:
        while self._proved < len(self._points) and self._is_proved(self._findings[self._proved]):
            self._proved += 1
            self._state, self._by, self._reason = State.LICENSED, By.EVIDENCE, ""
            self._watch = Watch(self._terms.target_escape)

    def _is_proved(self, findings: Findings) -> bool:
        limit = self._terms.observed(self._reliance.misses)
        alpha = self._terms.alpha(self._attempt)
        return self._relied and shown_below(findings.counted(self._reliance), limit, alpha)

    def standing(self) -> Standing:
        rule = self.rule
        findings = self._findings[self._points.index(rule) if rule else 0] if self._points else Findings()
        misses = self._reliance.misses if self._relied else 1.0
        shown = upper_bound(findings.counted(self._reliance), self._terms.alpha(self._attempt)) if self._relied else 1.0
        bound = shown / (shown + (1 - shown) * (1 - misses)) if shown < 1 else 1.0
        return Standing(self._state, self._by, self._reason, rule, findings, bound, misses, self._reviewed)


def course_of(terms: Terms, points: Sequence[Rule], events: Iterable[Trial | Act]) -> Course:
    """Where evidence and acts, in the order in which they came, have led."""
    course = Course(terms, points)
    for event in events:
        if isinstance(event, Act):
            course.act(event)
        else:
            course.add(event)
    return course
