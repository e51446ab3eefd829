"""The lots that a network learns from, is chosen on and is measured on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from convert.lots.lot import LabelledLot
from convert.lots.reading import load_lot
from convert.lots.shards import read_lot_file
from convert.reference.provenance import Tell, simulated
from convert.simulator.plan import LotPlan
from convert.simulator.xray.lot import simulate_lot
from edge.core.errors import UsageError
from edge.core.preprocess import PreprocessSpec


@dataclass(frozen=True)
class Lots:
    """No board type in common."""

    training: LabelledLot
    validation: LabelledLot
    test: LabelledLot

    @property
    def judged(self) -> tuple[LabelledLot, LabelledLot]:
        """Those on which a network is scored."""
        return self.validation, self.test


def simulated_lots(work: Path, plans: Mapping[str, LotPlan], tell: Tell) -> Lots:
    """The lots of the three plans, in this order, each simulated in ``work`` unless it is there.

    Raises UsageError for one that another plan made.
    """
    training, validation, test = (_lot(work / name, plan, tell) for name, plan in plans.items())
    return Lots(training, validation, test)


def _lot(folder: Path, plan: LotPlan, tell: Tell) -> LabelledLot:
    simulated(folder, plan, simulate_lot, tell)
    if read_lot_file(folder).origin != asdict(plan):
        raise UsageError(f"{folder}: was simulated by another plan; remove it")
    return load_lot(folder, PreprocessSpec())
