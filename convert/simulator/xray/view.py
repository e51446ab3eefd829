"""One simulated view: joints on their grid, six slice heights, boxes as a machine would give them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from convert.simulator.difficulty import DIFFICULTIES, Difficulty
from convert.simulator.xray.board_type import SLICE_LIMIT, BoardType
from convert.simulator.xray.joint import Solder, Truth, draw_solder
from convert.simulator.xray.optics import Detector, expose, slice_at, transmissions
from convert.simulator.xray.volume import Layer, PlacedJoint, board_integral, build_volume
from edge.core.job import Roi

FRAME_PX = 1024
SLICE_COUNTS = (763, 1_694, 7_576, 466_029, 41_345, 945)
"""Joints by number of slices, 1 to 6 (Zhang et al., Table IV)."""
_UNSTEADY_PX = 8
"""How far boards lie from where they should, each way."""
_DEFECTS = (Truth.MISSING, Truth.INSUFFICIENT, Truth.SHORT, Truth.VOIDED)


@dataclass(frozen=True)
class SimulatedJoint:
    roi: Roi
    roi_right: bool
    truth: Truth
    solder: Solder


@dataclass(frozen=True)
class SimulatedView:
    """``slices``: uint8 (height, width) images as the machine stores them, slice k at position k."""

    slices: tuple[NDArray[np.uint8], ...]
    joints: tuple[SimulatedJoint, ...]


def joints_per_view(kind: BoardType, width_px: int = FRAME_PX) -> int:
    """How many joints of a connector of this type fit into one view."""
    return len(_grid(kind, (width_px, width_px)))


def strip_height(kind: BoardType, count: int, width_px: int = FRAME_PX) -> int:
    """Rows of a frame that just holds ``count`` joints, their crops and what shades them: all that training needs."""
    columns = len({x for x, _ in _grid(kind, (width_px, width_px))})
    rows = -(-count // columns)
    return min(FRAME_PX, int(np.ceil((rows + 1.6) * kind.pitch_mm / kind.pixel_mm)))


def simulate_view(
    kind: BoardType,
    count: int,
    defect_share: float,
    rng: np.random.Generator,
    difficulty: Difficulty = DIFFICULTIES["hard"],
    frame: tuple[int, int] = (FRAME_PX, FRAME_PX),
    drawing: np.random.Generator | None = None,
) -> SimulatedView:
    """Draw ``count`` joints of a connector, at most ``joints_per_view``, and take the machine's slices of them.

    ``drawing``: decides what all boards of a type have in common there, traces and components and the number of slices;
    without it that is drawn anew for every board.
    """
    if drawing is None:
        drawing, aside = rng, None
        centres = np.array(_grid(kind, frame)[:count]) + rng.uniform(-_UNSTEADY_PX, _UNSTEADY_PX, 2)
    else:
        centres = np.array(_grid(kind, frame)[:count])
        down, across = rng.integers(-_UNSTEADY_PX, _UNSTEADY_PX + 1, 2)
        aside = int(down), int(across)
    solders = _draw_solders(kind, centres, defect_share, rng, difficulty)
    number = int(drawing.choice(SLICE_LIMIT, p=np.array(SLICE_COUNTS) / sum(SLICE_COUNTS))) + 1
    clean = _clean_slices(kind, centres, solders, frame, number, drawing, difficulty.clutter, aside)
    jitter = difficulty.exposure_jitter
    detector = Detector(
        counts=difficulty.dose * kind.counts,
        blur_px=kind.blur_px,
        scatter=kind.scatter,
        gain=min(250 - kind.offset, kind.gain * float(np.exp(rng.normal(0, jitter)))),
        offset=kind.offset * float(np.exp(rng.normal(0, 2 * jitter))),
        gamma=kind.gamma,
        gain_ripple=kind.gain_ripple,
    )
    slices = [expose(image, rng, detector) for image in clean]
    if kind.polarity == "solder_bright":
        slices = [np.bitwise_not(image) for image in slices]
    right = bool(rng.random() >= difficulty.wrong_roi_share)
    where = (0, 0) if aside is None else aside[::-1]
    joints = [
        SimulatedJoint(_box(kind, centre + where, right=right, rng=rng), right, solder.truth(kind), solder)
        for centre, solder in zip(centres, solders, strict=True)
    ]
    return SimulatedView(tuple(slices), tuple(joints))


def _clean_slices(
    kind: BoardType,
    centres: NDArray[np.float64],
    solders: Sequence[Solder],
    frame: tuple[int, int],
    number: int,
    rng: np.random.Generator,
    clutter: float,
    aside: tuple[int, int] | None,
) -> list[Layer]:
    """What an ideal detector would see: ``number`` slices of the frame, in transmitted intensity. ``aside``: pixels
    (down, across) by which all that is on the board lies elsewhere.
    """
    margin = _margin(kind) + (0 if aside is None else _UNSTEADY_PX)
    top, left = (margin - moved for moved in aside or (0, 0))
    placed = [PlacedJoint(x + margin, y + margin, solder) for (x, y), solder in zip(centres, solders, strict=True)]
    shape = (frame[0] + 2 * margin, frame[1] + 2 * margin)
    optics = {"tilt_deg": kind.tilt_deg, "pixel_mm": kind.pixel_mm}
    slabs = build_volume(kind, placed, shape, rng, clutter=clutter)
    projections = transmissions(slabs, shape, azimuths=kind.azimuths, background=board_integral(kind), **optics)
    return [
        slice_at(projections, fraction * kind.thickness_mm, **optics)[top : top + frame[0], left : left + frame[1]]
        for fraction in kind.slice_heights[:number]
    ]


def _draw_solders(
    kind: BoardType,
    centres: NDArray[np.float64],
    defect_share: float,
    rng: np.random.Generator,
    difficulty: Difficulty,
) -> list[Solder]:
    """A joint for each centre; a bridge ends at a neighbour, which is then shorted as well."""
    solders = []
    ends = []
    for i, centre in enumerate(centres):
        apart = (centres - centre) * kind.pixel_mm
        near = [j for j in np.flatnonzero(np.hypot(*apart.T) < 1.1 * kind.pitch_mm) if j != i]
        reaches = [(float(apart[j, 0]), float(apart[j, 1])) for j in near]
        wanted = _draw_truth(kind, defect_share, rng)
        if wanted is Truth.SHORT and not near:
            wanted = Truth.INSUFFICIENT  # a joint alone in its view has nothing to be shorted with
        solders.append(draw_solder(kind, wanted, rng, reaches, difficulty))
        if wanted is Truth.SHORT:
            ends.append(near[reaches.index(solders[-1].bridge or reaches[0])])
    for end in ends:
        solders[end] = replace(solders[end], bridged=True)
    return solders


def _draw_truth(kind: BoardType, defect_share: float, rng: np.random.Generator) -> Truth:
    if rng.random() >= defect_share:
        return Truth.NORMAL
    return _DEFECTS[int(rng.choice(len(_DEFECTS), p=kind.defect_mix))]


def _grid(kind: BoardType, frame: tuple[int, int]) -> list[tuple[float, float]]:
    """Centres of a connector's pins, row by row, in pixels of a frame (height, width)."""
    height, width = frame
    pitch = kind.pitch_mm / kind.pixel_mm
    columns = int((width - 2 * pitch * 0.6) // pitch) + 1
    rows = min(kind.rows, int((height - 2 * pitch * 0.6) // pitch) + 1)
    left, top = (width - (columns - 1) * pitch) / 2, (height - (rows - 1) * pitch) / 2
    return [(left + c * pitch, top + r * pitch) for r in range(rows) for c in range(columns)]


def _margin(kind: BoardType) -> int:
    """Pixels that a ray through the frame may leave it by, at the outermost heights."""
    span = max(kind.thickness_mm + kind.pin_above_mm, kind.pin_below_mm) + kind.thickness_mm
    return int(np.ceil(span * np.tan(np.radians(kind.tilt_deg)) / kind.pixel_mm)) + 2


def _box(kind: BoardType, centre: Sequence[float], *, right: bool, rng: np.random.Generator) -> Roi:
    """The machine's box around the pad; a wrong one is too small or shifted."""
    size = kind.pad_mm / kind.pixel_mm * rng.uniform(0.98, 1.12)
    shift = rng.normal(0, 0.03 * size, 2)
    if not right:
        if rng.random() < 0.5:
            size *= rng.uniform(0.5, 0.75)
        else:
            turn = rng.uniform(0, 2 * np.pi)
            shift += size * rng.uniform(0.25, 0.5) * np.array([np.cos(turn), np.sin(turn)])
    x, y = centre[0] + shift[0], centre[1] + shift[1]
    half = size / 2
    return Roi(round(x - half), round(y - half), max(round(x + half), round(x - half) + 1), round(y + half))
