"""Is the quality index of a board type on the move? An exponentially weighted moving average chart (Roberts, 1959).

The paste printer, the oven and the stencil drift slowly; each joint is still good while their mean already moves. A
sample is the mean index of a view. The first ``FIRST`` samples of a board type say what is usual for it and how far
samples scatter; after that the trend is z = WEIGHT * sample + (1 - WEIGHT) * z, and it is out of control further than
LIMIT * scatter * sqrt(WEIGHT / (2 - WEIGHT)) from the usual. The limit is wider than the textbook's 3, since usual and
scatter are themselves only estimated.
"""

from __future__ import annotations

import math
from typing import NamedTuple

FIRST = 25
WEIGHT = 0.2
LIMIT = 5.0
_LEAST_SCATTER = 0.002
"""Of views that are all alike, as no real ones are: else the limits would lie on the usual."""


class Trend(NamedTuple):
    """What was seen of one board type. ``squares``: sum of squared differences from the mean, while it is learnt."""

    samples: int = 0
    usual: float = 0.0
    squares: float = 0.0
    value: float = 0.0

    def after(self, sample: float) -> Trend:
        """The trend once another view's mean quality index is known."""
        samples = self.samples + 1
        if samples <= FIRST:
            usual = self.usual + (sample - self.usual) / samples  # Welford's running mean and squares
            return Trend(samples, usual, self.squares + (sample - self.usual) * (sample - usual), usual)
        return self._replace(samples=samples, value=self.value + WEIGHT * (sample - self.value))

    @property
    def limits(self) -> tuple[float, float] | None:
        """Low and high; None until the usual is known."""
        if self.samples < FIRST:
            return None
        scatter = max(math.sqrt(self.squares / (FIRST - 1)), _LEAST_SCATTER)
        reach = LIMIT * scatter * math.sqrt(WEIGHT / (2 - WEIGHT))
        return self.usual - reach, self.usual + reach

    @property
    def drifting(self) -> bool:
        limits = self.limits
        return limits is not None and not limits[0] <= self.value <= limits[1]
