"""From a view's slices to what a network takes: the ONLY way there, whichever network it is.

A card's ``preprocess`` says which of the two: the channel-wise patch of an X-ray joint (``edge.core.preprocess``), or
the features of an optical one (``edge.core.features``).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.core.features import FEATURES, FeatureSpec, contrast, cut_out, encode, measure, outside
from edge.core.job import Polarity, Roi
from edge.core.preprocess import Grey, Patch, PreprocessSpec, Slices, crop_of, prepare
from edge.core.verdict import Reason

Spec = PreprocessSpec | FeatureSpec


LEAST_CONTRAST = 4
"""Grey levels that even the dullest slice of an X-ray joint spans; less means that nothing was exposed there."""
MOST_OUTSIDE = 2
"""Features that may lie beyond what training joints showed. Of 8,000 simulated joints of unseen types 114 have more, 84
of them poor or excessive; of 800 frames of noise the least had 19, of 480 X-ray slices 12.
"""
LEAST_OPTICAL_CONTRAST = 24
"""Grey levels between dark and bright parts of an optical joint: at least 93 on those 8,000, a few in noise. What is
duller would be stretched until noise looks like a joint.
"""


class Prepared(NamedTuple):
    """One joint. ``patch``: what the network takes; ``doubt``: why its answer to that would be worth nothing."""

    patch: Patch
    doubt: Reason | None = None


def prepared(spec: Spec, slices: Slices, roi: Roi) -> Prepared:
    """Cut one joint out of its view. ``slices``: of one shape, in the spec's polarity, none past ``most_slices``.

    Raises ValueError for slices that do not fit, and for a spec whose feature ranges were not fitted.
    """
    if isinstance(spec, FeatureSpec):
        if set(slices) != {0}:
            raise ValueError(f"slices {sorted(slices)}: an optical joint has one picture, number 0")
        return _measured(spec, slices[0], roi)
    patch = prepare(spec, slices, roi)
    dull = contrasts(patch)[list(slices)].min(initial=255) < LEAST_CONTRAST
    return Prepared(patch, Reason.SLICE_BLANK if dull else None)


def _measured(spec: FeatureSpec, grey: Grey, roi: Roi) -> Prepared:
    """A network of features, which are levels of ranges, has an answer to anything; so what is no joint is doubted.

    Contrast is asked of the box alone: where the crop leaves the frame there is black.
    """
    values = measure(spec, cut_out(spec, grey, roi))
    doubt = None
    if contrast(grey[max(0, roi.ymin) : roi.ymax, max(0, roi.xmin) : roi.xmax]) < LEAST_OPTICAL_CONTRAST:
        doubt = Reason.SLICE_BLANK
    elif crop_of(roi, spec.margin).side < spec.size // 2 or outside(spec, values) > MOST_OUTSIDE:
        doubt = Reason.UNFAMILIAR
    return Prepared(encode(spec, values), doubt)


def shows(spec: Spec, roi: Roi, frame: Grey) -> bool:
    """Does the frame (height, width) show the joint that the box is about?

    An X-ray crop is half as large again as its box, which may leave the frame as long as its centre lies in it; of an
    optical joint nothing may be missing.
    """
    height, width = frame.shape
    if isinstance(spec, FeatureSpec):
        return 0 <= roi.xmin < roi.xmax <= width and 0 <= roi.ymin < roi.ymax <= height
    centred = 0 <= roi.xmin + roi.xmax <= 2 * width and 0 <= roi.ymin + roi.ymax <= 2 * height
    return centred and roi.xmax - roi.xmin <= width and roi.ymax - roi.ymin <= height


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
