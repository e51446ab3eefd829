"""What a joint may look like another time: seen from another side, under a wrong box, brighter, with a slice lost.

A patch is changed, not the picture it was cut from: what lies beyond its rim is not known, and is mirrored.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from convert.lots.patches import Patches

Patch = NDArray[np.uint8]

_LEVELS = np.arange(256) / 255
_LEAST_SLICES = 2
"""A joint of fewer keeps them all."""


@dataclass(frozen=True)
class Augmentation:
    """How far each change may go; every one is drawn anew for every joint and epoch.

    ``scale``: least and greatest size of the box against the right one; ``shift``: of its middle, as a share of its
    side. ``gain``, ``gamma`` (least and greatest) and ``offset`` (either way): of grey values in [0, 1], as
    gain * value ** gamma + offset; 0, which is no image, stays 0. ``slice_loss``: the share of joints that lose one of
    their slices.
    """

    scale: tuple[float, float] = (1.0, 1.0)
    shift: float = 0.0
    gain: tuple[float, float] = (1.0, 1.0)
    gamma: tuple[float, float] = (1.0, 1.0)
    offset: float = 0.0
    slice_loss: float = 0.0


@dataclass(frozen=True)
class _Change:
    """What was drawn for one joint. ``turn``: one of the eight symmetries of the square; ``lost``: which of the slices
    it holds, None for none."""

    turn: int
    scale: float
    shift: tuple[float, float]
    gain: float
    gamma: float
    offset: float
    lost: float | None


TURNS_ONLY = Augmentation()
WRONG_BOXES_AND_LIGHT = Augmentation(
    scale=(0.8, 1.2), shift=0.06, gain=(0.85, 1.15), gamma=(0.8, 1.25), offset=0.06, slice_loss=0.05
)
"""About what simulated and real machines differ by."""


def augmented(patches: Patches, limits: Augmentation, rng: np.random.Generator) -> Patches:
    """uint8 (n, size, size, channels), each joint changed in its own way."""
    changes = _drawn(limits, len(patches), rng)
    return np.stack([_changed(patch, change) for patch, change in zip(patches, changes, strict=True)])


def _drawn(limits: Augmentation, joints: int, rng: np.random.Generator) -> list[_Change]:
    turns = rng.integers(8, size=joints)
    if limits == TURNS_ONLY:
        return [_Change(int(turn), 1.0, (0.0, 0.0), 1.0, 1.0, 0.0, None) for turn in turns]
    shifts = rng.uniform(-limits.shift, limits.shift, (joints, 2))
    scales, gains, gammas = (_log_uniform(rng, *bounds, joints) for bounds in (limits.scale, limits.gain, limits.gamma))
    offsets = rng.uniform(-limits.offset, limits.offset, joints)
    loses, which = rng.random((2, joints))
    drawn = zip(turns, scales, shifts, gains, gammas, offsets, loses < limits.slice_loss, which, strict=True)
    return [
        _Change(int(turn), scale, (right, down), gain, gamma, offset, place if lost else None)
        for turn, scale, (right, down), gain, gamma, offset, lost, place in drawn
    ]


def _log_uniform(rng: np.random.Generator, least: float, most: float, count: int) -> NDArray[np.float64]:
    """As often half as double."""
    return np.exp(rng.uniform(np.log(least), np.log(most), count))


def _changed(patch: Patch, change: _Change) -> Patch:
    patch = _moved(patch, change)
    if (change.gain, change.gamma, change.offset) != (1.0, 1.0, 0.0):
        patch = np.asarray(cv2.LUT(patch, _curve(change)), np.uint8)
    if change.lost is not None:
        held = np.flatnonzero(patch.any(axis=(0, 1)))
        if len(held) > _LEAST_SLICES:
            patch[..., held[int(change.lost * len(held))]] = 0
    return patch


def _moved(patch: Patch, change: _Change) -> Patch:
    """Turned, and what a box ``scale`` times as large, its middle moved by ``shift`` of its side, would have cut."""
    size = patch.shape[0]
    middle = (size - 1) / 2
    line = (np.arange(size, dtype=np.float32) - middle) * change.scale
    along, down = (middle + size * part for part in change.shift)
    columns, rows = np.broadcast_to(line, (size, size)), np.broadcast_to(line[:, np.newaxis], (size, size))
    if change.turn >= 4:
        columns = -columns
    for _ in range(change.turn % 4):
        rows, columns = columns, -rows
    places = (np.float32(along) + columns, np.float32(down) + rows)
    moved = cv2.remap(patch, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(moved, np.uint8).reshape(patch.shape)


def _curve(change: _Change) -> NDArray[np.uint8]:
    """The 256 levels as they become."""
    values = change.gain * _LEVELS**change.gamma + change.offset
    curve = np.clip(np.rint(255 * values), 1, 255).astype(np.uint8)
    curve[0] = 0
    return curve
