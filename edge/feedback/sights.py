"""What views look like, learnt from boards whose reviews agreed with what the network said of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta

from edge.core.clocks import Now
from edge.core.evidence import Count
from edge.core.learning import LEAST_BOARDS, learnt
from edge.core.review import Said, weighed
from edge.core.rules import Rule
from edge.core.verdict import Call
from edge.feedback.sight_book import Place, SightBook, SightHeld, Word

log = logging.getLogger(__name__)

_ENOUGH_JOINTS = 3
_AGREEING = 2 / 3
_MOST_BOARDS = 40
"""That are learnt from at once, the youngest."""
MOST_OF_A_VIEW = 60
_WAIT = timedelta(days=14)
"""For reviews, after which nothing is learnt from a board."""
_MOST_SIGHTS = 2_000
"""In all, some 130 MB."""

Rules = Mapping[str, Sequence[Rule]]


class Learning:
    """``step`` now and then, from one thread. ``rules``: of each bundle in use, by digest, the strictest first."""

    def __init__(self, book: SightBook, rules: Callable[[], Rules], now: Now) -> None:
        self._book, self._rules, self._now = book, rules, now
        self._tried: dict[Place, tuple[int, ...]] = {}

    def step(self) -> None:
        """Learn what has become possible. Raises JournalError."""
        self._book.expire(self._now() - _WAIT, _MOST_SIGHTS)
        for place, count in self._book.waiting(LEAST_BOARDS):
            self._learn(place, full=count >= MOST_OF_A_VIEW)

    def _learn(self, place: Place, *, full: bool) -> None:
        agreed, held = agreements(self._book.words(place), self._rules()), self._book.sights(place)
        reviewed = [sight for sight in held if agreed.get(sight.number, Count(0, 0)).total >= _least(sight)]
        agreeing = [sight for sight in reviewed if _agrees(agreed[sight.number])]
        numbers = tuple(sight.number for sight in agreeing[-_MOST_BOARDS:])
        if len(numbers) >= LEAST_BOARDS and self._tried.get(place) != numbers:
            self._tried[place] = numbers
            found = learnt([sight.sight for sight in agreeing[-_MOST_BOARDS:]])
            if found.reference is not None:
                self._book.learn(place, found.reference, self._now())
                del self._tried[place]
                missed = list(found.reference.missed)
                details = {"board_type": place.board_type, "view": place.view, "boards": found.reference.boards}
                log.info("view learnt", extra=details | {"cannot_tell": missed})
                return
        if full:
            self._make_room(reviewed, agreeing)

    def _make_room(self, reviewed: Sequence[SightHeld], agreeing: Sequence[SightHeld]) -> None:
        """There is room for no more, and nothing could be learnt of them: younger boards get a chance."""
        useless = {sight.number for sight in reviewed} - {sight.number for sight in agreeing}
        if len(agreeing) >= LEAST_BOARDS:
            useless |= {sight.number for sight in agreeing[: len(agreeing) // 2]}
        self._book.forget_sights(useless)


def _least(held: SightHeld) -> int:
    return max(1, min(_ENOUGH_JOINTS, len(held.joints)))


def _agrees(count: Count) -> bool:
    return count.hits >= _AGREEING * count.total


def agreements(words: Iterable[Word], rules: Rules) -> dict[int, Count]:
    """By sight: of how many joints reviewers were sure, and of how many (hits) they said what the most permissive
    point of the bundle that judged them says.
    """
    heard: dict[tuple[int, str], list[Word]] = {}
    for word in words:
        heard.setdefault((word.sight, word.joint), []).append(word)
    found: dict[int, Count] = {}
    for (sight, _), some in heard.items():
        points, score = rules.get(some[0].digest or ""), some[0].score
        truth = weighed((word.said, word.settled) for word in some)
        if points and score is not None and truth is not Said.UNSURE:
            good = points[-1].decision(score).call is Call.NORMAL
            found[sight] = found.get(sight, Count(0, 0)).after(hit=good == (truth is Said.FALSE_CALL))
    return found
