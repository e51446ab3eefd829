"""Defects that were nearly released: they tell of a change long before enough of those that are released were drawn.

Of the defects that an operating point catches, some would have been released by the most permissive one. All of them
come to a specialist, not only the few that are drawn, so that a share of them that rises is noticed twenty times as
soon as escapes at an audit share of 0.05. It proves nothing of escapes: it only says that what was proved was proved of
other defects than there are now.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from edge.core.evidence import Count, Watch

_OF_ONE_BOARD = 2
"""Near ones of one board that count: they are often of one cause."""
_ERRORS = 1.5
"""Standard errors that a share may lie above what was learnt."""
_TURNED = 1_000.0
"""The level of the watch at which the share has risen. One at the limit itself reaches it after 1,000 caught defects or
more, on average; three times a tenth that was learnt after some 90."""
_HIGHEST = 0.6
"""A limit above would not be passed by anything that could be told from it."""


class NearMisses:
    """At each of some operating points, the strictest first: learnt while every joint is drawn, watched afterwards."""

    def __init__(self, points: int) -> None:
        self._learnt = [Count(0, 0)] * points
        self._of_board: Counter[str] = Counter()
        self._point = -1
        self._watch = Watch(_HIGHEST)

    def learn(self, released: Sequence[bool], board: str) -> None:
        """A defect was drawn; ``released``: by which points it would be."""
        if self._counts(board, near=released[-1]):
            self._learnt = [
                count if by_this else count.after(hit=released[-1])
                for count, by_this in zip(self._learnt, released, strict=True)
            ]

    def risen(self, released: Sequence[bool], board: str, point: int) -> bool:
        """A defect was reviewed while joints are released by the point of that number: are there too many by now? Not
        at the most permissive point, which nothing is near to.
        """
        if point != self._point:
            self._point, self._watch = point, Watch(_limit(self._learnt[point]))
        if released[point] or point == len(self._learnt) - 1 or not self._counts(board, near=released[-1]):
            return False
        self._watch = self._watch.after(hit=released[-1])
        return self._watch.level >= _TURNED

    def _counts(self, board: str, *, near: bool) -> bool:
        if not near or not board:
            return True
        self._of_board[board] += 1
        return self._of_board[board] <= _OF_ONE_BOARD


def _limit(learnt: Count) -> float:
    """Somewhat above the share that was learnt (by Laplace's estimate, as few may have been near)."""
    share = (learnt.hits + 1) / (learnt.total + 2)
    return min(_HIGHEST, share + _ERRORS * math.sqrt(share * (1 - share) / (learnt.total + 3)))
