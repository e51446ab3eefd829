"""Calibration joints: from a lot kept apart from all others, drawn evenly, and enough of them to agree."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from convert.lots.lot import LabelledLot
from convert.lots.patches import scaled_batches
from convert.lowering.program import MOVES, Program
from convert.lowering.running import trace
from edge.core.errors import ConfigError, GateRefused

Positions = NDArray[np.int64]
Patches = NDArray[np.uint8]

_NEIGHBOURS = 0.5
"""Least correlation of neighbouring pixels: measured at least 0.9 on simulated and real joints, 0 on noise."""


def draw_stratified(lot: LabelledLot, count: int, seed: int) -> Positions:
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


def require_images(patches: Patches, lot: str) -> None:
    """Raises GateRefused for joints that are empty or noise: ranges learnt on them would fit no X-ray image.

    ``patches``: uint8 (n, size, size, slices). Blank slices of shorter joints are left out.
    """
    kept = [
        patch[..., i].astype(np.float64) for patch in patches for i in range(patch.shape[-1]) if patch[..., i].any()
    ]
    alive = [image for image in kept if image.std() > 0]
    if len(alive) < len(patches):
        raise GateRefused(
            f"no bundle written: calibration lot {lot}: {len(patches)} joints have only {len(alive)} slices that are "
            "not blank; name a lot of real joints"
        )
    likeness = float(np.median([np.corrcoef(image[:, 1:].ravel(), image[:, :-1].ravel())[0, 1] for image in alive]))
    if likeness < _NEIGHBOURS:
        raise GateRefused(
            f"no bundle written: calibration lot {lot}: neighbouring pixels correlate by {likeness:.2f} only, as in "
            "noise; name a lot of real joints"
        )


def require_apart(lots: Mapping[str, LabelledLot]) -> None:
    """Raises ConfigError where two of these lots, by the recipe's name for them, share a single joint's patch."""
    seen: dict[bytes, str] = {}
    for field, lot in lots.items():
        here = {hashlib.sha256(patch.tobytes()).digest() for batch in lot.batches(256) for patch in batch}
        common = next((digest for digest in here if digest in seen), None)
        if common is not None:
            raise ConfigError(
                f"[{field}] lot: {lot.name} shares a joint with [{seen[common]}] lot; figures on joints that were seen "
                "before prove nothing: name a lot of other joints"
            )
        seen |= dict.fromkeys(here, field)


def ranges(program: Program, patches: Patches, batch: int = 16) -> dict[str, tuple[float, float]]:
    """Least and greatest value that every operation gives, by its name; those that only move values are left out."""
    found: dict[str, tuple[float, float]] = {}
    for inputs in scaled_batches(patches, batch):
        for op, result in zip(program.ops, trace(program, inputs), strict=True):
            if not isinstance(op, MOVES):
                values = np.asarray(result)
                low, high = found.get(op.name, (np.inf, -np.inf))
                found[op.name] = min(low, float(values.min())), max(high, float(values.max()))
    return found


def disagreement(program: Program, patches: Patches) -> dict[str, float]:
    """How far the ranges from two halves of the calibration joints lie apart, by operation.

    As a share of the range that both give together: 0 when either half alone would have done.
    """
    first, second = ranges(program, patches[0::2]), ranges(program, patches[1::2])
    apart = {}
    for name, (low, high) in first.items():
        other_low, other_high = second[name]
        whole = max(high, other_high) - min(low, other_low)
        apart[name] = (abs(low - other_low) + abs(high - other_high)) / whole if whole > 0 else 0.0
    return apart
