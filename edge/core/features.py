"""An optical joint as a network takes it: its features as 8-bit levels of the ranges that training joints showed.

Rounded to 8 bits, processors agree but for values on the edge between two levels.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, ClassVar, Literal

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from edge.core.fillet import FEATURES, Floats, Image, contrast, measured
from edge.core.job import Polarity, Roi
from edge.core.preprocess import Grey, Prepared, PreprocessSpec, Slices, crop_of, prepare
from edge.core.verdict import Reason

Levels = NDArray[np.uint8]

MOST_OUTSIDE = 2
"""Features that may lie beyond what training joints showed. Of 8,000 simulated joints of unseen types 114 have more, 84
of them poor or excessive; of 800 frames of noise the least had 19, of 480 X-ray slices 12.
"""
LEAST_OPTICAL_CONTRAST = 24
"""Grey levels between dark and bright parts of an optical joint: at least 93 on those 8,000, a few in noise. What is
duller would be stretched until noise looks like a joint.
"""


class FeatureSpec(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="algorithm",
    tag="fillet-features/1",
):
    """Everything the features depend on besides the image and the ROI."""

    size: Annotated[int, Meta(ge=32, le=256, multiple_of=32)] = 64
    margin: Annotated[float, Meta(gt=0, le=8)] = 1.0
    wavelet: Literal["haar", "db2"] = "haar"
    levels: Annotated[int, Meta(ge=3, le=3)] = 3
    ranges: tuple[tuple[float, float], ...] = ()
    """Low and high of every feature, which become levels 0 and 255; none before training."""

    input_shape: ClassVar[tuple[int, int, int]] = (1, 1, len(FEATURES))
    """Shape of a patch."""
    most_slices: ClassVar[int] = 1
    takes_colour: ClassVar[bool] = True
    knows_joints: ClassVar[bool] = True

    def polarity_of(self, stored: Polarity) -> Polarity:
        """An optical picture has none and stays as it is stored."""
        return stored

    def shows(self, roi: Roi, frame: Grey) -> bool:
        """Does the frame (height, width) show the joint that the box is about? Nothing of it may be missing."""
        height, width = frame.shape
        return 0 <= roi.xmin < roi.xmax <= width and 0 <= roi.ymin < roi.ymax <= height

    def prepared(self, slices: Slices, roi: Roi) -> Prepared:
        """Measure one joint. A network of features has an answer to anything; so what is no joint is doubted.

        Contrast is asked of the box alone: where the crop leaves the frame there is black. Raises ValueError for other
        slices than number 0, and where ranges were not fitted.
        """
        if set(slices) != {0}:
            raise ValueError(f"slices {sorted(slices)}: an optical joint has one picture, number 0")
        grey = slices[0]
        values = measure(self, cut_out(self, grey, roi))
        doubt = None
        if contrast(grey[max(0, roi.ymin) : roi.ymax, max(0, roi.xmin) : roi.xmax]) < LEAST_OPTICAL_CONTRAST:
            doubt = Reason.SLICE_BLANK
        elif crop_of(roi, self.margin).side < self.size // 2 or outside(self, values) > MOST_OUTSIDE:
            doubt = Reason.UNFAMILIAR
        return Prepared(encode(self, values), doubt)


def measure(spec: FeatureSpec, image: Image) -> Floats:
    """The features of one joint: uint8 (size, size) to float64 (features,), unscaled.

    Raises ValueError for another shape or type.
    """
    if image.shape != (spec.size, spec.size) or image.dtype != np.uint8:
        raise ValueError(f"{image.dtype} {image.shape}: measure() takes uint8 {(spec.size, spec.size)}")
    return measured(image, spec.wavelet, spec.levels)


def cut_out(spec: FeatureSpec, grey: Grey, roi: Roi) -> Image:
    """One joint out of its view (height, width), area-resampled: uint8 (size, size)."""
    cut = PreprocessSpec(size=spec.size, channels=1, margin=spec.margin)
    return prepare(cut, {0: grey}, roi)[..., 0]


def fitted(spec: FeatureSpec, values: Floats) -> FeatureSpec:
    """The spec with ranges for these training values (n, features): 0.5 to 99.5 % of them, a tenth wider."""
    low, high = np.quantile(values, [0.005, 0.995], axis=0)
    spare = np.maximum(0.05 * (high - low), 1e-6)
    pairs = zip((low - spare).tolist(), (high + spare).tolist(), strict=True)
    return msgspec.structs.replace(spec, ranges=tuple(pairs))


def levels_of(spec: FeatureSpec, values: Floats) -> Levels:
    """Features as levels 0 to 255 of their ranges, rounded half up and clipped: (..., features) to uint8 alike.

    Raises ValueError when the spec has no range for each of them.
    """
    if len(spec.ranges) != values.shape[-1]:
        raise ValueError(f"{len(spec.ranges)} ranges for {values.shape[-1]} features; fit the spec to training data")
    low, high = _bounds(spec)
    levels: Levels = np.clip(np.floor((values - low) / (high - low) * 255 + 0.5), 0, 255).astype(np.uint8)
    return levels


@lru_cache(maxsize=8)
def _bounds(spec: FeatureSpec) -> Floats:
    """Low and high of every feature: (2, features). Asked for at every joint."""
    return np.array(spec.ranges, np.float64).T


def outside(spec: FeatureSpec, values: Floats) -> int:
    """How many of one joint's features (features,) lie beyond what training joints showed."""
    low, high = _bounds(spec)
    return int(np.count_nonzero((values < low) | (values > high)))


def encode(spec: FeatureSpec, values: Floats) -> Levels:
    """One joint's features (features,) as a patch that a network takes: uint8 (1, 1, features)."""
    return levels_of(spec, values)[None, None, :]
