"""Board types as a network sees them, and reviewers who err: drawn at random, their truth known."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from edge.core.rules import OperatingPoint, Rate

NORMAL = Rate(value=0.5, low=0.4, high=0.6, hits=5, total=10)
NAMES = ("recall-0.99", "recall-0.98", "recall-0.95", "recall-0.90")


class Network(NamedTuple):
    """Logits: of good joints normal about ``good``; of clear defects about ``clear``; of subtle ones about ``subtle``.

    ``subtle_share``: of a board type's defects, a Beta distribution's two parameters.
    """

    name: str
    good: tuple[float, float]
    clear: tuple[float, float]
    subtle: tuple[float, float]
    subtle_share: tuple[float, float]
    shift: float
    """How far board types differ in logits, one standard deviation."""


STRONG = Network("like SliceNet", (-6.0, 1.7), (5.0, 2.0), (-1.5, 2.2), (1.6, 12.0), 0.4)
WEAK = Network("like the paper's 3D CNN", (-2.2, 1.5), (2.6, 1.6), (-1.0, 1.5), (3.0, 9.0), 0.4)


class BoardType(NamedTuple):
    """``defects``: their share of the flagged joints. ``drifts``: from this board on, over a hundred boards, its
    subtle defects become a share of ``drifts_to``. ``blind``: of its defects so many look to the network like good
    joints.
    """

    network: Network
    subtle: float
    shift: float
    defects: float
    blind: float = 0.0
    drifts: int = 1_000_000
    drifts_to: float = 0.0

    def subtle_at(self, board: int) -> float:
        way = min(1.0, max(0.0, (board - self.drifts) / 100))
        return self.subtle + way * max(0.0, self.drifts_to - self.subtle)

    def joints(self, rng: np.random.Generator, count: int, board: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Which are defects, and p_defect of each."""
        defect = rng.random(count) < self.defects
        kind = rng.random(count)
        middle, spread = (np.empty(count), np.empty(count))
        middle[:], spread[:] = self.network.good
        seen = defect & (kind >= self.blind)
        subtle = seen & (rng.random(count) < self.subtle_at(board))
        for which, about in ((seen & ~subtle, self.network.clear), (subtle, self.network.subtle)):
            middle[which], spread[which] = about
        logits = self.shift + middle + spread * rng.standard_normal(count)
        return defect, 1 / (1 + np.exp(-logits))

    def escape_rate(self, threshold: float, board: int) -> float:
        """The true share of its defects that score below the threshold."""
        logit, subtle = math.log(threshold / (1 - threshold)) - self.shift, self.subtle_at(board)
        good, clear, hard = (
            float(norm.cdf(logit, *about)) for about in (self.network.good, self.network.clear, self.network.subtle)
        )
        return self.blind * good + (1 - self.blind) * (subtle * hard + (1 - subtle) * clear)


def a_type(network: Network, rng: np.random.Generator, **changes: float) -> BoardType:
    """One of many."""
    subtle, shift = float(rng.beta(*network.subtle_share)), float(rng.normal(0, network.shift))
    found = BoardType(network, subtle, shift, defects=float(rng.uniform(0.08, 0.2)))
    return found._replace(**changes)


def points_of(network: Network, types: int = 40, joints: int = 5_000) -> tuple[OperatingPoint, ...]:
    """Operating points for the recalls in their names, the strictest first, from defects of other types."""
    rng = np.random.default_rng(1)
    scores = []
    for _ in range(types):
        defect, p = a_type(network, rng).joints(rng, joints, 0)
        scores.append(p[defect])
    pooled = np.sort(np.concatenate(scores))
    return tuple(
        OperatingPoint(
            name=name,
            threshold=float(np.quantile(pooled, 1 - float(name.removeprefix("recall-")))),
            measured_on="other types",
            recall=NORMAL,
            false_positive_rate=NORMAL,
        )
        for name in NAMES
    )


class Reviewer(NamedTuple):
    """Misses ``subtle_misses`` of the defects that the network scores low, ``misses`` of the others, and calls
    ``alarms`` of the good joints defects.
    """

    name: str
    misses: float = 0.015
    subtle_misses: float = 0.05
    alarms: float = 0.02

    def says_defect(self, rng: np.random.Generator, *, defect: bool, p_defect: float) -> bool:
        if not defect:
            return bool(rng.random() < self.alarms)
        return bool(rng.random() >= (self.subtle_misses if p_defect < 0.5 else self.misses))
