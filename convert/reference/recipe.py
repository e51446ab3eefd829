"""All that decides what ships, as one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from convert.networks.factorise import Ranks
from convert.reference.plans import CURVE, FINE_TUNING, LOTS, OPTICAL_LOTS, OWN_TRAINING, TRAINING, WIDE_LOTS
from convert.simulator.plan import LotPlan
from convert.training.plan import Network, TrainingPlan


@dataclass(frozen=True)
class Recipe:
    """All that decides what ships. Lots: training, validation and test, in this order. ``curve``: by board types."""

    lots: Mapping[str, LotPlan]
    wide_lots: Mapping[str, LotPlan]
    optical_lots: Mapping[str, LotPlan]
    training: Mapping[Network, TrainingPlan]
    fine_tuning: Mapping[Network, TrainingPlan]
    own_training: TrainingPlan
    curve: Mapping[int, TrainingPlan]
    ranks: Ranks


REFERENCE = Recipe(LOTS, WIDE_LOTS, OPTICAL_LOTS, TRAINING, FINE_TUNING, OWN_TRAINING, CURVE, Ranks())
