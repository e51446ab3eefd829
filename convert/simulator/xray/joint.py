"""One through-hole solder joint: its state, and the label that follows from the state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from convert.simulator.difficulty import DIFFICULTIES, Difficulty
from convert.simulator.xray.board_type import BoardType

VOID_LIMIT = 0.25
"""Largest share of the barrel's solder volume that voids may take before the joint is rejected."""
DISPUTED = 0.05
"""Within this distance of the fill limit specialists disagree."""


class Truth(StrEnum):
    """What is really wrong with a joint; ``normal`` means that the machine called it falsely."""

    NORMAL = "normal"
    MISSING = "missing"
    INSUFFICIENT = "insufficient"
    SHORT = "short"
    VOIDED = "voided"


@dataclass(frozen=True)
class Void:
    """A gas pocket between pin and barrel wall, an ellipse on the unrolled barrel.

    Centre at ``angle`` (radians) and height ``z`` (mm above the bottom face), half axes ``half_angle`` and
    ``half_height``.
    """

    angle: float
    z: float
    half_angle: float
    half_height: float


@dataclass(frozen=True)
class Solder:
    """Physical state of one joint.

    ``fill``: mean vertical fill of the barrel, 0..1; ``lean``: amplitude of its variation around the pin and
    ``lean_angle`` where it is highest; ``wetting``: size of the bottom fillet, 0..1; ``bridge``: (dx, dy) in mm to the
    neighbour that solder connects it with, or None; ``bridged``: a neighbour's bridge ends here; ``misread``: by how
    much the specialist's reading of the fill is off; ``pin_at``: (x, y) in mm of the pin from the hole's axis.
    """

    fill: float
    lean: float
    lean_angle: float
    wetting: float
    voids: tuple[Void, ...]
    bridge: tuple[float, float] | None
    bridged: bool = False
    misread: float = 0.0
    pin_at: tuple[float, float] = (0.0, 0.0)

    def void_share(self, kind: BoardType) -> float:
        """Share of the filled barrel volume that voids take; they do not overlap (area of each ellipse)."""
        height = self.fill * kind.thickness_mm
        area = sum(np.pi * void.half_angle * void.half_height for void in self.voids)
        return float(area / (2 * np.pi * height)) if height > 0 else 0.0

    def truth(self, kind: BoardType) -> Truth:
        """The specialist's label: IPC-A-610 vertical fill as read, a void limit, and whether a bridge is there."""
        if self.bridge is not None or self.bridged:
            return Truth.SHORT
        if self.fill < 0.05:
            return Truth.MISSING
        read = self.fill + self.misread
        if read < kind.fill_limit:
            return Truth.INSUFFICIENT
        share = self.void_share(kind)
        if share > VOID_LIMIT or read * (1 - share) < kind.fill_limit:
            return Truth.VOIDED
        return Truth.NORMAL

    def disputed(self, kind: BoardType) -> bool:
        """Whether the fill is so near the limit that specialists disagree on it."""
        whole = self.fill * (1 - self.void_share(kind))
        return self.bridge is None and not self.bridged and abs(whole - kind.fill_limit) <= DISPUTED


def draw_solder(
    kind: BoardType,
    wanted: Truth,
    rng: np.random.Generator,
    neighbours: Sequence[tuple[float, float]] = (),
    difficulty: Difficulty = DIFFICULTIES["hard"],
) -> Solder:
    """A random joint of the wanted class. The population is what a machine has flagged: normal means marginal.

    ``neighbours``: (dx, dy) in mm to the joints that a bridge could reach; a short needs one.
    """
    reach = kind.pin_mm / 2 * (2**0.5 if kind.square_pin else 1)
    play = kind.eccentricity * (kind.drill_mm / 2 - kind.plating_mm - reach)
    for _ in range(500):
        turn, off = rng.uniform(0, 2 * np.pi), max(0.0, play) * np.sqrt(rng.random())
        misread = float(np.clip(rng.normal(0, difficulty.misreading), -DISPUTED, DISPUTED))
        pin_at = (float(off * np.cos(turn)), float(off * np.sin(turn)))
        solder = replace(_draw(kind, wanted, rng, neighbours, difficulty), misread=misread, pin_at=pin_at)
        if solder.truth(kind) is wanted:
            return solder
    raise RuntimeError(f"no {wanted} joint found for board type {kind.name}: its geometry leaves no room for one")


def _draw(
    kind: BoardType,
    wanted: Truth,
    rng: np.random.Generator,
    neighbours: Sequence[tuple[float, float]],
    difficulty: Difficulty,
) -> Solder:
    angle = rng.uniform(0, 2 * np.pi)
    lean = rng.uniform(0, 0.12)
    wetting = rng.uniform(0.35, 1.0)
    limit = kind.fill_limit
    if wanted is Truth.MISSING:
        return Solder(0.0, 0.0, angle, 0.0, (), None)
    if wanted is Truth.INSUFFICIENT:
        short_of = rng.beta(1.2, 2.6) ** difficulty.crowding
        return Solder(limit * (1 - short_of) + 0.02, lean, angle, wetting, (), None)
    fill = min(1.0, limit - 0.02 + (1.02 - limit) * rng.beta(1.3, 1.3) ** difficulty.crowding)
    if wanted is Truth.SHORT:
        return Solder(fill, lean, angle, wetting, (), neighbours[int(rng.integers(len(neighbours)))])
    return Solder(fill, lean, angle, wetting, _draw_voids(kind, fill, wanted, rng), None)


def _draw_voids(kind: BoardType, fill: float, wanted: Truth, rng: np.random.Generator) -> tuple[Void, ...]:
    """Pockets side by side around the pin: large ones for a voided joint, small ones or none for a good one."""
    voided = wanted is Truth.VOIDED
    count = int(rng.integers(1, 4) if voided else rng.integers(0, 4))
    height = fill * kind.thickness_mm
    turn = rng.uniform(0, 2 * np.pi)
    voids = []
    for i in range(count):
        half_angle = min(1.4, np.pi / count) * rng.uniform(0.4, 0.95) * (1.0 if voided else 0.5)
        half_height = height * (rng.uniform(0.15, 0.48) if voided else rng.uniform(0.04, 0.25))
        middle = rng.uniform(half_height, height - half_height)
        voids.append(Void(turn + 2 * np.pi * i / count, middle, half_angle, half_height))
    return tuple(voids)
