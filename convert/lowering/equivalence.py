"""Does the lowered program compute what Keras computes?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.lowering.lower import HEAD
from convert.lowering.program import Program, run
from edge.core.errors import GateRefused

TOLERANCE = 1e-5
"""Largest allowed difference in p_defect between Keras and the lowered program, both in float32."""


def lowered_scores(program: Program, patches: NDArray[np.uint8], batch: int = 32) -> NDArray[np.float64]:
    """p_defect under the lowered program in float32, float64 (n,)."""
    logits = []
    for start in range(0, len(patches), batch):
        inputs = patches[start : start + batch].astype(np.float32) / np.float32(255)
        bands = np.asarray(run(program, inputs), np.float64)
        logits.append(HEAD.low + (HEAD.high - HEAD.low) * bands.sum(axis=1) / (bands.shape[1] * HEAD.full))
    scores: NDArray[np.float64] = 1 / (1 + np.exp(-np.concatenate(logits)))
    return scores


def require_equivalence(keras_scores: NDArray[np.float64], program_scores: NDArray[np.float64]) -> float:
    """The largest difference; raises GateRefused when it exceeds the tolerance or is not a number."""
    difference: Any = np.abs(keras_scores - program_scores).max()
    if not difference <= TOLERANCE:
        raise GateRefused(
            f"lowering: p_defect differs from Keras by {difference:.2e}, more than {TOLERANCE:.0e}; "
            "a layer is not lowered exactly: report it with the model"
        )
    return float(difference)
