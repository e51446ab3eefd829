"""How sure reviews make us that a share lies below a limit, or no longer does, however often one looks.

A wager against the claim "the share is at least ``limit``" grows by q / limit with each hit and by
(1 - q) / (1 - limit) with each miss, for some q below the limit. Where the claim is true its expectation never rises,
so it ever reaches 1 / alpha with a probability of alpha at most (Ville, 1939), and any mean of such wagers does no
better. So one may look after every review and stop when one likes, which no bound for a sample of fixed size allows.
(Robbins, 1970; Howard, Ramdas, McAuliffe and Sekhon, 2021; Waudby-Smith and Ramdas, 2024.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple


class Count(NamedTuple):
    """``hits`` among ``total`` trials, each a hit with a probability that the claim is about."""

    hits: int
    total: int

    def after(self, *, hit: bool) -> Count:
        return Count(self.hits + hit, self.total + 1)

    @property
    def misses(self) -> int:
        return self.total - self.hits


_STEPS = 24
_SHARES = tuple((step / _STEPS) ** 2 for step in range(_STEPS))
"""The q of the wagers, as shares of the limit: dense near 0, where a good network's escapes lie."""
_WEIGHTS = (0.25, *([0.75 / (_STEPS - 1)] * (_STEPS - 1)))
"""How much is staked on each. A quarter on no hit at all: some 15 clean trials fewer until 5 % are excluded, while one
hit loses only that quarter."""
_PRECISION = 1e-6


def log_wager_below(count: Count, limit: float) -> float:
    """The logarithm of the wager against "the share is at least ``limit``" (0 < limit < 1); it grows with ``limit``."""
    hits, misses = count.hits, count.misses
    terms = [weight + (hits * hit if hits else 0.0) + misses * miss for weight, hit, miss in _slopes(limit)]
    most = max(terms)
    return most + math.log(sum(math.exp(term - most) for term in terms))


def shown_below(count: Count, limit: float, alpha: float) -> bool:
    """Do the trials exclude a share of ``limit`` or more? Wrong, ever, with a probability of ``alpha`` at most."""
    return 0.0 < limit < 1.0 and log_wager_below(count, limit) >= -math.log(alpha)


def upper_bound(count: Count, alpha: float) -> float:
    """What the share lies below: the least limit that is excluded; 1 where none is.

    Right at all times together with a probability of 1 - ``alpha``.
    """
    low, high = 0.0, 1.0
    while high - low > _PRECISION:
        middle = (low + high) / 2
        low, high = (low, middle) if shown_below(count, middle, alpha) else (middle, high)
    return high


@lru_cache(256)
def _slopes(limit: float) -> tuple[tuple[float, float, float], ...]:
    """Of each wager the logarithms of what is staked on it, and of what a hit and a miss make of that."""
    return tuple(
        (
            math.log(weight),
            math.log(share) if share else -math.inf,
            math.log1p(-share * limit) - math.log1p(-limit),
        )
        for share, weight in zip(_SHARES, _WEIGHTS, strict=True)
    )


class Watch(NamedTuple):
    """Watches a share that was found to be below ``limit``, and is to stay there.

    Wagers on shares above the limit, each begun anew whenever it has lost (Page's CUSUM, 1954, of such wagers: Shin,
    Ramdas and Rinaldo, 2024): a share that rises after thousands of good trials is noticed as if it had been so from
    the start. While the share stays below the limit, ``level`` reaches A after A trials at the earliest, on average.
    """

    limit: float
    stakes: Sequence[float] = (1.0, 1.0, 1.0)

    @property
    def level(self) -> float:
        return sum(self.stakes) / len(self.stakes)

    def after(self, *, hit: bool) -> Watch:
        return self._replace(
            stakes=tuple(
                max(1.0, stake) * (q / self.limit if hit else (1 - q) / (1 - self.limit))
                for stake, q in zip(self.stakes, _raised(self.limit), strict=True)
            )
        )


def _raised(limit: float) -> tuple[float, float, float]:
    """Shares above the limit that are watched for: a quarter, half and most of the way to 1, in odds."""
    odds = limit / (1 - limit)
    return tuple(factor * odds / (1 + factor * odds) for factor in (2.0, 6.0, 20.0))  # type: ignore[return-value]
