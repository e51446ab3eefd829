"""Board types: the geometry and machine settings that all boards of one type share.

Lengths in millimetres, z = 0 at the board's bottom (solder source) face, z = thickness at its top (component) face.
Ranges: docs/simulator.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.core.job import Polarity

# Linear attenuation, 1/mm, at 60, 70 and 80 keV: NIST-based figures for the alloys used in electronics.
ATTENUATION_PER_MM: dict[str, tuple[float, float, float]] = {
    "SAC305": (4.81, 3.18, 2.22),
    "Sn63Pb37": (5.04, 3.35, 2.36),
    "copper": (1.43, 0.95, 0.68),
    "FR-4": (0.047, 0.040, 0.036),
}
ENERGIES_KEV = (60, 70, 80)
SLICE_LIMIT = 6
MEAN_DEFECT_MIX = (0.16, 0.48, 0.08, 0.28)
"""Missing, insufficient, short (each shorts its neighbour too), voided: the mean over all board types."""
_MIX_CONCENTRATION = 12.0


@dataclass(frozen=True)
class BoardType:
    """One product as one machine is set up for it."""

    name: str
    thickness_mm: float
    drill_mm: float
    plating_mm: float
    pad_mm: float
    pin_mm: float
    square_pin: bool
    eccentricity: float
    """Largest distance of a pin from its hole's axis, as a share of the play between pin and wall."""
    pitch_mm: float
    rows: int
    pin_below_mm: float
    pin_above_mm: float
    planes: tuple[float, ...]
    """Heights of copper planes as fractions of the thickness."""
    traces: int
    """Mean number of conductors that cross a view."""
    components: int
    """Mean number of chip components that cast a shadow on a view."""
    solder: str
    energy_kev: int
    tilt_deg: float
    azimuths: int
    pixel_mm: float
    slice_heights: tuple[float, ...]
    """Heights of slices 0 to 5 as fractions of the thickness."""
    counts: float
    blur_px: float
    scatter: float
    gain: float
    """Grey levels between no signal and bare detector."""
    offset: float
    """Grey level of no signal."""
    gamma: float
    """Exponent of the machine's display curve."""
    gain_ripple: float
    jpeg_quality: int
    """0: PNG."""
    polarity: Polarity
    defect_mix: tuple[float, float, float, float]
    """Shares of missing, insufficient, short and voided among the defects drawn."""
    fill_limit: float
    """Least vertical fill that is accepted (IPC-A-610: 0.75)."""

    def attenuation(self, material: str) -> float:
        """1/mm at this type's tube energy."""
        return ATTENUATION_PER_MM[material][ENERGIES_KEV.index(self.energy_kev)]


def board_type(seed: int, number: int) -> BoardType:
    """The ``number``-th board type of a seed: the same for every lot that is simulated with it."""
    rng = np.random.default_rng([seed, 0x7D0E, number])
    drill = rng.uniform(0.9, 1.3)
    pitch = rng.choice([2.0, 2.54, 2.54])
    return BoardType(
        name=f"MB-{number}",
        thickness_mm=rng.choice([1.0, 1.6, 1.6, 2.0, 2.4]),
        drill_mm=drill,
        plating_mm=rng.uniform(0.025, 0.05),
        pad_mm=min(drill + rng.uniform(0.5, 0.8), 0.8 * pitch),
        pin_mm=drill * rng.uniform(0.55, 0.72),
        square_pin=bool(rng.random() < 0.5),
        eccentricity=rng.uniform(0.1, 0.7),
        pitch_mm=pitch,
        rows=int(rng.integers(2, 6)),
        pin_below_mm=rng.uniform(0.5, 1.2),
        pin_above_mm=rng.uniform(0.3, 1.0),
        planes=tuple(sorted(rng.uniform(0.1, 0.9, rng.integers(0, 4)))),
        traces=int(rng.integers(2, 14)),
        components=int(rng.integers(0, 9)),
        solder=str(rng.choice(["SAC305", "SAC305", "Sn63Pb37"])),
        energy_kev=int(rng.choice(ENERGIES_KEV[1:])),
        tilt_deg=rng.uniform(24, 38),
        azimuths=int(rng.choice([8, 12, 16])),
        pixel_mm=pitch / rng.uniform(84, 110),
        slice_heights=tuple(np.linspace(rng.uniform(-0.15, 0.05), rng.uniform(0.85, 1.05), SLICE_LIMIT)),
        counts=rng.uniform(600, 5_000),
        blur_px=rng.uniform(0.7, 1.6),
        scatter=rng.uniform(0.04, 0.18),
        gain=rng.uniform(170, 235),
        offset=rng.uniform(4, 20),
        gamma=rng.uniform(0.85, 1.2),
        gain_ripple=rng.uniform(0.01, 0.04),
        jpeg_quality=int(rng.choice([0, 0, 92])),
        polarity="solder_bright" if rng.random() < 0.25 else "solder_dark",
        defect_mix=_mix(rng),
        fill_limit=0.75,
    )


def _mix(rng: np.random.Generator) -> tuple[float, float, float, float]:
    missing, insufficient, short, voided = rng.dirichlet(_MIX_CONCENTRATION * np.array(MEAN_DEFECT_MIX))
    return float(missing), float(insufficient), float(short), float(voided)
