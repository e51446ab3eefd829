"""Calibration joints: drawn evenly over classes, slice counts and board types."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from convert.dataset import LabelledLot


def draw_stratified(lot: LabelledLot, count: int, seed: int) -> NDArray[np.int64]:
    """Positions of at most ``count`` joints, taken in turn from every (truth, slices, board type) stratum."""
    rng = np.random.default_rng(seed)
    strata: dict[tuple[str, int, str], list[int]] = {}
    for i in rng.permutation(len(lot.rows)):
        row = lot.rows[i]
        strata.setdefault((row.truth, row.slices, row.board_type), []).append(int(i))
    queues = [strata[key] for key in sorted(strata)]
    chosen: list[int] = []
    while len(chosen) < count and any(queues):
        for queue in queues:
            if queue and len(chosen) < count:
                chosen.append(queue.pop())
    return np.array(sorted(chosen), np.int64)
