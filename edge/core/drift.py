"""Is what X-rays show of a board type on the move? Control charts that know nothing beforehand but the order of boards.

The tube ages, the detector loses lines, somebody changes the exposure: joints look different, and nothing says so but
what the network makes of them. Three figures of each board are charted: the share of its joints that the network calls
normal, the share it can say nothing of, and the middle p_defect of those it scored.

Such figures are neither normal nor binomial, and no two board types have the same. So a board counts by its rank among
all of its type before it, ties by their middle: z = inverse normal ((rank - 1/2) / boards). As long as nothing changes,
such ranks are independent of each other and spread alike for every board type, whatever its figures (Barndorff-Nielsen,
1963), so what a cumulative sum of them does (Page, 1954; of sequential ranks: McDonald, 1990) is known beforehand.
``high = max(0, high + z - SLACK)``, ``low`` the other way round, and the figure drifts once either is above ``LIMIT``,
until both are below half of it. With these two a chart that has nothing to say says something once in some 150,000
boards, and so the three of a board type less than once in ``BOARDS_A_FALSE_ALARM``; a shift by the figure's usual
scatter is seen after 26 boards in the median, one by twice that after 14, with 300 boards before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log
from statistics import NormalDist, median
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from edge.core.verdict import Call, Decision, Reason

SLACK, LIMIT = 0.25, 20.0
BOARDS_A_FALSE_ALARM = 40_000
_MOST = 1.25 * LIMIT
"""Beyond this it is no more news, and only takes longer to be over."""
_LATELY = 0.1
"""What one board weighs in the figure as it was lately."""
_BINS, _EDGE = 128, 0.002
"""Figures are told apart by their log odds, finer near 0 and 1, where most of them are."""
_FAR = log((1 + _EDGE) / _EDGE)
_NORMAL = NormalDist()
_NOT_THE_PICTURES = frozenset(
    {Reason.TIMEOUT, Reason.RUNTIME_CRASHED, Reason.OVERLOAD, Reason.UNSUPPORTED_JOINT_TYPE, Reason.JOB_REFUSED}
)


class Board(NamedTuple):
    """What is charted of one; each None where it has no joint to tell it by."""

    normal: float | None = None
    unjudged: float | None = None
    p_defect: float | None = None


def board_of(decisions: Sequence[Decision]) -> Board:
    """What the network alone says of a board's joints, at the configured operating point: what is earned, or drawn for
    the audit, changes no picture. Nor do those count that were not judged for reasons of time or kind.
    """
    counted = [one for one in decisions if one.reason not in _NOT_THE_PICTURES]
    if not counted:
        return Board()
    calls = [one.call for one in counted]
    scores = [one.p_defect for one in counted if one.p_defect is not None]
    return Board(
        normal=calls.count(Call.NORMAL) / len(calls),
        unjudged=calls.count(Call.UNJUDGED) / len(calls),
        p_defect=median(scores) if scores else None,
    )


class Chart(Struct, frozen=True, kw_only=True):
    """One figure of a board type. ``usual``: its mean so far; ``lately``: that of the last ten boards or so.
    ``counts``: boards by where the figure lay.
    """

    boards: int = 0
    usual: float = 0.0
    lately: float = 0.0
    high: float = 0.0
    low: float = 0.0
    drifting: bool = False
    counts: tuple[int, ...] = (0,) * _BINS

    def __post_init__(self) -> None:
        if len(self.counts) != _BINS:
            raise ValueError(f"counts: {len(self.counts)} instead of {_BINS}")

    def after(self, figure: float | None) -> Chart:
        """The chart once another board's figure, 0 to 1, is known; as it is where that has none."""
        if figure is None:
            return self
        place, boards = _place(figure), self.boards + 1
        middle = sum(self.counts[:place]) + self.counts[place] / 2  # of its rank, less one half
        z = _NORMAL.inv_cdf((middle + 0.5) / boards)
        high, low = (min(_MOST, max(0.0, side + way - SLACK)) for side, way in ((self.high, z), (self.low, -z)))
        far = max(high, low)
        return Chart(
            boards=boards,
            usual=self.usual + (figure - self.usual) / boards,
            lately=self.lately + (figure - self.lately) * max(_LATELY, 1 / boards),
            high=high,
            low=low,
            drifting=far > LIMIT or (self.drifting and far > LIMIT / 2),
            counts=(*self.counts[:place], self.counts[place] + 1, *self.counts[place + 1 :]),
        )

    @property
    def moved(self) -> float:
        """How far it has moved, above 0 for up and below for down; it drifts beyond ``LIMIT``."""
        return self.high if self.high >= self.low else -self.low


def _place(figure: float) -> int:
    odds = log((figure + _EDGE) / (1 - figure + _EDGE))
    return min(_BINS - 1, int((odds + _FAR) / (2 * _FAR) * _BINS))


class Charts(Struct, frozen=True, kw_only=True):
    """Those of a board type. ``judged_by``: by what, since another network calls other joints normal."""

    judged_by: str = ""
    normal: Chart = Chart()
    unjudged: Chart = Chart()
    p_defect: Chart = Chart()

    def after(self, board: Board) -> Charts:
        return replace(
            self,
            normal=self.normal.after(board.normal),
            unjudged=self.unjudged.after(board.unjudged),
            p_defect=self.p_defect.after(board.p_defect),
        )

    @property
    def moving(self) -> tuple[str, ...]:
        """What drifts, in words, with its figures."""
        named = (
            ("share called normal", self.normal),
            ("share unjudged", self.unjudged),
            ("middle p_defect", self.p_defect),
        )
        return tuple(
            f"{name} is {_shown(one.lately)}, usually {_shown(one.usual)}" for name, one in named if one.drifting
        )


def _shown(figure: float) -> str:
    return f"{figure:.2g}" if 0 < figure < exp(-2) else f"{figure:.2f}"
