"""Laminography and the detector: from an attenuation volume to 8-bit slices.

A slice at height z is the mean, over the source's azimuths, of I0 * exp(-line integral) along rays tilted by alpha
through (x, y, z). All rays of one azimuth are parallel, so one projection serves every slice: it is only shifted by
z * tan(alpha). Intensities are averaged, not logarithms; what lies dz off the plane smears into a ring of radius
dz * tan(alpha).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from convert.simulator.volume import Slab

Image = NDArray[np.float32]


def transmissions(slabs: Iterable[Slab], *, tilt_deg: float, azimuths: int, pixel_mm: float) -> list[Image]:
    """One projection an azimuth, referred to the plane z = 0: float32 in (0, 1], shape of the slabs.

    Each slab is shifted by whole pixels, the nearest to its reach: at most half a pixel off, less than the blur.
    """
    tangent, stretch = np.tan(np.radians(tilt_deg)), 1 / np.cos(np.radians(tilt_deg))
    integrals: list[Image] = []
    base = 0.0
    for slab in slabs:
        if not integrals:
            integrals = [np.zeros_like(slab.layer) for _ in range(azimuths)]
        base += slab.base * slab.step * stretch
        detail = (slab.layer[slab.box] - np.float32(slab.base)) * np.float32(slab.step * stretch)
        reach = (slab.floor + slab.step / 2) * tangent / pixel_mm
        for integral, (ux, uy) in zip(integrals, _directions(azimuths), strict=True):
            _add_at(integral, detail, slab.box[0].start - round(reach * uy), slab.box[1].start - round(reach * ux))
    return [np.exp(-(integral + np.float32(base))) for integral in integrals]


def _add_at(image: Image, part: Image, row: int, column: int) -> None:
    """Add ``part`` with its corner at (row, column); what leaves the image is dropped."""
    top, left = max(0, row), max(0, column)
    bottom, right = min(image.shape[0], row + part.shape[0]), min(image.shape[1], column + part.shape[1])
    if top < bottom and left < right:
        image[top:bottom, left:right] += part[top - row : bottom - row, left - column : right - column]


def slice_at(projections: Sequence[Image], height_mm: float, *, tilt_deg: float, pixel_mm: float) -> Image:
    """The laminographic slice at one height: the mean of the projections, each shifted back to that plane."""
    reach = height_mm * np.tan(np.radians(tilt_deg)) / pixel_mm
    total = np.zeros_like(projections[0])
    for projection, (ux, uy) in zip(projections, _directions(len(projections)), strict=True):
        _add_at(total, projection, round(reach * uy), round(reach * ux))
    return total / np.float32(len(projections))


def expose(
    image: Image,
    rng: np.random.Generator,
    *,
    counts: float,
    blur_px: float,
    scatter: float,
    gain_ripple: float,
) -> NDArray[np.uint8]:
    """Focal-spot blur, scatter, counting noise, detector gain drift, 8-bit quantisation.

    ``counts``: mean photons a pixel on bare detector; ``scatter``: share of the signal that arrives diffusely.
    """
    height, width = image.shape
    blurred = cv2.GaussianBlur(image, (0, 0), blur_px)
    small = cv2.resize(blurred, (width // 16, height // 16), interpolation=cv2.INTER_AREA)
    diffuse = cv2.resize(cv2.GaussianBlur(small, (0, 0), 5), (width, height), interpolation=cv2.INTER_LINEAR)
    signal = (1 - scatter) * blurred + scatter * diffuse
    # Hundreds of counts a pixel even in solder: the normal limit of Poisson's law, at a tenth of its cost.
    noise = rng.standard_normal(signal.shape, np.float32) * np.sqrt(signal / np.float32(counts))
    noisy = np.maximum(signal + noise, 0)
    ripple = cv2.resize(
        rng.normal(1.0, gain_ripple, (5, 5)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
    )
    grey: NDArray[np.uint8] = np.clip(np.rint(noisy * ripple * 235 + 6), 0, 255).astype(np.uint8)
    return grey


def _directions(azimuths: int) -> list[tuple[float, float]]:
    angles = np.arange(azimuths) * (2 * np.pi / azimuths)
    return [(float(np.cos(angle)), float(np.sin(angle))) for angle in angles]
