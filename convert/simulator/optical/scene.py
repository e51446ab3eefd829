"""The scene under the camera: heights and materials of a row of leads, their toes pointing down the image.

Each pixel column belongs to the lead that is nearest in the row, so the whole row is computed at once. In a lead's own
frame x runs along the row and y towards the toe, with the origin in the middle of the foot's tip; millimetres.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from convert.simulator.optical.board_type import OpticalType
from convert.simulator.optical.joint import JointState

Field = NDArray[np.float32]

_MASK_STEP_MM = 0.02
_RISE_MM = 0.55
"""Height of the lead's shoulder above its foot."""
_RISE_SLOPE = 2.2
_SHOULDER_MM = 0.34
"""From the heel to the edge of the package, seen from above."""
_BODY_MM = 0.18
_ABOVE_MM = 0.12
_BELOW_MM = 0.22
_LUMP_MM = 0.0025
"""Standard deviation of the solder surface's unevenness, with a grain of about 0.08 mm."""
_GRAIN_MM = 0.08
_LEAN_MM = 0.1
"""From the toe to where the side fillets differ in full."""
_FILM_MM = 0.004
"""Solder thinner than this on top of the lead does not show."""


class Material(IntEnum):
    """What a pixel shows."""

    MASK = 0
    PAD = 1
    LEAD = 2
    SOLDER = 3
    BODY = 4


class Scene(NamedTuple):
    """A row of leads as float32 (height, width) maps."""

    height_mm: Field
    material: NDArray[np.uint8]
    tarnish: Field
    """Loss of shine of metal, 0 to 1."""


class Frame(NamedTuple):
    """Where a row lies in its image, in pixels: size, the first lead's axis, and the row of the toe tips."""

    height: int
    width: int
    first_x: float
    toe_y: float

    def axis(self, kind: OpticalType, lead: int) -> float:
        """Column of a lead's axis."""
        return self.first_x + lead * kind.pitch_mm / kind.pixel_mm


class _Local(NamedTuple):
    """Coordinates of every pixel in its lead's own frame, and which lead that is."""

    x: Field
    y: Field
    pad_x: Field
    """Like ``x`` and ``y``, but in the frame of the pad, which misplacement leaves where it is."""
    pad_y: Field
    lead: NDArray[np.int64]
    """Index of the lead of each column; shape (width,)."""
    there: NDArray[np.bool_]
    """Whether the column lies inside the row; shape (width,)."""


class _Columns(NamedTuple):
    """Properties of the leads, one value a column; shape (width,) each."""

    height: Field
    reach: Field
    curvature: Field
    cover: Field
    bulge: Field
    left: Field
    shift_x: Field
    shift_y: Field
    turn: Field
    tarnish: Field


def frame_of(kind: OpticalType, leads: int) -> Frame:
    """The image that holds a row of leads, with half a pitch to spare at either end."""
    above = kind.foot_mm + max(kind.heel_mm, _SHOULDER_MM + _BODY_MM) + _ABOVE_MM
    toe_y = above / kind.pixel_mm
    height = toe_y + (kind.toe_mm + _BELOW_MM) / kind.pixel_mm
    width = (leads + 0.6) * kind.pitch_mm / kind.pixel_mm
    return Frame(round(height), round(width), 0.8 * kind.pitch_mm / kind.pixel_mm, toe_y)


def scene_of(kind: OpticalType, joints: Sequence[JointState], frame: Frame, rng: np.random.Generator) -> Scene:
    """Heights and materials of a row."""
    lead_of, offset, there = _owners(kind, len(joints), frame)
    columns = _columns(joints, lead_of)
    local = _local(kind, columns, offset, lead_of, there, frame)
    on_pad = _on_pad(kind, local)
    lead_top, on_lead = _lead(kind, local)
    solder = _solder(kind, columns, local) + _lumps(frame, kind, rng)
    ground = np.where(on_pad, np.float32(_MASK_STEP_MM), np.float32(0))
    wet = (solder > np.where(on_lead, lead_top, ground) + _FILM_MM) & (on_pad | on_lead | (solder > 0.03)) & there
    height = np.where(on_lead, lead_top, ground)
    height = np.where(wet, solder, height)
    material = np.where(on_lead, Material.LEAD, np.where(on_pad, Material.PAD, Material.MASK)).astype(np.uint8)
    material[wet] = Material.SOLDER
    body = np.broadcast_to(local.pad_y < -(kind.foot_mm + _SHOULDER_MM), material.shape)
    material[body] = Material.BODY
    height = np.where(body, np.float32(_RISE_MM), height)
    return Scene(height.astype(np.float32), material, np.broadcast_to(columns.tarnish, height.shape))


