"""Laminography and the detector: from an attenuation volume to 8-bit slices.

A slice at height z is the mean, over the source's azimuths, of I0 * exp(-line integral) along rays tilted by alpha
through (x, y, z). All rays of one azimuth are parallel, so one projection serves every slice: it is only shifted by
z * tan(alpha). Intensities are averaged, not logarithms; what lies dz off the plane smears into a ring of radius
dz * tan(alpha).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from convert.simulator.xray.volume import Slab

Image = NDArray[np.float32]


def transmissions(
    slabs: Iterable[Slab],
    shape: tuple[int, int],
    *,
    tilt_deg: float,
    azimuths: int,
    pixel_mm: float,
    background: float = 0.0,
) -> list[Image]:
    """One projection an azimuth, referred to the plane z = 0: float32 in (0, 1], of this shape.

    ``background``: attenuation along the normal that is everywhere. Each slab is shifted by whole pixels, the nearest
    to its reach: at most half a pixel off, less than the blur.
    """
    tangent, stretch = np.tan(np.radians(tilt_deg)), 1 / np.cos(np.radians(tilt_deg))
    directions = _directions(azimuths)
    parts = []
    for slab in slabs:
        reach = (slab.floor + slab.step / 2) * tangent / pixel_mm
        parts.append((slab, slab.layer * np.float32(slab.step * stretch), _shifts(directions, reach)))
    images = []
    for azimuth in range(azimuths):  # one projection after the other: each stays in the cache while it is summed
        integral = np.full(shape, -background * stretch, np.float32)
        for slab, detail, shifts in parts:
            right, down = shifts[azimuth]
            _combine_at(cv2.subtract, integral, detail, slab.row - down, slab.column - right)
        images.append(np.exp(integral, out=integral))
    return images


def _combine_at(combine: Callable[..., Any], image: Image, part: Image, row: int, column: int) -> None:
    """Add or subtract ``part`` with its corner at (row, column); what leaves the image is dropped.

    OpenCV's sums are numpy's to the bit, and on such narrow windows about three times as fast.
    """
    top, left = max(0, row), max(0, column)
    bottom, right = min(image.shape[0], row + part.shape[0]), min(image.shape[1], column + part.shape[1])
    if top < bottom and left < right:
        seen = image[top:bottom, left:right]
        combine(seen, part[top - row : bottom - row, left - column : right - column], dst=seen)


def slice_at(projections: Sequence[Image], height_mm: float, *, tilt_deg: float, pixel_mm: float) -> Image:
    """The laminographic slice at one height: the mean of the projections, each shifted back to that plane."""
    reach = height_mm * np.tan(np.radians(tilt_deg)) / pixel_mm
    total = np.zeros_like(projections[0])
    for projection, (right, down) in zip(projections, _shifts(_directions(len(projections)), reach), strict=True):
        _combine_at(cv2.add, total, projection, down, right)
    return total / np.float32(len(projections))


@dataclass(frozen=True)
class Detector:
    """How a machine turns intensity into grey.

    ``counts``: mean photons a pixel on bare detector; ``blur_px``: standard deviation of the focal-spot blur;
    ``scatter``: share of the signal that arrives diffusely; ``gain``, ``offset``: grey levels of bare detector above
    no signal, and of no signal; ``gamma``: exponent of the display curve; ``gain_ripple``: relative gain drift.
    """

    counts: float
    blur_px: float
    scatter: float
    gain: float = 235.0
    offset: float = 6.0
    gamma: float = 1.0
    gain_ripple: float = 0.0


def blur(image: Image, sigma_px: float) -> Image:
    """Focal-spot blur: a normalised kernel, mirrored at the edges, so that it moves energy and makes none."""
    blurred: Image = cv2.GaussianBlur(image, (0, 0), sigma_px, borderType=cv2.BORDER_REFLECT).astype(np.float32)
    return blurred


def expose(image: Image, rng: np.random.Generator, detector: Detector) -> NDArray[np.uint8]:
    """Focal-spot blur, scatter, counting noise, gain drift, display curve, 8-bit quantisation."""
    height, width = image.shape
    blurred = blur(image, detector.blur_px)
    small = cv2.resize(blurred, (max(1, width // 16), max(1, height // 16)), interpolation=cv2.INTER_AREA)
    diffuse = cv2.resize(cv2.GaussianBlur(small, (0, 0), 5), (width, height), interpolation=cv2.INTER_LINEAR)
    signal = np.float32(1 - detector.scatter) * blurred + np.float32(detector.scatter) * diffuse
    # Hundreds of counts a pixel: the normal limit of Poisson's law, at a tenth of its cost.
    noise = rng.standard_normal(signal.shape, np.float32) * np.sqrt(signal / np.float32(detector.counts))
    ripple = cv2.resize(
        rng.normal(1.0, detector.gain_ripple, (5, 5)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
    )
    shown = cv2.pow(np.maximum((signal + noise) * ripple, 0), detector.gamma)
    grey: NDArray[np.uint8] = cv2.convertScaleAbs(shown, alpha=detector.gain, beta=detector.offset)
    return grey


def _directions(azimuths: int) -> NDArray[np.float64]:
    """Unit vectors (azimuths, 2), x before y."""
    angles = np.arange(azimuths) * (2 * np.pi / azimuths)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _shifts(directions: NDArray[np.float64], reach_px: float) -> list[list[int]]:
    """Whole-pixel shifts (x, y), one an azimuth."""
    shifts: list[list[int]] = np.rint(directions * reach_px).astype(int).tolist()
    return shifts
