"""From a view's slices to what a network takes: the ONLY way there, whichever network it is.

A card's ``preprocess`` says which of the two: the channel-wise patch of an X-ray joint (``edge.core.preprocess``), or
the features of an optical one (``edge.core.features``).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.core.features import FEATURES, FeatureSpec, cut_out, encode, measure
from edge.core.job import Polarity, Roi
from edge.core.preprocess import Patch, PreprocessSpec, Slices, prepare

Spec = PreprocessSpec | FeatureSpec


class Prepared(NamedTuple):
    """One joint. ``patch``: what the network takes; ``contrast``: grey levels that the dullest slice's crop spans."""

    patch: Patch
    contrast: int


def prepared(spec: Spec, slices: Slices, roi: Roi) -> Prepared:
    """Cut one joint out of its view. ``slices``: of one shape, in the spec's polarity, none past ``most_slices``.

    Raises ValueError for slices that do not fit, and for a spec whose feature ranges were not fitted.
    """
    if isinstance(spec, FeatureSpec):
        if set(slices) != {0}:
            raise ValueError(f"slices {sorted(slices)}: an optical joint has one picture, number 0")
        image = cut_out(spec, slices[0], roi)
        return Prepared(encode(spec, measure(spec, image)), int(np.ptp(image)))
    patch = prepare(spec, slices, roi)
    return Prepared(patch, int(contrasts(patch)[list(slices)].min(initial=255)))


def contrasts(patch: Patch) -> NDArray[np.uint8]:
    """Grey levels that each channel spans, shape (channels,)."""
    size, _, channels = patch.shape
    rows = patch.reshape(size, -1)  # whole rows first: neighbours in memory are compared many at once
    high, low = rows.max(axis=0).reshape(-1, channels), rows.min(axis=0).reshape(-1, channels)
    spanned: NDArray[np.uint8] = high.max(axis=0) - low.min(axis=0)
    return spanned


def input_shape(spec: Spec) -> tuple[int, int, int]:
    """Shape of a patch: (size, size, channels), or (1, 1, features)."""
    if isinstance(spec, FeatureSpec):
        return 1, 1, len(FEATURES)
    return spec.size, spec.size, spec.channels


def most_slices(spec: Spec) -> int:
    """Slices a view may have: one more would be left out of the judgement."""
    return 1 if isinstance(spec, FeatureSpec) else spec.channels


def takes_colour(spec: Spec) -> bool:
    """Does a picture in colours make sense? An X-ray image has none, so one that does is something else."""
    return isinstance(spec, FeatureSpec)


def polarity_of(spec: Spec, stored: Polarity) -> Polarity:
    """The polarity that slices are wanted in; an optical picture has none and stays as it is stored."""
    return stored if isinstance(spec, FeatureSpec) else spec.polarity
