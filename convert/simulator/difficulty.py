"""How hard a simulated lot is: one documented setting instead of a dozen loose ones.

The default is hard, so that a good score means something. What each level sets: docs/simulator.md.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Difficulty:
    """``dose``: factor on the counts a pixel. ``clutter``: factor on the number of component shadows and traces.

    ``crowding``: exponent that pulls fills (and void shares) towards the acceptance limit, 1 leaves them spread.
    ``exposure_jitter``: relative spread of the grey scale from view to view. ``wrong_roi_share``: share of the views
    whose boxes are too small or shifted. ``misreading``: standard deviation of a specialist's reading of the fill.
    """

    dose: float
    clutter: float
    crowding: float
    exposure_jitter: float
    wrong_roi_share: float
    misreading: float


DIFFICULTIES: dict[str, Difficulty] = {
    "easy": Difficulty(dose=3.0, clutter=0.3, crowding=0.6, exposure_jitter=0.02, wrong_roi_share=0.0, misreading=0.0),
    "medium": Difficulty(
        dose=1.5, clutter=0.7, crowding=0.8, exposure_jitter=0.05, wrong_roi_share=0.12, misreading=0.012
    ),
    "hard": Difficulty(
        dose=1.0, clutter=1.0, crowding=1.0, exposure_jitter=0.08, wrong_roi_share=0.24, misreading=0.025
    ),
}
"""The wrong boxes of ``hard`` are those of the paper's public predecessor set: about 24 % of the views."""
