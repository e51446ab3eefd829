"""The attenuation volume of a view: horizontal pieces of 1/mm, drawn joint by joint with anti-aliased edges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from convert.simulator.xray.board_type import BoardType
from convert.simulator.xray.joint import Solder

Layer = NDArray[np.float32]

PAD_COPPER_MM = 0.05
PLANE_COPPER_MM = 0.035
COMPONENT_MM = 0.5
CLEARANCE_MM = 0.25
"""Between a barrel's hole and the copper of a plane."""
FILLET_BELOW_MM = 0.45
FILLET_ABOVE_MM = 0.25
"""Heights of a fully wetted fillet under the bottom and above the top face."""
BRIDGE_FLOOR_MM = -0.35
STEP_MM = 0.18
TOP_FILLET_FROM = 0.97
"""Fill above which solder has climbed through and wets the top pad."""


@dataclass(frozen=True)
class PlacedJoint:
    """A joint whose axis stands at (x, y) pixels of the frame, sub-pixel."""

    x: float
    y: float
    solder: Solder


@dataclass(frozen=True)
class Slab:
    """A piece of one layer: float32 (height, width) attenuation in 1/mm, beyond that of bare board.

    Its corner stands at (``row``, ``column``) of the frame; it reaches from z = ``floor`` to ``floor + step``, in mm.
    """

    layer: Layer
    row: int
    column: int
    floor: float
    step: float


def build_volume(
    kind: BoardType,
    joints: Sequence[PlacedJoint],
    shape: tuple[int, int],
    rng: np.random.Generator,
    *,
    clutter: float = 1.0,
    step_mm: float = STEP_MM,
) -> Iterator[Slab]:
    """Everything in the view but the bare board and its planes: traces, components, then joint by joint.

    ``clutter``: factor on the type's numbers of traces and components.
    """
    copper = np.float32(kind.attenuation("copper"))
    yield Slab(copper * _traces(kind, shape, rng, clutter), 0, 0, 0.0, PLANE_COPPER_MM)
    yield from _components(kind, shape, rng, clutter)
    for joint in joints:
        yield from _antipads(kind, joint, shape)
        yield from _joint_slabs(kind, joint, shape, step_mm)


def board_integral(kind: BoardType) -> float:
    """Attenuation of the bare board with its planes along its normal, dimensionless."""
    planes = len(kind.planes) * PLANE_COPPER_MM * kind.attenuation("copper")
    return kind.attenuation("FR-4") * kind.thickness_mm + planes


class Cut(NamedTuple):
    """A horizontal cut through the board: [floor, floor + step) in mm."""

    floor: float
    step: float

    @property
    def middle(self) -> float:
        return self.floor + self.step / 2

    def share(self, low: float, high: float) -> float:
        """Share of the cut that lies in [low, high)."""
        return max(0.0, min(self.floor + self.step, high) - max(self.floor, low)) / self.step


class Window(NamedTuple):
    """Pixels around a joint: corner in the frame, each pixel's offset (x, y) and radius from the axis, in mm."""

    row: int
    column: int
    x: Layer
    y: Layer
    radius: Layer
    pixel: float

    def within(self, distance_mm: Layer) -> Layer:
        """Coverage of each pixel by a shape of signed edge distance (negative inside): an anti-aliased edge."""
        covered: Layer = np.clip(0.5 - distance_mm / np.float32(self.pixel), 0, 1).astype(np.float32)
        return covered

    def disc(self, radius_mm: float) -> Layer:
        return self.within(self.radius - np.float32(radius_mm))


def _window(kind: BoardType, joint: PlacedJoint, shape: tuple[int, int], reach_mm: float) -> Window | None:
    height, width = shape
    reach = reach_mm / kind.pixel_mm
    x0, x1 = max(0, int(joint.x - reach)), min(width, int(joint.x + reach) + 2)
    y0, y1 = max(0, int(joint.y - reach)), min(height, int(joint.y + reach) + 2)
    if x0 >= x1 or y0 >= y1:
        return None
    x = ((np.arange(x0, x1, dtype=np.float32) - np.float32(joint.x)) * np.float32(kind.pixel_mm))[np.newaxis, :]
    y = ((np.arange(y0, y1, dtype=np.float32) - np.float32(joint.y)) * np.float32(kind.pixel_mm))[:, np.newaxis]
    return Window(y0, x0, x, y, np.hypot(x, y), kind.pixel_mm)


class Parts(NamedTuple):
    """What of a joint does not change with height: coverage by its parts, the solder's surface in mm, and angles.

    ``web`` is a bridge's, if any.
    """

    pin: Layer
    hole: Layer
    bore: Layer
    pad: Layer
    web: Layer | None
    surface: Layer
    angle: Layer


