"""Which rank is taken, and when none is."""

from __future__ import annotations

import numpy as np
import pytest

from convert.conversion.ranks import RankTried, chosen_rank
from convert.lots.lot import LabelledLot
from convert.lots.reading import load_lot
from convert.simulator.plan import LotPlan
from convert.simulator.xray.lot import simulate_lot
from edge.core.errors import GateRefused
from edge.core.preprocess import PreprocessSpec

TRIED = tuple(RankTried(rank, 10, 10, 1.0, area) for rank, area in ((4, 0.90), (8, 0.97), (16, 0.99), (None, 1.0)))


@pytest.fixture(scope="module")
def lot(tmp_path_factory: pytest.TempPathFactory) -> LabelledLot:
    folder = tmp_path_factory.mktemp("lot") / "lot"
    list(simulate_lot(folder, LotPlan(boards=1, joints=8, seed=1, types=1, defect_share=0.5, form="patches")))
    return load_lot(folder, PreprocessSpec())


@pytest.mark.parametrize(("budget", "rank"), [(0.2, 4), (0.05, 8), (0.03, 8), (0.01, 16)])
def test_the_smallest_within_budget_is_taken(lot: LabelledLot, budget: float, rank: int) -> None:
    perfect = lot.labels.astype(np.float64)
    chosen = [tried.rank for tried in chosen_rank(TRIED, perfect, lot, budget + 1e-9) if tried.chosen]
    assert chosen == [rank]


def test_none_within_budget_is_refused_with_the_nearest(lot: LabelledLot) -> None:
    with pytest.raises(GateRefused, match=r"rank 16 comes nearest with 0\.9900"):
        chosen_rank(TRIED, lot.labels.astype(np.float64), lot, 0.005)
