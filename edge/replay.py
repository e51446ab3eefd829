"""Golden replay: a bundle is used only on a device that reproduces what was measured."""

from __future__ import annotations

import numpy as np

from edge.bundle import Bundle
from edge.core.decide import Output
from edge.core.errors import BundleRefused
from edge.core.preprocess import prepare
from edge.ports import Scorer

FLOAT_TOLERANCE = 1e-4
"""Largest allowed difference of a float32 output between processors; integer outputs must be identical."""


def replay(bundle: Bundle, scorer: Scorer) -> int:
    """Send every golden joint through preprocessing and model; returns how many.

    Raises BundleRefused when a patch differs in a single grey level, or an output beyond what its type allows.
    """
    for i, joint in enumerate(bundle.golden):
        patch = prepare(bundle.card.preprocess, joint.slices, joint.roi)
        if not np.array_equal(patch, joint.patch):
            differing = int(np.count_nonzero(patch != joint.patch)) if patch.shape == joint.patch.shape else patch.size
            raise BundleRefused(
                f"{bundle.path}: golden joint {i}: preprocessing differs in {differing} of {patch.size} values; "
                "install the axi-edge version this bundle was built with, or rebuild the bundle"
            )
        output = scorer.run(patch)
        if not _same(output, joint.output):
            raise BundleRefused(
                f"{bundle.path}: golden joint {i}: this runtime's output differs from the recorded one; "
                "install the runtime versions of constraints.txt, or rebuild the bundle"
            )
    return len(bundle.golden)


def _same(output: Output, recorded: Output) -> bool:
    if output.shape != recorded.shape or output.dtype != recorded.dtype:
        return False
    if output.dtype == np.float32:
        return bool(np.allclose(output, recorded, rtol=0, atol=FLOAT_TOLERANCE))
    return bool(np.array_equal(output, recorded))
