"""The five grades of a solder joint by amount of solder, and where a quality index falls among them.

Source: Acciani et al. 2009, whose experts sort joints into these classes and whose thresholds lie midway between the
mean indices of neighbouring classes.
"""

from __future__ import annotations

from collections.abc import Sequence

GRADES = ("poor", "acceptable_poor", "good", "acceptable_excessive", "excessive")
RELEASED = frozenset(GRADES[1:4])
"""Good, and acceptable on either side of it; the two ends are defects."""


def in_words(grade: str) -> str:
    """For people."""
    return grade.replace("_", " ")


def grade_of(quality_index: float, thresholds: Sequence[float]) -> str:
    """The grade of an index in [0, 1], given the four thresholds in increasing order.

    An index on a threshold belongs to the grade above, but for the lowest: what might be poor is poor.
    """
    above = sum(
        quality_index > thresholds[0] if i == 0 else quality_index >= threshold
        for i, threshold in enumerate(thresholds)
    )
    return GRADES[above]