def _joint_slabs(kind: BoardType, joint: PlacedJoint, shape: tuple[int, int], step_mm: float) -> Iterator[Slab]:
    """The joint's mixture of copper, solder, pin and gas, from the lowest pin tip to the highest."""
    bridge = joint.solder.bridge
    window = _window(kind, joint, shape, 0.6 * kind.pad_mm + (kind.pitch_mm if bridge else 0.0))
    if window is None:
        return
    parts = Parts(
        pin=_pin(kind, joint.solder, window),
        hole=window.disc(kind.drill_mm / 2),
        bore=window.disc(kind.drill_mm / 2 - kind.plating_mm),
        pad=window.disc(kind.pad_mm / 2),
        web=None if bridge is None else _bridge(kind, bridge, window),
        surface=_surface(kind, joint.solder, window),
        angle=np.arctan2(window.y, window.x),
    )
    bare_pin, down, right = _trimmed(np.float32(kind.attenuation("copper")) * parts.pin)
    for floor in np.arange(-kind.pin_below_mm, kind.thickness_mm + kind.pin_above_mm, step_mm):
        cut = Cut(float(floor), step_mm)
        if cut.share(-FILLET_BELOW_MM, kind.thickness_mm + FILLET_ABOVE_MM):
            layer = _joint_layer(kind, joint.solder, window, parts, cut)
            yield Slab(layer, window.row, window.column, cut.floor, cut.step)
        else:
            yield Slab(bare_pin, window.row + down, window.column + right, cut.floor, cut.step)


def _trimmed(layer: Layer) -> tuple[Layer, int, int]:
    """The part of a layer that is not zero, and how far its corner lies from the layer's."""
    rows, columns = np.flatnonzero(layer.any(axis=1)), np.flatnonzero(layer.any(axis=0))
    if not len(rows):
        return layer, 0, 0
    return layer[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], int(rows[0]), int(columns[0])


def _joint_layer(kind: BoardType, solder: Solder, window: Window, parts: Parts, cut: Cut) -> Layer:
    copper, alloy = np.float32(kind.attenuation("copper")), np.float32(kind.attenuation(kind.solder))
    inside = np.float32(cut.share(0.0, kind.thickness_mm))
    pads = np.float32(cut.share(-PAD_COPPER_MM, 0.0) + cut.share(kind.thickness_mm, kind.thickness_mm + PAD_COPPER_MM))
    layer = np.zeros_like(window.radius)
    if inside or pads:
        layer += copper * (inside * (parts.hole - parts.bore) + pads * (parts.pad - parts.hole))
        if inside and solder.fill > 0:
            layer += alloy * _filled(parts, cut) * parts.bore * (1 - _gas(solder, window, parts, cut))
    fillet = _fillet(kind, solder, window, cut)
    if fillet is not None:
        layer += alloy * fillet
    if parts.web is not None and (web_share := cut.share(BRIDGE_FLOOR_MM, 0.0)):
        web = parts.web * np.float32(web_share)
        layer += alloy * np.clip(web - (0 if fillet is None else fillet), 0, 1)
    layer *= 1 - parts.pin
    layer += copper * parts.pin
    layer -= np.float32(kind.attenuation("FR-4")) * inside * parts.hole  # the board is missing in its hole
    return layer


def _pin(kind: BoardType, solder: Solder, window: Window) -> Layer:
    half = np.float32(kind.pin_mm / 2)
    x, y = window.x - np.float32(solder.pin_at[0]), window.y - np.float32(solder.pin_at[1])
    distance = np.maximum(np.abs(x), np.abs(y)) if kind.square_pin else np.hypot(x, y)
    return window.within(distance - half)


def _surface(kind: BoardType, solder: Solder, window: Window) -> Layer:
    """Height of the solder's surface in the barrel, mm: it leans to one side of the pin."""
    across = (window.x * np.cos(solder.lean_angle) + window.y * np.sin(solder.lean_angle)) / np.maximum(
        window.radius, np.float32(1e-6)
    )
    height = kind.thickness_mm * solder.fill * (1 + solder.lean * across)
    surface: Layer = np.minimum(height, kind.thickness_mm).astype(np.float32)
    return surface


def _filled(parts: Parts, cut: Cut) -> Layer:
    """Share of the cut between the board's bottom and the solder's surface."""
    bottom = np.float32(max(cut.floor, 0.0))
    filled: Layer = np.clip((parts.surface - bottom) / np.float32(cut.step), 0, 1)
    return filled


