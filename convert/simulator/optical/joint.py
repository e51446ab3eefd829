"""One gull-wing joint: how much solder it has, how that wets, and where the lead came to lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from convert.simulator.optical.board_type import OpticalType


@dataclass(frozen=True)
class JointState:
    """What is particular to one joint. ``solder`` is the amount s in [0, 1]; the rest is nuisance.

    The shape follows s through five quantities, none of which falls as s rises (our reconstruction): the height at
    which solder meets the lead, how far it runs over the pad, how its surface is curved, how far back it covers the
    lead, and how it bulges there.
    """

    solder: float
    height_factor: float
    reach_factor: float
    curvature_offset: float
    left_factor: float
    """Height of the left side fillet against that at the right, about 1."""
    shift_mm: tuple[float, float]
    """Misplacement of the lead along the row and towards the toe."""
    rotation_rad: float
    tarnish: float
    """Loss of shine, 0 to 1."""

    @property
    def height(self) -> float:
        """Height of the solder at the lead's edge, in lead thicknesses."""
        return (0.18 + 1.54 * self.solder) * self.height_factor

    @property
    def reach(self) -> float:
        """Share of the way to the pad's edge that the fillet takes."""
        return min(1.06, min(1.0, 0.36 + 1.15 * self.solder) * self.reach_factor)

    @property
    def curvature(self) -> float:
        """Curvature k of the fillet's profile (1 - u)(1 + k u): negative concave, positive convex."""
        s = self.solder
        return -0.9 + 0.6 * s + 4.6 * max(0.0, s - 0.5) ** 2 + self.curvature_offset

    @property
    def cover(self) -> float:
        """Share of the foot, from its tip, that solder lies on."""
        return max(0.02, 1.7 * (self.solder - 0.46)) * self.reach_factor

    @property
    def bulge(self) -> float:
        """Height of the solder over the middle of the lead above that at its edges, in lead thicknesses."""
        return 0.75 * max(0.0, self.solder - 0.5) * self.height_factor


def draw_joint(kind: OpticalType, solder: float, rng: np.random.Generator) -> JointState:
    """A joint with this amount of solder and random nuisance."""
    wetting = rng.normal()  # one cause behind height, reach and contact angle
    return JointState(
        solder=solder,
        height_factor=float(np.exp(0.025 * rng.normal() + 0.015 * wetting)),
        reach_factor=float(np.exp(0.02 * rng.normal() + 0.015 * wetting)),
        curvature_offset=float(0.04 * rng.normal() - 0.03 * wetting),
        left_factor=float(np.exp(0.08 * rng.normal())),
        shift_mm=(
            float(np.clip(rng.normal(), -2, 2) * 0.03 * kind.pad_width_mm),
            float(np.clip(rng.normal(), -2, 2) * 0.04 * kind.toe_mm),
        ),
        rotation_rad=float(np.radians(np.clip(rng.normal(), -2, 2) * 1.2)),
        tarnish=float(rng.uniform(0, 0.2)),
    )