def _owners(kind: OpticalType, leads: int, frame: Frame) -> tuple[NDArray[np.int64], Field, NDArray[np.bool_]]:
    """For each column its lead, its distance in mm from that lead's nominal axis, and whether it is in the row."""
    places = (np.arange(frame.width) + 0.5 - frame.first_x) * kind.pixel_mm / kind.pitch_mm
    lead = np.clip(np.rint(places).astype(np.int64), 0, leads - 1)
    offset = (places - lead) * kind.pitch_mm
    return lead, offset.astype(np.float32), np.abs(offset) <= 0.51 * kind.pitch_mm


def _columns(joints: Sequence[JointState], lead_of: NDArray[np.int64]) -> _Columns:
    table = np.array(
        [
            (
                joint.height,
                joint.reach,
                joint.curvature,
                joint.cover,
                joint.bulge,
                joint.left_factor,
                *joint.shift_mm,
                joint.rotation_rad,
                joint.tarnish,
            )
            for joint in joints
        ],
        np.float32,
    )
    return _Columns(*table[lead_of].T)


def _local(
    kind: OpticalType,
    columns: _Columns,
    offset: Field,
    lead_of: NDArray[np.int64],
    there: NDArray[np.bool_],
    frame: Frame,
) -> _Local:
    y = ((np.arange(frame.height) + 0.5 - frame.toe_y) * kind.pixel_mm).astype(np.float32)[:, None]
    x = offset[None, :]
    x1, y1 = x - columns.shift_x, y - columns.shift_y
    pivot = np.float32(kind.foot_mm / 2)  # the foot turns about its middle; the angle is small
    return _Local(x1 + columns.turn * (y1 + pivot), y1 - columns.turn * x1, x, y, lead_of, there)


def _on_pad(kind: OpticalType, local: _Local) -> NDArray[np.bool_]:
    inside_x = (np.abs(local.pad_x) <= kind.pad_width_mm / 2) & local.there
    inside_y = (local.pad_y <= kind.toe_mm) & (local.pad_y >= -(kind.foot_mm + kind.heel_mm))
    return inside_x & inside_y


def _lead(kind: OpticalType, local: _Local) -> tuple[Field, NDArray[np.bool_]]:
    """Height of the lead's top, and where there is lead."""
    half = kind.lead_width_mm / 2
    on_lead = (np.abs(local.x) <= half) & (local.y <= 0) & local.there
    behind = np.maximum(-(local.y + kind.foot_mm), 0)
    rise = np.minimum(_RISE_SLOPE * behind * behind / (behind + 0.08), _RISE_MM)
    edge = np.maximum(np.abs(local.x) / half - 0.8, 0) / 0.2
    tip = np.maximum(local.y / 0.04 + 1, 0)
    rounding = 0.12 * kind.lead_thickness_mm * (edge * edge + tip * tip)
    return (_MASK_STEP_MM + kind.lead_thickness_mm + rise - rounding).astype(np.float32), on_lead


def _solder(kind: OpticalType, columns: _Columns, local: _Local) -> Field:
    """Height of the solder's surface: fillets round the foot, and what lies on top of it."""
    thick, half = kind.lead_thickness_mm, kind.lead_width_mm / 2
    back = np.clip(-local.y / (columns.cover * kind.foot_mm), 0, 1)
    fade = 1 - back * back
    # Along the foot the solder stands no higher than the lead, but for the part that runs up over it from the toe.
    contact = np.minimum(columns.height, 0.97) + np.maximum(columns.height - 0.97, 0) * fade
    lean = np.clip(-local.x / half, -1, 1) * np.clip(-local.y / _LEAN_MM, 0, 1)
    contact = contact * np.exp(lean * np.log(columns.left))
    room_left = kind.pad_width_mm / 2 - half + columns.shift_x
    room_right = kind.pad_width_mm / 2 - half - columns.shift_x
    room = np.maximum(np.where(local.x < 0, room_left, room_right), 0.02) * columns.reach
    across = np.maximum(np.abs(local.x) - half, 0) / room
    along = np.maximum(local.y, 0) / ((kind.toe_mm - columns.shift_y) * columns.reach)
    along = along + np.maximum(-local.y - kind.foot_mm, 0) / (kind.heel_mm * columns.reach)
    u = np.minimum(np.sqrt(across * across + along * along), 1)
    profile = (1 - u) * (1 + columns.curvature * u)
    ahead = np.maximum(1 - along * along, 0)
    dome = columns.bulge * np.maximum(1 - (local.x / half) ** 2, 0) * np.where(local.y <= 0, fade, ahead)
    surface = thick * (contact * profile + dome)
    return np.where(u < 1, _MASK_STEP_MM + surface, 0).astype(np.float32)


def _lumps(frame: Frame, kind: OpticalType, rng: np.random.Generator) -> Field:
    """Unevenness of solidified solder, in mm."""
    grain_px = _GRAIN_MM / kind.pixel_mm
    coarse = rng.standard_normal((round(frame.height / grain_px) + 2, round(frame.width / grain_px) + 2), np.float32)
    return cv2.resize(coarse, (frame.width, frame.height), interpolation=cv2.INTER_CUBIC).astype(
        np.float32, copy=False
    ) * np.float32(_LUMP_MM)
