"""The gallery: simulated slices by class and by board type, with their truth, for an engineer's eye."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib import pyplot as plt

from convert.reports.style import INK, JointRow, joint_rows, write_png
from convert.simulator.difficulty import DIFFICULTIES
from convert.simulator.xray.board import as_read
from convert.simulator.xray.board_type import BoardType, board_type
from convert.simulator.xray.joint import Truth
from convert.simulator.xray.view import SimulatedJoint, SimulatedView, joints_per_view, simulate_view, strip_height
from edge.core.preprocess import Grey, PreprocessSpec, prepare

SEED = 2026
_CLASS_TYPES = (3, 8, 12)
_TYPES = 14
PAGE = """\
# Gallery of simulated joints

Drawn by `axi-convert gallery`, all from board types of seed {seed}. Simulated: no real board is shown.

## By class

Each row is one joint, as the network sees it: the device's own crop, slice 0 (nearest the bottom face) to the last on
the right; dark is dense. Left: the specialist's label, the vertical fill and the share of gas, the board type. Look for
the bright ring between pin and wall that runs through the slices above the solder's surface (insufficient), the bright
bites (voided), the missing dark annulus (missing), the web to a neighbour (short).

![Joints by class]({classes})

## By board type

One row a type, the whole strip of a view at its slice 1, with the boxes the machine gave (blue: right, red: too small
or shifted) and a letter for each joint's label: N normal, M missing, I insufficient, S short, V voided. Types differ in
thickness, barrel, pin, pitch, planes, traces and parts above the board, and in the machine's tilt, number of angles,
pixel pitch, heights, dose, blur, gain and polarity.

![Views by board type]({types})

| type | board | hole, pin | pitch | planes | solder | tilt, angles | dose | polarity |
|---|---|---|---|---|---|---|---|---|
{rows}
"""


class Shown(NamedTuple):
    """One joint's patch (size, size, channels), and what it is."""

    patch: Grey
    slices: int
    joint: SimulatedJoint
    kind: BoardType


class Strip(NamedTuple):
    """One view of a type."""

    kind: BoardType
    image: Grey
    joints: tuple[SimulatedJoint, ...]


def draw_gallery(out: Path) -> list[Path]:
    """Write gallery.md and its two pictures into ``out``; the same bytes each time on one machine."""

    out.mkdir(parents=True, exist_ok=True)
    page, classes, types = (out / name for name in ("gallery.md", "gallery-classes.png", "gallery-types.png"))
    kinds = [board_type(SEED, number) for number in range(_TYPES)]
    draw_classes(classes, list(_by_class()))
    draw_strips(types, [_strip(kind) for kind in kinds])
    rows = "\n".join(_row(kind) for kind in kinds)
    page.write_text(PAGE.format(seed=SEED, classes=classes.name, types=types.name, rows=rows), "utf-8")
    return [page, classes, types]


def _by_class() -> Iterator[Shown]:
    """A joint of every class on each of a few types, boxes right."""
    for truth in Truth:
        for number in _CLASS_TYPES:
            yield _one(truth, board_type(SEED, number))


def _one(truth: Truth, kind: BoardType) -> Shown:
    spec = PreprocessSpec()
    for attempt in range(100):
        view = _view(kind, attempt)
        for joint in view.joints:
            if joint.truth is truth and joint.roi_right and len(view.slices) == 4 and not joint.solder.disputed(kind):
                slices = as_read(view.slices, kind, spec)
                return Shown(prepare(spec, slices, joint.roi), len(slices), joint, kind)
    raise RuntimeError(f"no clear {truth} joint in a hundred views of {kind.name}")


def _strip(kind: BoardType) -> Strip:
    view = _view(kind, 7)
    return Strip(kind, view.slices[min(1, len(view.slices) - 1)], view.joints)


def _view(kind: BoardType, number: int) -> SimulatedView:
    columns = max(1, joints_per_view(kind) // kind.rows)
    count = min(joints_per_view(kind), 2 * columns)
    rng = np.random.default_rng([SEED, 0x6A11, int(kind.name.removeprefix("MB-")), number])
    return simulate_view(kind, count, 0.5, rng, DIFFICULTIES["hard"], (strip_height(kind, count), 1024))


def _row(kind: BoardType) -> str:
    pin = "square" if kind.square_pin else "round"
    return (
        f"| {kind.name} | {kind.thickness_mm:.1f} mm | {kind.drill_mm:.2f} mm, {pin} {kind.pin_mm:.2f} mm "
        f"| {kind.pitch_mm:.2f} mm | {len(kind.planes)} | {kind.solder} at {kind.energy_kev} keV "
        f"| {kind.tilt_deg:.0f} degrees, {kind.azimuths} | {kind.counts:.0f} counts | {kind.polarity} |"
    )


def draw_classes(path: Path, shown: Sequence[Shown]) -> None:
    """Joints as the network sees them, a row each, in two columns of rows."""
    slices = max(joint.slices for joint in shown)
    rows = [
        JointRow(
            joint.patch[..., : joint.slices],
            f"{joint.joint.truth}\nfill {joint.joint.solder.fill:.0%}\n"
            f"gas {joint.joint.solder.void_share(joint.kind):.0%}\n{joint.kind.name}",
        )
        for joint in shown
    ]
    figure = joint_rows(rows, slices, (1.35 * (2 * slices + 1.6), 1.38), size=8)
    figure.subplots_adjust(left=0.09, right=0.995, top=0.995, bottom=0.005, wspace=0.04, hspace=0.04)
    write_png(figure, path, dpi=80)


def draw_strips(path: Path, strips: Sequence[Strip]) -> None:
    """One view a board type with its boxes and labels, in two columns."""
    from matplotlib.patches import Rectangle

    half = -(-len(strips) // 2)
    figure, grid = plt.subplots(half, 2, figsize=(15, 2.75 * half))
    for axes, strip in zip(grid.T.flat, strips, strict=False):
        axes.imshow(strip.image, cmap="gray", vmin=0, vmax=255)
        axes.set_title(strip.kind.name, fontsize=9, loc="left", pad=2)
        axes.set_axis_off()
        for joint in strip.joints:
            box, colour = joint.roi, INK[0] if joint.roi_right else INK[1]
            label = {"fc": colour, "ec": "none", "pad": 1.5}
            size = (box.xmax - box.xmin, box.ymax - box.ymin)
            axes.add_patch(Rectangle((box.xmin, box.ymin), *size, fill=False, ec=colour, lw=1))
            axes.text(
                box.xmin, box.ymin - 3, joint.truth.value[0].upper(), color="white", size=8, va="bottom", bbox=label
            )
    for axes in grid.T.flat[len(strips) :]:
        axes.set_axis_off()
    figure.tight_layout(pad=0.4)
    write_png(figure, path, dpi=70)
