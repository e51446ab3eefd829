"""The attenuation volume of a view: horizontal layers of 1/mm, drawn joint by joint with anti-aliased edges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from convert.simulator.board_type import BoardType
from convert.simulator.joint import Solder

Layer = NDArray[np.float32]

PAD_COPPER_MM = 0.05
PLANE_COPPER_MM = 0.035
BRIDGE_FLOOR_MM = -0.35
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
    """One layer: float32 (height, width) attenuation in 1/mm between z = ``floor`` and ``floor + step``, in mm.

    Outside ``box`` (rows, columns) the layer is ``base`` throughout.
    """

    layer: Layer
    floor: float
    step: float
    base: float
    box: tuple[slice, slice]


def build_volume(
    kind: BoardType,
    joints: Sequence[PlacedJoint],
    shape: tuple[int, int],
    rng: np.random.Generator,
    *,
    step_mm: float = 0.12,
) -> Iterator[Slab]:
    """The slabs of board, copper and joints, from the lowest pin tip to the highest."""
    copper = kind.attenuation("copper")
    clearance = _plane_with_clearances(kind, joints, shape)
    traces, parts = _traces(kind, shape, rng), _components(kind, shape, rng)
    everywhere = (slice(0, shape[0]), slice(0, shape[1]))
    around_joints = _box_of(kind, joints, shape)
    for floor in np.arange(-kind.pin_below_mm, kind.thickness_mm + kind.pin_above_mm, step_mm):
        cut = Cut(float(floor), step_mm)
        base = kind.attenuation("FR-4") * cut.share(0.0, kind.thickness_mm)
        layer = np.full(shape, base, np.float32)
        planes = sum(cut.share(z * kind.thickness_mm, z * kind.thickness_mm + PLANE_COPPER_MM) for z in kind.planes)
        wide = [
            _add(layer, clearance, copper * planes),
            _add(layer, traces, copper * cut.share(0.0, PLANE_COPPER_MM)),
            _add(layer, parts, cut.share(kind.thickness_mm, kind.thickness_mm + 0.5)),
        ]
        for joint in joints:
            _draw_joint(layer, kind, joint, cut)
        yield Slab(layer, cut.floor, cut.step, base, everywhere if any(wide) else around_joints)


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
    """Pixels around a joint: a view into the layer and each pixel's offset (x, y) and radius from the axis, in mm."""

    view: Layer
    x: Layer
    y: Layer
    radius: Layer
    pixel: float

    def within(self, distance_mm: Layer) -> Layer:
        """Coverage of each pixel by a shape of signed edge distance (negative inside): an anti-aliased edge."""
        covered: Layer = np.clip(0.5 - distance_mm / self.pixel, 0, 1).astype(np.float32)
        return covered

    def disc(self, radius_mm: float) -> Layer:
        return self.within(self.radius - np.float32(radius_mm))


def _add(layer: Layer, shape: Layer, amount: float) -> bool:
    if amount > 0:
        layer += np.float32(amount) * shape
    return amount > 0


