"""Five simulated experts who grade the amount of solder.

Our reconstruction: on the scale of the solder amount s in [0, 1] the five classes are equally wide, and each expert
sees s with a small error of his own. The joint's class is what the majority, that is the median, of the five says.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median_low

import numpy as np

from edge.core.grades import GRADES

BOUNDARIES = (0.2, 0.4, 0.6, 0.8)
"""Solder amounts at which one class ends and the next begins."""
EXPERTS = 5
ERROR_SD = 0.0175
"""Standard deviation of an expert's error, in solder amount."""
DISAGREEMENT_BAND = 0.03
"""Nearer than this to a boundary the experts are not of one mind, and no system can be right about them all."""


def grade_at(solder: float) -> str:
    """The class of a solder amount."""
    return GRADES[sum(solder >= boundary for boundary in BOUNDARIES)]


def votes_on(solder: float, rng: np.random.Generator) -> tuple[str, ...]:
    """What each expert says of a joint."""
    return tuple(grade_at(solder + error) for error in rng.normal(0, ERROR_SD, EXPERTS))


def majority(votes: Sequence[str]) -> str:
    """The median of an odd number of votes."""
    return GRADES[median_low(GRADES.index(vote) for vote in votes)]


def disputed(solder: float) -> bool:
    """Whether the amount lies in the band where experts disagree."""
    return any(math.fabs(solder - boundary) < DISAGREEMENT_BAND for boundary in BOUNDARIES)
