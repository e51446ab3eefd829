"""Channel-wise preprocessing: from a view's slices to one joint's patch.

Source: Zhang et al., Algorithm 1. The paper leaves rounding, resampling and box convention open; our reading is
half-open boxes, the crop side rounded to the nearest integer (ties up), the frame size taken from the image, and
area resampling. Resampling is done in exact integer arithmetic (every sum stays below 2**53, or 2**24 in the
float32 path), so the patch is bit-identical on every processor and library version. A cell of the patch overlaps few
source pixels, so the weights lie in a band, which is multiplied a block at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from edge.core.job import Polarity, Roi
from edge.core.verdict import Reason

Grey = NDArray[np.uint8]
"""One slice: uint8, shape (height, width)."""
Slices = Mapping[int, Grey]
"""The slices of a view by index, all of one shape."""
Patch = NDArray[np.uint8]
"""One joint: uint8, shape (size, size, channels), slice k in channel k."""
_BLOCK = 16
"""Cells that are resampled at once: fewer would be many small products, more have weights that are mostly zero."""
LEAST_CONTRAST = 4
"""Grey levels that even the dullest slice of an X-ray joint spans; less means that nothing was exposed there."""


class Picture(NamedTuple):
    """A slice file as 8-bit grey, in its stored polarity. ``colour``: it is the luminance of a picture in colours."""

    grey: Grey
    colour: bool = False


class Prepared(NamedTuple):
    """One joint. ``patch``: what the network takes; ``doubt``: why its answer to that would be worth nothing."""

    patch: Patch
    doubt: Reason | None = None


class PreprocessSpec(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="algorithm", tag="channel-wise/1"
):
    """Everything the patch depends on besides the image and the ROI. ``colours``: of pictures that have some the
    luminance is taken.
    """

    size: Annotated[int, Meta(ge=1, le=1024)] = 128
    channels: Annotated[int, Meta(ge=1, le=6)] = 6
    margin: Annotated[float, Meta(gt=0, le=8)] = 1.5
    polarity: Polarity = "solder_dark"
    colours: bool = False

    knows_joints: ClassVar[bool] = False
    """Whether preparing a joint tells by itself what is none."""

    @property
    def takes_colour(self) -> bool:
        """An X-ray image has no colours, so one that does is something else: unless it was said to be optical."""
        return self.colours

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Shape of a patch."""
        return self.size, self.size, self.channels

    @property
    def most_slices(self) -> int:
        """Slices a view may have: one more would be left out of the judgement."""
        return self.channels

    def polarity_of(self, stored: Polarity) -> Polarity:  # noqa: ARG002 - of other specs it decides
        """The polarity that slices are wanted in."""
        return self.polarity

    def shows(self, roi: Roi, frame: Grey) -> bool:
        """Does the frame (height, width) show the joint that the box is about?

        The crop is larger than its box, which may leave the frame as long as its centre lies in it.
        """
        height, width = frame.shape
        centred = 0 <= roi.xmin + roi.xmax <= 2 * width and 0 <= roi.ymin + roi.ymax <= 2 * height
        return centred and roi.xmax - roi.xmin <= width and roi.ymax - roi.ymin <= height

    def prepared(self, slices: Slices, roi: Roi) -> Prepared:
        """Cut one joint out of its view. Raises ValueError for slices that do not fit."""
        patch = prepare(self, slices, roi)
        dull = contrasts(patch)[list(slices)].min(initial=255) < LEAST_CONTRAST
        return Prepared(patch, Reason.SLICE_BLANK if dull else None)