def _box_of(kind: BoardType, joints: Sequence[PlacedJoint], shape: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns that hold every joint with its bridge."""
    reach = (kind.pad_mm + kind.pitch_mm) / kind.pixel_mm
    rows, columns = [joint.y for joint in joints], [joint.x for joint in joints]
    return (
        slice(max(0, int(min(rows) - reach)), min(shape[0], int(max(rows) + reach) + 2)),
        slice(max(0, int(min(columns) - reach)), min(shape[1], int(max(columns) + reach) + 2)),
    )


def _window(layer: Layer, kind: BoardType, joint: PlacedJoint, reach_mm: float) -> Window | None:
    height, width = layer.shape
    reach = reach_mm / kind.pixel_mm
    x0, x1 = max(0, int(joint.x - reach)), min(width, int(joint.x + reach) + 2)
    y0, y1 = max(0, int(joint.y - reach)), min(height, int(joint.y + reach) + 2)
    if x0 >= x1 or y0 >= y1:
        return None
    x = ((np.arange(x0, x1, dtype=np.float32) - np.float32(joint.x)) * np.float32(kind.pixel_mm))[np.newaxis, :]
    y = ((np.arange(y0, y1, dtype=np.float32) - np.float32(joint.y)) * np.float32(kind.pixel_mm))[:, np.newaxis]
    return Window(layer[y0:y1, x0:x1], x, y, np.hypot(x, y), kind.pixel_mm)


def _draw_joint(layer: Layer, kind: BoardType, joint: PlacedJoint, cut: Cut) -> None:
    """Put the joint's mixture of copper, solder, pin and gas into one layer."""
    solder = joint.solder
    window = _window(layer, kind, joint, 0.6 * kind.pad_mm + (kind.pitch_mm if solder.bridge else 0.0))
    if window is None:
        return
    copper, alloy = np.float32(kind.attenuation("copper")), np.float32(kind.attenuation(kind.solder))
    pin = _pin(kind, window)
    inside = np.float32(cut.share(0.0, kind.thickness_mm))
    pads = np.float32(cut.share(-PAD_COPPER_MM, 0.0) + cut.share(kind.thickness_mm, kind.thickness_mm + PAD_COPPER_MM))
    view = window.view
    if inside or pads:
        hole, bore = window.disc(kind.drill_mm / 2), window.disc(kind.drill_mm / 2 - kind.plating_mm)
        view *= 1 - hole * inside
        view += copper * (inside * (hole - bore) + pads * (window.disc(kind.pad_mm / 2) - hole))
        view += alloy * _filled(kind, solder, window, cut) * bore * (1 - _gas(solder, window, cut)) * (1 - pin)
    fillet = _fillet(kind, solder, window, cut)
    if fillet is not None:
        view += alloy * fillet * (1 - pin)
    if solder.bridge is not None and (web_share := cut.share(BRIDGE_FLOOR_MM, 0.0)):
        web = _bridge(kind, solder.bridge, window) * np.float32(web_share)
        view += alloy * np.clip(web - pin - (0 if fillet is None else fillet), 0, 1)
    view *= 1 - pin
    view += copper * pin


def _pin(kind: BoardType, window: Window) -> Layer:
    half = np.float32(kind.pin_mm / 2)
    if kind.square_pin:
        return window.within(np.maximum(np.abs(window.x), np.abs(window.y)) - half)
    return window.disc(kind.pin_mm / 2)


def _filled(kind: BoardType, solder: Solder, window: Window, cut: Cut) -> Layer:
    """Share of the cut below the solder's surface, which leans to one side of the pin."""
    across = (window.x * np.cos(solder.lean_angle) + window.y * np.sin(solder.lean_angle)) / np.maximum(
        window.radius, np.float32(1e-6)
    )
    surface = kind.thickness_mm * (solder.fill + solder.lean * solder.fill * across)
    filled: Layer = np.clip((np.minimum(surface, kind.thickness_mm) - cut.floor) / cut.step, 0, 1).astype(np.float32)
    return filled * np.float32(cut.share(0.0, kind.thickness_mm) > 0)


def _gas(solder: Solder, window: Window, cut: Cut) -> Layer | np.float32:
    """Share of each pixel, between pin and wall, that gas pockets take at this height."""
    gas: Layer | np.float32 = np.float32(0)
    for void in solder.voids:
        above = (cut.middle - void.z) / void.half_height
        if abs(above) < 1:
            off = np.abs(np.angle(np.exp(1j * (np.arctan2(window.y, window.x) - void.angle))))
            along_arc = (off - void.half_angle * np.sqrt(1 - above**2)) * window.radius
            gas = np.maximum(gas, window.within(along_arc.astype(np.float32)))
    return gas


def _fillet(kind: BoardType, solder: Solder, window: Window, cut: Cut) -> Layer | None:
    """Solder cones at the bottom face and, once it has climbed through, at the top face."""
    heights = [(-0.45 * solder.wetting, 0.0)]
    if solder.fill >= TOP_FILLET_FROM:
        heights.append((kind.thickness_mm + 0.25 * solder.wetting, kind.thickness_mm))
    for tip, base in heights:
        share = cut.share(min(tip, base), max(tip, base))
        if share > 0:
            along = np.clip((cut.middle - tip) / (base - tip), 0, 1)  # 0 at the tip, 1 at the pad
            outer = kind.pin_mm / 2 + (0.92 * kind.pad_mm / 2 - kind.pin_mm / 2) * along**1.7
            return window.disc(float(outer)) * np.float32(share)
    return None


def _bridge(kind: BoardType, reach: tuple[float, float], window: Window) -> Layer:
    """A web of solder from this joint to its neighbour: a capsule, waisted in the middle."""
    length = np.float32(np.hypot(*reach))
    ux, uy = np.float32(reach[0] / length), np.float32(reach[1] / length)
    along = np.clip(window.x * ux + window.y * uy, 0, length)
    distance = np.hypot(window.x - along * ux, window.y - along * uy)
    waist = kind.pad_mm * (0.20 + 0.14 * np.abs(2 * along / length - 1))
    return window.within((distance - waist).astype(np.float32))


def _plane_with_clearances(kind: BoardType, joints: Sequence[PlacedJoint], shape: tuple[int, int]) -> Layer:
    """A copper plane: whole but for an antipad around each barrel."""
    plane = np.ones(shape, np.float32)
    for joint in joints:
        window = _window(plane, kind, joint, kind.pad_mm)
        if window is not None:
            window.view[...] *= 1 - window.disc(kind.drill_mm / 2 + 0.25)
    return plane


def _traces(kind: BoardType, shape: tuple[int, int], rng: np.random.Generator) -> Layer:
    """Straight conductors across the view."""
    drawing = np.zeros(shape, np.float32)
    height, width = shape
    for _ in range(int(rng.integers(4, 12))):
        start = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        length, turn = rng.uniform(0.1, 0.6) * width, rng.integers(0, 8) * np.pi / 4
        stop = (int(start[0] + length * np.cos(turn)), int(start[1] + length * np.sin(turn)))
        cv2.line(drawing, start, stop, (1.0,), max(2, int(rng.uniform(0.12, 0.35) / kind.pixel_mm)), cv2.LINE_8)
    return cv2.GaussianBlur(drawing, (0, 0), 0.7).astype(np.float32)


def _components(kind: BoardType, shape: tuple[int, int], rng: np.random.Generator) -> Layer:
    """Chip components on the top face: bodies of ceramic with end caps of solder; 1/mm over half a millimetre."""
    drawing = np.zeros(shape, np.float32)
    height, width = shape
    for _ in range(int(rng.integers(0, 7))):
        long, short = rng.uniform(0.9, 2.0) / kind.pixel_mm, rng.uniform(0.4, 1.0) / kind.pixel_mm
        size = (long, short) if rng.random() < 0.5 else (short, long)
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        corner, far = (int(x), int(y)), (int(x + size[0]), int(y + size[1]))
        cv2.rectangle(drawing, corner, far, (float(rng.uniform(0.15, 0.5)),), -1)
        cap = 0.2 * long
        caps = [(corner, (int(x + cap), far[1])), ((int(far[0] - cap), corner[1]), far)]
        if size[1] > size[0]:
            caps = [(corner, (far[0], int(y + cap))), ((corner[0], int(far[1] - cap)), far)]
        for first, second in caps:
            cv2.rectangle(drawing, first, second, (0.5 * kind.attenuation(kind.solder),), -1)
    return cv2.GaussianBlur(drawing, (0, 0), 0.7).astype(np.float32)