def _gas(solder: Solder, window: Window, parts: Parts, cut: Cut) -> Layer | np.float32:
    """Share of each pixel, between pin and wall, that gas pockets take at this height."""
    gas: Layer | np.float32 = np.float32(0)
    for void in solder.voids:
        above = (cut.middle - void.z) / void.half_height
        if abs(above) < 1:
            off = np.abs(parts.angle - np.float32(void.angle)) % np.float32(2 * np.pi)
            off = np.minimum(off, np.float32(2 * np.pi) - off)
            along_arc = (off - np.float32(void.half_angle * np.sqrt(1 - above**2))) * window.radius
            gas = np.maximum(gas, window.within(along_arc))
    return gas


def _fillet(kind: BoardType, solder: Solder, window: Window, cut: Cut) -> Layer | None:
    """Solder cones at the bottom face and, once it has climbed through, at the top face."""
    heights = [(-FILLET_BELOW_MM * solder.wetting, 0.0)]
    if solder.fill >= TOP_FILLET_FROM:
        heights.append((kind.thickness_mm + FILLET_ABOVE_MM * solder.wetting, kind.thickness_mm))
    for tip, base in heights:
        share = cut.share(min(tip, base), max(tip, base))
        if share > 0:
            along = np.clip((cut.middle - tip) / (base - tip), 0, 1)  # 0 at the tip, 1 at the pad
            outer = kind.pin_mm / 2 + (0.92 * kind.pad_mm / 2 - kind.pin_mm / 2) * along**1.7
            return window.disc(float(outer)) * np.float32(share)
    return None


def _bridge(kind: BoardType, reach: tuple[float, float], window: Window) -> Layer:
    """A web of solder from this joint to its neighbour's pin: a capsule, waisted in the middle."""
    length = np.float32(np.hypot(*reach))
    ux, uy = np.float32(reach[0] / length), np.float32(reach[1] / length)
    along = np.clip(window.x * ux + window.y * uy, 0, length)
    distance = np.hypot(window.x - along * ux, window.y - along * uy)
    waist = kind.pad_mm * (0.20 + 0.14 * np.abs(2 * along / length - 1))
    ends = np.hypot(window.x - np.float32(reach[0]), window.y - np.float32(reach[1])) - np.float32(kind.drill_mm / 2)
    return window.within(np.maximum(distance - waist, -ends).astype(np.float32))


def _antipads(kind: BoardType, joint: PlacedJoint, shape: tuple[int, int]) -> Iterator[Slab]:
    """What each copper plane lacks around a barrel."""
    window = _window(kind, joint, shape, kind.drill_mm / 2 + 2 * CLEARANCE_MM) if kind.planes else None
    if window is not None:
        lack = np.float32(-kind.attenuation("copper")) * window.disc(kind.drill_mm / 2 + CLEARANCE_MM)
        for height in kind.planes:
            yield Slab(lack, window.row, window.column, height * kind.thickness_mm, PLANE_COPPER_MM)


def _traces(kind: BoardType, shape: tuple[int, int], rng: np.random.Generator, clutter: float) -> Layer:
    """Straight conductors across the view."""
    drawing = np.zeros(shape, np.float32)
    height, width = shape
    for _ in range(rng.poisson(clutter * kind.traces)):
        start = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        length, turn = rng.uniform(0.1, 0.6) * width, rng.integers(0, 8) * np.pi / 4
        stop = (int(start[0] + length * np.cos(turn)), int(start[1] + length * np.sin(turn)))
        cv2.line(drawing, start, stop, (1.0,), max(2, int(rng.uniform(0.12, 0.35) / kind.pixel_mm)), cv2.LINE_8)
    return cv2.GaussianBlur(drawing, (0, 0), 0.7).astype(np.float32)


def _components(kind: BoardType, shape: tuple[int, int], rng: np.random.Generator, clutter: float) -> Iterator[Slab]:
    """Chip components on the top face: bodies of ceramic with end caps of solder, 1/mm."""
    for _ in range(rng.poisson(clutter * kind.components)):
        long, short = rng.uniform(0.9, 3.2) / kind.pixel_mm, rng.uniform(0.4, 1.6) / kind.pixel_mm
        chip = np.full((max(4, int(short)), max(4, int(long))), rng.uniform(0.15, 0.6), np.float32)
        cap = max(1, int(0.2 * long))
        chip[:, :cap] = chip[:, -cap:] = 0.5 * kind.attenuation(kind.solder)
        chip = cv2.GaussianBlur(np.pad(chip, 3), (0, 0), 0.7).astype(np.float32)
        chip = chip if rng.random() < 0.5 else np.ascontiguousarray(chip.T)
        row, column = int(rng.integers(0, shape[0])), int(rng.integers(0, shape[1]))
        for floor in np.arange(0.0, COMPONENT_MM, COMPONENT_MM / 2):
            yield Slab(chip, row, column, kind.thickness_mm + float(floor), COMPONENT_MM / 2)
