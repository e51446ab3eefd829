"""Golden replay: a bundle is used only on a device that reproduces what was measured."""

from __future__ import annotations

import numpy as np

from edge.bundle.format import Bundle
from edge.core.card import Quantisation
from edge.core.decide import Output, reading_of
from edge.core.errors import BundleRefused
from edge.judging.ports import Scorer


def replay(bundle: Bundle, scorer: Scorer) -> int:
    """Send every golden joint through preprocessing and model; returns how many.

    Raises BundleRefused when a patch differs in a single grey level; when an output differs at all on exact integer
    kernels; or when its reading is further off than the card allows for fast kernels and for floats.
    """
    for i, joint in enumerate(bundle.golden):
        try:
            patch = bundle.card.preprocess.prepared(joint.slices, joint.roi).patch
        except ValueError as error:
            raise BundleRefused(f"{bundle.path}: golden joint {i}: {error}; rebuild the bundle") from error
        if not np.array_equal(patch, joint.patch):
            differing = int(np.count_nonzero(patch != joint.patch)) if patch.shape == joint.patch.shape else patch.size
            raise BundleRefused(
                f"{bundle.path}: golden joint {i}: preprocessing differs in {differing} of {patch.size} values; "
                "install the axi-edge version this bundle was built with, or rebuild the bundle"
            )
        output = scorer.run(patch)
        if not _same(output, joint.output, bundle.card.quantisation, exact=scorer.exact):
            raise BundleRefused(
                f"{bundle.path}: golden joint {i}: this runtime's output differs from the recorded one; "
                "install the runtime versions of constraints.txt, or rebuild the bundle"
            )
    return len(bundle.golden)


def _same(output: Output, recorded: Output, quantisation: Quantisation, *, exact: bool) -> bool:
    if output.shape != recorded.shape or output.dtype != recorded.dtype:
        return False
    if exact and quantisation.bit_identical and output.dtype != np.float32:
        return bool(np.array_equal(output, recorded))
    apart = abs(reading_of(output, quantisation) - reading_of(recorded, quantisation))
    return apart <= quantisation.replay_tolerance  # False for NaN
