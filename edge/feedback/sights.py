"""What views look like, learnt from boards whose reviews agreed with what the network said of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import timedelta

from edge.core.clocks import Now
from edge.core.evidence import Count
from edge.core.learning import LEAST_BOARDS, learnt
from edge.core.review import Said, weighed
from edge.core.rules import Rule
from edge.core.verdict import Call
from edge.feedback.sight_book import Place, SightBook, SightHeld, Word

log = logging.getLogger(__name__)

_AGREEING = 2 / 3
_MOST_BOARDS = 40
"""That are learnt from at once, the youngest."""
MOST_OF_A_VIEW = 60
_MORE = 5
"""Boards that must have come to try again what did not succeed."""
_WAIT = timedelta(days=4)
"""For reviews, after which nothing is learnt from a board: others are waiting for its room."""
_MOST_SIGHTS = 400
"""Of a board type, some 60 MB."""

Rules = Mapping[str, Sequence[Rule]]


class Learning:
    """``step`` now and then, from one thread. ``rules``: of each bundle in use, by digest, the strictest first."""

    def __init__(self, book: SightBook, rules: Callable[[], Rules], now: Now) -> None:
        self._book, self._rules, self._now = book, rules, now
        self._tried: dict[Place, tuple[int, ...]] = {}
        self._stamp: object = None

    def step(self) -> None:
        """Learn one view at most, of those that it has become possible of; it takes some seconds. Raises
        JournalError.
        """
        self._book.expire(self._now() - _WAIT, _MOST_SIGHTS)
        rules, stamp = self._rules(), self._book.stamp()
        if (stamp, rules) == self._stamp:
            return
        for place, count in self._book.waiting(LEAST_BOARDS):
            if self._learn(place, rules, full=count >= MOST_OF_A_VIEW):
                return  # the others at the next step
        self._stamp = stamp, rules

    def _learn(self, place: Place, rules: Rules, *, full: bool) -> bool:
        """Was it tried?"""
        agreed = agreements(self._book.words(place), rules)
        agreeing = sorted(number for number, count in agreed.items() if _agrees(count))
        numbers = tuple(agreeing[-_MOST_BOARDS:])
        new = set(numbers).difference(self._tried.get(place, ()))
        if len(numbers) >= LEAST_BOARDS and len(new) >= (_MORE if place in self._tried else 1):
            self._tried[place] = numbers
            self._keep(place, [sight for sight in self._book.sights(place) if sight.number in numbers])
            return True
        if full:
            self._make_room(agreed, agreeing)
        return False

    def _keep(self, place: Place, held: Sequence[SightHeld]) -> None:
        found = learnt([sight.sight for sight in held], self._book.references(*place))
        details = {"board_type": place.board_type, "view": place.view}
        if found.reference is None:
            log.info("view not learnt", extra=details | {"boards": len(held), "odd": len(found.odd)})
        elif self._book.learn(place, found.reference, [sight.number for sight in held], self._now()):
            del self._tried[place]
            about = {"boards": found.reference.boards, "cannot_tell": list(found.reference.missed)}
            log.info("view learnt", extra=details | about)

    def _make_room(self, reviewed: Collection[int], agreeing: Sequence[int]) -> None:
        """There is room for no more, and nothing could be learnt of them: younger boards get a chance."""
        useless = set(reviewed) - set(agreeing)
        if len(agreeing) >= LEAST_BOARDS:
            useless |= set(agreeing[: len(agreeing) // 2])
        if useless:
            self._book.forget_sights(useless)


def _agrees(count: Count) -> bool:
    return count.hits >= _AGREEING * count.total


def agreements(words: Iterable[Word], rules: Rules) -> dict[int, Count]:
    """By sight: of how many joints reviewers were sure, and of how many (hits) they said what the most permissive
    point of the bundle that judged them says. What another bundle than those in use judged agrees with nothing.
    """
    heard: dict[tuple[int, str], list[Word]] = {}
    for word in words:
        heard.setdefault((word.sight, word.joint), []).append(word)
    found: dict[int, Count] = {}
    for (sight, _), some in heard.items():
        points, score = rules.get(some[0].digest or ""), some[0].score
        truth = weighed((word.said, word.settled) for word in some)
        if not points:
            found.setdefault(sight, Count(0, 1))
        elif score is not None and truth is not Said.UNSURE:
            good = points[-1].decision(score).call is Call.NORMAL
            found[sight] = found.get(sight, Count(0, 0)).after(hit=good == (truth is Said.FALSE_CALL))
    return found
