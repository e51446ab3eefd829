"""Light and camera: heights and materials to an 8-bit image.

A surface element is lit through the lens, by a ring and from one side. Its brightness is diffuse (Lambert) plus
specular (a Gaussian lobe round the mirror direction, Blinn's half vector). The ring is averaged over its azimuths, so
it depends on the slope alone; that and the coaxial light are tabulated once a type. Nothing throws a shadow and light
is not reflected twice: a simplification.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from convert.simulator.optical.board_type import OpticalType
from convert.simulator.optical.scene import Material, Scene

Image = NDArray[np.uint8]
"""uint8 (height, width), or (height, width, 3) as blue, green, red."""
_Floats = NDArray[np.float32]

_STEPS = 512
_AZIMUTHS = 24
_OBLIQUE_DEG = 62.0
_SPECULAR = 1.5
_RING_SPECULAR = 7.0
"""A ring's highlight is spread over all azimuths; this lets it come out about as bright as the coaxial one."""
_LUMA = np.array([29, 150, 77], np.float32) / 256
"""Weights of blue, green and red in a grey camera's signal."""


class _Tables(NamedTuple):
    """Brightness by material and slope, coaxial and ring light together: float32 (materials, steps) each."""

    diffuse: _Floats
    specular: _Floats


def photograph(kind: OpticalType, scene: Scene, rng: np.random.Generator) -> Image:
    """The scene as the type's camera stores it."""
    diffuse, specular = _lit(kind, scene)
    shine = np.array([_shine(kind, material) for material in Material], np.float32)[scene.material]
    gloss = _SPECULAR * specular * shine * (1 - scene.tarnish)
    tints = np.array([_tint(kind, material) for material in Material], np.float32)
    if not kind.colour:
        tints = (tints @ _LUMA)[:, None]
    # A mirror shows the colour of the lamp; metals keep some of their own.
    channels = [tint[scene.material] * (diffuse + 0.5 * gloss) + 0.25 * gloss for tint in tints.T]
    return _exposed(kind, np.stack(channels, axis=-1), rng)


def _lit(kind: OpticalType, scene: Scene) -> tuple[_Floats, _Floats]:
    """Diffuse and specular brightness, each (height, width)."""
    slope_y, slope_x = (cv2.Sobel(scene.height_mm, cv2.CV_32F, dx, dy, ksize=1) for dx, dy in ((0, 1), (1, 0)))
    scale = np.float32(0.5 / kind.pixel_mm)
    slope_x, slope_y = slope_x * scale, slope_y * scale
    vertical = 1 / np.sqrt(1 + slope_x * slope_x + slope_y * slope_y)
    tables = _tables(kind)
    place = scene.material.astype(np.int32) * _STEPS + (vertical * (_STEPS - 1) + 0.5).astype(np.int32)
    azimuth, polar = np.radians([kind.oblique_azimuth_deg, _OBLIQUE_DEG])
    light = np.array([np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)], np.float32)
    half = (light + np.array([0, 0, 1], np.float32)) / np.float32(2 * np.cos(polar / 2))
    lobes = np.array([_roughness(kind, material) for material in Material], np.float32)[scene.material]
    facing = (light[2] - slope_x * light[0] - slope_y * light[1]) * vertical
    mirror = (half[2] - slope_x * half[0] - slope_y * half[1]) * vertical
    share = np.float32(kind.oblique)
    diffuse = tables.diffuse.ravel()[place] + share * np.maximum(facing, 0)
    specular = tables.specular.ravel()[place] + share * np.exp((mirror - 1) / (lobes * lobes))
    return diffuse, specular


@lru_cache(maxsize=64)
def _tables(kind: OpticalType) -> _Tables:
    """Step i stands for surfaces whose normal has the vertical part i / (steps - 1)."""
    nz = np.linspace(0, 1, _STEPS)
    nx = np.sqrt(1 - nz * nz)
    azimuth = 2 * np.pi * np.arange(_AZIMUTHS)[:, None] / _AZIMUTHS
    polar = np.radians(kind.ring_deg)
    facing = np.maximum(nx * np.sin(polar) * np.cos(azimuth) + nz * np.cos(polar), 0).mean(axis=0)
    half = nx * np.sin(polar / 2) * np.cos(azimuth) + nz * np.cos(polar / 2)
    diffuse = kind.coaxial * nz + kind.ring * facing
    lobes = [_roughness(kind, material) for material in Material]
    specular = [
        kind.coaxial * np.exp((nz - 1) / lobe**2)
        + _RING_SPECULAR * kind.ring * np.exp((half - 1) / lobe**2).mean(axis=0)
        for lobe in lobes
    ]
    return _Tables(np.tile(diffuse, (len(Material), 1)).astype(np.float32), np.array(specular, np.float32))


def _roughness(kind: OpticalType, material: Material) -> float:
    """Width of the specular lobe, in radians."""
    degrees = kind.solder_roughness_deg if material is Material.SOLDER else kind.metal_roughness_deg
    return float(np.radians(degrees))


def _shine(kind: OpticalType, material: Material) -> float:
    shines = {Material.SOLDER: kind.solder_shine, Material.LEAD: kind.metal_shine, Material.PAD: 0.7 * kind.metal_shine}
    return shines.get(material, 0.04)


def _tint(kind: OpticalType, material: Material) -> tuple[float, float, float]:
    """Albedo in blue, green and red."""
    if material is Material.PAD:
        return (0.24, 0.38, 0.52) if kind.copper_pads else (0.42, 0.43, 0.44)
    if material is Material.MASK:
        return kind.mask_tint
    return {Material.LEAD: (0.46, 0.47, 0.48), Material.SOLDER: (0.40, 0.40, 0.40)}.get(material, (0.05, 0.05, 0.05))


def _exposed(kind: OpticalType, light: _Floats, rng: np.random.Generator) -> Image:
    """Blur, vignetting, exposure, noise and 8 bits."""
    height, width = light.shape[:2]
    sharp = cv2.GaussianBlur(light, (0, 0), kind.blur_px).reshape(light.shape)
    x = np.linspace(-1, 1, width, dtype=np.float32)
    fall = 1 - np.float32(kind.vignette) * x * x + np.float32(rng.uniform(-0.04, 0.04)) * x
    signal = sharp * (fall[None, :, None] * np.float32(kind.gain * rng.uniform(0.92, 1.08)))
    spread = np.sqrt(np.float32(kind.shot_noise**2 / 255) * np.maximum(signal, 0) + np.float32(kind.read_noise**2))
    noisy = signal + spread * rng.standard_normal((height, width, light.shape[2]), np.float32)
    image: Image = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    return image if kind.colour else image[..., 0]
