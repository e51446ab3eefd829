"""Optical board types: the land pattern, camera and light that all boards of one type share.

Lengths in millimetres. The ranges are our choice, for fine-pitch gull-wing packages (0.5 to 1.0 mm pitch) under a
common inspection camera; no maker's data is behind them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_STREAM = 0x0971


@dataclass(frozen=True)
class OpticalType:
    """One product as one camera station is set up for it."""

    name: str
    pad_width_mm: float
    lead_width_mm: float
    lead_thickness_mm: float
    foot_mm: float
    """Length of the lead's flat foot."""
    toe_mm: float
    """Pad in front of the foot: room for the toe fillet."""
    heel_mm: float
    """Pad behind the foot."""
    pitch_mm: float
    leads: int
    """Leads in a view."""
    pixel_mm: float
    coaxial: float
    """Shares of light: through the lens, from a ring, and from one side."""
    ring: float
    oblique: float
    ring_deg: float
    """Angle of the ring's rays from the vertical."""
    oblique_azimuth_deg: float
    solder_roughness_deg: float
    """Width of the specular lobe of the solder's surface."""
    metal_roughness_deg: float
    solder_shine: float
    metal_shine: float
    copper_pads: bool
    """Bare copper or gold pads; else tinned."""
    mask_tint: tuple[float, float, float]
    """Albedo of the solder mask: blue, green, red."""
    colour: bool
    gain: float
    """Grey levels of a white, matt surface."""
    blur_px: float
    shot_noise: float
    """Standard deviation of the noise at 255, in grey levels."""
    read_noise: float
    vignette: float


def optical_type(seed: int, number: int) -> OpticalType:
    """The ``number``-th board type of a seed: the same for every lot that is simulated with it."""
    rng = np.random.default_rng([seed, _STREAM, number])
    foot, toe, heel = rng.uniform(0.50, 0.60), rng.uniform(0.34, 0.40), rng.uniform(0.16, 0.22)
    length = foot + toe + heel
    pad_width = length * rng.uniform(0.36, 0.41)
    light = np.array([rng.uniform(0.33, 0.39), rng.uniform(0.46, 0.54), rng.uniform(0.10, 0.18)])
    coaxial, ring, oblique = (light / light.sum()).tolist()
    green = rng.uniform(0.16, 0.26)
    return OpticalType(
        name=f"OB-{number}",
        pad_width_mm=pad_width,
        lead_width_mm=pad_width * rng.uniform(0.60, 0.67),
        lead_thickness_mm=toe * rng.uniform(0.37, 0.42),
        foot_mm=foot,
        toe_mm=toe,
        heel_mm=heel,
        pitch_mm=pad_width * rng.uniform(1.55, 1.9),
        leads=int(rng.integers(8, 13)),
        pixel_mm=length / rng.uniform(66, 92),
        coaxial=coaxial,
        ring=ring,
        oblique=oblique,
        ring_deg=rng.uniform(52, 56),
        oblique_azimuth_deg=rng.uniform(0, 360),
        solder_roughness_deg=rng.uniform(8, 11),
        metal_roughness_deg=rng.uniform(10, 14),
        solder_shine=rng.uniform(0.8, 1.0),
        metal_shine=rng.uniform(0.5, 0.62),
        copper_pads=bool(rng.random() < 0.5),
        mask_tint=(green * rng.uniform(0.25, 0.5), green, green * rng.uniform(0.2, 0.4)),
        colour=bool(rng.random() < 0.5),
        gain=rng.uniform(270, 350),
        blur_px=rng.uniform(0.6, 1.1),
        shot_noise=rng.uniform(2.0, 5.0),
        read_noise=rng.uniform(0.8, 2.0),
        vignette=rng.uniform(0.0, 0.12),
    )
