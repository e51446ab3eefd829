"""Golden replay: a bundle is used only on a device that reproduces what was measured."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle.format import Bundle
from edge.core.card import Quantisation
from edge.core.decide import Answer, reading_of
from edge.core.errors import BundleRefused
from edge.judging.ports import Scorer

Raw = NDArray[Any]


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
        if not _same(scorer.run(patch), joint.answer, bundle.card.quantisation, exact=scorer.exact):
            raise BundleRefused(
                f"{bundle.path}: golden joint {i}: this runtime's output differs from the recorded one; "
                "install the runtime versions of constraints.txt, or rebuild the bundle"
            )
    return len(bundle.golden)


def _same(answer: Answer, recorded: Answer, quantisation: Quantisation, *, exact: bool) -> bool:
    alike = _alike(answer.output, recorded.output) and _alike(answer.features, recorded.features)
    # False for NaN
    if not alike or not _apart(answer, recorded) <= quantisation.features_tolerance:
        return False
    if exact and quantisation.bit_identical and answer.output.dtype != np.float32:
        return np.array_equal(answer.output, recorded.output)
    return abs(reading_of(answer.output, quantisation) - reading_of(recorded.output, quantisation)) <= (
        quantisation.replay_tolerance
    )


def _alike(found: Raw | None, recorded: Raw | None) -> bool:
    if found is None or recorded is None:
        return found is recorded
    return found.shape == recorded.shape and found.dtype == recorded.dtype


def _apart(answer: Answer, recorded: Answer) -> float:
    """How far features are from those on record, as they are stored."""
    if answer.features is None or recorded.features is None:
        return 0.0
    return float(np.abs(answer.features.astype(np.float64) - recorded.features).max())