class Crop(NamedTuple):
    """The square that is cut out: top-left corner (may be negative) and side, in pixels."""

    x: int
    y: int
    side: int

    def inside(self, width: int, height: int) -> Roi | None:
        """The part of the crop that lies inside a frame of this size; None when there is none."""
        x0, x1 = max(0, self.x), min(width, self.x + self.side)
        y0, y1 = max(0, self.y), min(height, self.y + self.side)
        return Roi(x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def crop_of(roi: Roi, margin: float = 1.5) -> Crop:
    """Algorithm 1, lines 6 to 9: the square around the ROI's centre, ``margin`` times its longer side.

    The centre of the box and of the crop differ by at most half a pixel (towards the origin).
    """
    longer = max(roi.xmax - roi.xmin, roi.ymax - roi.ymin)
    side = max(1, int(margin * longer + 0.5))
    return Crop((roi.xmin + roi.xmax - side) // 2, (roi.ymin + roi.ymax - side) // 2, side)


def prepare(spec: PreprocessSpec, slices: Slices, roi: Roi) -> Patch:
    """Cut one joint out of its view's slices.

    ``slices`` maps the slice index (= channel) to a uint8 image (height, width) in the spec's polarity, all of one
    shape. What lies outside the frame and every channel without a slice is zero. Returns uint8
    (size, size, channels). Raises ValueError for an index outside the channels or differing shapes.
    """
    patch = np.zeros((spec.size, spec.size, spec.channels), np.uint8)
    if not slices:
        return patch
    shapes = {image.shape for image in slices.values()}
    if len(shapes) != 1 or any(not 0 <= index < spec.channels for index in slices):
        raise ValueError(f"slices {sorted(slices)} with shapes {sorted(shapes)} do not fit {spec.channels} channels")
    height, width = shapes.pop()
    crop = crop_of(roi, spec.margin)
    seen = crop.inside(width, height)
    if seen is None:
        return patch
    x0, y0, x1, y1 = seen
    cuts = [image[y0:y1, x0:x1] for image in slices.values()]
    down = _bands(crop.side, spec.size, y0 - crop.y, y1 - crop.y)
    across = _bands(crop.side, spec.size, x0 - crop.x, x1 - crop.x)
    resampled = _resampled(cuts, spec.size, crop.side, down, across)
    for number, index in enumerate(slices):
        patch[..., index] = resampled[:, number]
    return patch


def _resampled(cuts: Sequence[Grey], size: int, side: int, down: Bands, across: Bands) -> NDArray[np.uint8]:
    """Area means of what lies inside the frame, uint8 (size, cuts, size), rounded half up."""
    (height, width), count = cuts[0].shape, len(cuts)
    # One piece of memory for all three: several large ones are handed back to the system, and cleared, each time.
    first, second = count * height * width, count * (height + size) * width
    room = np.empty(second + count * size * size, down[0].weights.dtype)
    pixels, partly = room[:first].reshape(height, count, width), room[first:second].reshape(size, count * width)
    for number, cut in enumerate(cuts):
        pixels[:, number] = cut
    rows = pixels.reshape(height, count * width)
    # Every product and sum below is an integer that the float type holds exactly, in whatever order BLAS adds.
    for band in down:
        np.matmul(band.weights, rows[band.pixels], out=partly[band.cells])
    columns, whole = partly.reshape(size * count, width), room[second:].reshape(size * count, size)
    for band in across:
        np.matmul(columns[:, band.pixels], band.turned, out=whole[:, band.cells])
    return _rounded(whole, side * side).reshape(size, count, size)


def _rounded(sums: NDArray[np.floating[Any]], area: int) -> NDArray[np.uint8]:
    """``sums`` / ``area``, half up. In float32 ``area`` is at most 2**16, so that a quotient below a half is at least
    one step of float32 below it (2**-16 from 128 on), and stays there as it is rounded.
    """
    if sums.dtype == np.float32:
        sums /= np.float32(area)
        sums += np.float32(0.5)
        return sums.astype(np.uint8)
    return ((2 * sums.astype(np.int64) + area) // (2 * area)).astype(np.uint8)


class Band(NamedTuple):
    """Weights of a few cells in a row, float (cells, pixels), and the pixels that they overlap.

    ``turned``: the same, (pixels, cells), in an order of its own in memory: products across take half the time.
    """

    cells: slice
    pixels: slice
    weights: NDArray[np.floating[Any]]
    turned: NDArray[np.floating[Any]]


Bands = tuple[Band, ...]


@lru_cache(maxsize=64)
def _bands(side: int, size: int, start: int, stop: int) -> Bands:
    """The area weights in blocks of cells."""
    weights = _area_weights(side, size, start, stop)
    bands = []
    for first in range(0, size, _BLOCK):
        cells = slice(first, min(first + _BLOCK, size))
        met = np.flatnonzero(weights[cells].any(axis=0))
        pixels = slice(int(met[0]), int(met[-1]) + 1) if len(met) else slice(0, 0)
        met_weights = np.ascontiguousarray(weights[cells, pixels])
        bands.append(Band(cells, pixels, met_weights, np.ascontiguousarray(met_weights.T)))
    return tuple(bands)


def _area_weights(side: int, size: int, start: int, stop: int) -> NDArray[np.float32] | NDArray[np.float64]:
    """Overlap of output cell i with source pixel j, for j in [start, stop) of ``side``; shape (size, stop - start).

    In units of 1 / size source pixels cell i spans [i*side, (i+1)*side) and pixel j spans [j*size, (j+1)*size), so
    each overlap is an integer and each full row sums to ``side``.
    """
    cell = np.arange(size, dtype=np.int64)[:, None] * side
    pixel = np.arange(start, stop, dtype=np.int64)[None, :] * size
    overlap = np.minimum(cell + side, pixel + size) - np.maximum(cell, pixel)
    exact_in_float32 = 255 * side * side < 2**24
    weights: NDArray[np.float32] | NDArray[np.float64] = np.maximum(overlap, 0).astype(
        np.float32 if exact_in_float32 else np.float64
    )
    return weights


def contrasts(patch: Patch) -> NDArray[np.uint8]:
    """Grey levels that each channel spans, shape (channels,)."""
    size, _, channels = patch.shape
    rows = patch.reshape(size, -1)  # whole rows first: neighbours in memory are compared many at once
    high, low = rows.max(axis=0).reshape(-1, channels), rows.min(axis=0).reshape(-1, channels)
    spanned: NDArray[np.uint8] = high.max(axis=0) - low.min(axis=0)
    return spanned


def to_grey8(image: NDArray[np.uint8] | NDArray[np.uint16], window: tuple[int, int] | None) -> Grey:
    """Map 16-bit grey values linearly from ``window`` = (low, high) to 0..255, rounding half up; 8-bit passes as is."""
    if image.dtype == np.uint8:
        return image.astype(np.uint8, copy=False)
    if window is None:
        raise ValueError("16-bit images need a window")
    low, high = window
    span = high - low
    clipped = np.clip(np.arange(65_536, dtype=np.int64), low, high) - low
    table: Grey = ((2 * 255 * clipped + span) // (2 * span)).astype(np.uint8)
    return table[image]


def luminance(colours: NDArray[np.uint8]) -> Grey:
    """Blue, green, red (height, width, 3) to grey: the weights of ITU-R BT.601 in 256ths, rounding half up."""
    grey = np.full(colours.shape[:2], 128, np.uint16)  # the weights add up to 256, so the sum stays below 2**16
    for channel, weight in enumerate((29, 150, 77)):
        grey += np.multiply(colours[..., channel], weight, dtype=np.uint16)
    return (grey >> 8).astype(np.uint8)


def to_polarity(image: Grey, stored: Polarity, wanted: Polarity) -> Grey:
    """Invert the grey values when the image is stored in the other polarity."""
    return image if stored == wanted else np.bitwise_not(image)
