"""One view: an image of a row of joints, toes down, with the box the machine gives each of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from convert.simulator.optical.board_type import OpticalType
from convert.simulator.optical.joint import JointState, draw_joint
from convert.simulator.optical.optics import Image, photograph
from convert.simulator.optical.scene import Frame, frame_of, scene_of
from edge.core.job import Roi

_BOX_NOISE = 0.012
"""Standard deviation of a box's corners, as a share of its longer side."""
_BESIDE = 0.06
"""Free space at either side of pad and lead within the box, as a share of the pad's length."""


class OpticalJoint(NamedTuple):
    """A joint and its box in the view's image."""

    state: JointState
    roi: Roi


class OpticalView(NamedTuple):
    """One image of a row of joints."""

    image: Image
    joints: tuple[OpticalJoint, ...]


def simulate_optical_view(kind: OpticalType, solder: Sequence[float], rng: np.random.Generator) -> OpticalView:
    """A row of joints with these amounts of solder, left to right."""
    states = [draw_joint(kind, amount, rng) for amount in solder]
    frame = frame_of(kind, len(states))
    image = photograph(kind, scene_of(kind, states, frame, rng), rng)
    boxes = [_box(kind, frame, number, rng) for number in range(len(states))]
    return OpticalView(image, tuple(OpticalJoint(*pair) for pair in zip(states, boxes, strict=True)))


def _box(kind: OpticalType, frame: Frame, lead: int, rng: np.random.Generator) -> Roi:
    """The box round pad and lead."""
    length = (kind.heel_mm + kind.foot_mm + kind.toe_mm) / kind.pixel_mm
    x, beside = frame.axis(kind, lead), _BESIDE * length
    half = kind.pad_width_mm / 2 / kind.pixel_mm + beside
    top = frame.toe_y - (kind.foot_mm + kind.heel_mm) / kind.pixel_mm - beside
    bottom = frame.toe_y + kind.toe_mm / kind.pixel_mm + beside
    noise = np.clip(rng.normal(0, _BOX_NOISE, 4), -2 * _BOX_NOISE, 2 * _BOX_NOISE) * length
    corners = np.array([x - half, top, x + half, bottom]) + noise
    return Roi(*(round(float(corner)) for corner in corners))
