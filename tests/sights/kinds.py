"""What exporters, operators and machines get wrong: pictures that are not what their manifest says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from convert.simulator.wrong.pictures import EXTENTS, PICTURES, fitted

Grey = NDArray[np.uint8]
Stack = NDArray[np.uint8]
"""A view's slices where solder is dark: uint8 (slices, height, width)."""
Random = np.random.Generator


class Scene(NamedTuple):
    """A view, and what may be shown instead of it: another view of the board, a board of another type."""

    right: Stack
    other_view: Stack
    other_type: Stack


Wrong = Callable[[Scene, Random], Stack]
_TILE = 128


def _stored(grey: NDArray[Any]) -> Grey:
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)


def _whole(change: Callable[[Stack], NDArray[Any]]) -> Wrong:
    return lambda scene, _: np.ascontiguousarray(_stored(change(scene.right)))


def _each(change: Callable[[Grey], NDArray[Any]]) -> Wrong:
    return lambda scene, _: np.stack([_stored(change(grey)) for grey in scene.right])


def _noisy(amount: float) -> Wrong:
    return lambda scene, rng: _stored(scene.right + rng.normal(0, amount, scene.right.shape))


def _as_many(stack: Stack, scene: Scene) -> Stack:
    """As many slices as the view has; what lacks is taken from the end."""
    return stack[[min(index, len(stack) - 1) for index in range(len(scene.right))]]


def _warped(angle: float, scale: float) -> Wrong:
    def change(grey: Grey) -> Grey:
        height, width = grey.shape
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, scale)
        return cv2.warpAffine(grey, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE).astype(np.uint8)

    return _each(change)


def _moved(down: int, across: int) -> Wrong:
    def change(grey: Grey) -> Grey:
        matrix = np.array([[1, 0, across], [0, 1, down]], np.float32)
        return cv2.warpAffine(grey, matrix, grey.shape[::-1], borderMode=cv2.BORDER_REPLICATE).astype(np.uint8)

    return _each(change)


def _swapped(first: int, second: int) -> Wrong:
    def change(stack: Stack) -> Stack:
        order = list(range(len(stack)))
        if second < len(order):
            order[first], order[second] = second, first
        return stack[order]

    return _whole(change)


def _filled(draw: Callable[[Random, float], NDArray[np.floating[Any]]], extent: float) -> Wrong:
    """A picture of no joint, again and again over the frame."""

    def shown(scene: Scene, rng: Random) -> Stack:
        _, height, width = scene.right.shape
        tile = fitted(draw(rng, extent), _TILE)
        frame = np.tile(tile, (-(-height // _TILE), -(-width // _TILE)))[:height, :width]
        return _stored(frame + rng.normal(0, 3, scene.right.shape))

    return shown


def _stripes(scene: Scene, rng: Random) -> Stack:
    wave = 128 + 60 * np.sin(np.arange(scene.right.shape[2]) / 9)
    return _stored(wave + rng.normal(0, 3, scene.right.shape))


def _half_black(stack: Stack) -> Stack:
    found = stack.copy()
    found[:, stack.shape[1] // 2 :] = 0
    return found


WRONG: Mapping[str, Wrong] = {
    "turned by 180 degrees": _whole(lambda seen: seen[:, ::-1, ::-1]),
    "turned by 90 degrees": _whole(lambda seen: np.rot90(seen, 1, (1, 2))),
    "turned by 270 degrees": _whole(lambda seen: np.rot90(seen, 3, (1, 2))),
    "mirrored left to right": _whole(lambda seen: seen[:, :, ::-1]),
    "mirrored top to bottom": _whole(lambda seen: seen[:, ::-1]),
    "transposed": _whole(lambda seen: seen.transpose(0, 2, 1)),
    "turned by 2 degrees": _warped(2, 1),
    "slice order reversed": _whole(lambda seen: seen[::-1]),
    "slices shifted up by one": _whole(lambda seen: np.roll(seen, -1, 0)),
    "slices shifted down by one": _whole(lambda seen: np.roll(seen, 1, 0)),
    "slices 0 and 1 swapped": _swapped(0, 1),
    "slices 1 and 2 swapped": _swapped(1, 2),
    "slices 2 and 3 swapped": _swapped(2, 3),
    "first slice in all places, with other noise": lambda scene, rng: _stored(
        np.repeat(scene.right[:1], len(scene.right), 0) + rng.normal(0, 2, scene.right.shape)
    ),
    "last slice lost": _whole(lambda seen: seen[:-1] if len(seen) > 1 else seen[:, :-1]),
    "turned and in reverse order": _whole(lambda seen: seen[::-1, ::-1, ::-1]),
    "another view of the board": lambda scene, _: _as_many(scene.other_view, scene),
    "a board of another type": lambda scene, _: _as_many(scene.other_type, scene),
    "shifted by 24 pixels": _moved(24, 0),
    "shifted by 40 pixels": _moved(0, 40),
    "shifted by one joint": _moved(0, 96),
    "magnified by 1.1": _warped(0, 1.1),
    "reduced by 0.9": _warped(0, 0.9),
    "exposure at 0.3": _whole(lambda seen: 0.3 * seen),
    "exposure at 0.6": _whole(lambda seen: 0.6 * seen),
    "exposure doubled": _whole(lambda seen: 2.0 * seen),
    "window four times too wide": _whole(lambda seen: seen / 4 + 96.0),
    "gamma 3": _whole(lambda seen: 255 * (seen / 255) ** 3),
    "grey turned over": _whole(lambda seen: 255 - seen),
    "blurred by 8 pixels": _each(lambda grey: cv2.GaussianBlur(grey, (0, 0), 8)),
    "noise of 30 grey levels": _noisy(30),
    "lower half black": _whole(_half_black),
    "stripes": _stripes,
}
"""Of 1024 x 1024 pixels, joints some 96 apart."""
NO_JOINT: Mapping[str, Wrong] = {
    f"{name}, extent {extent}": _filled(draw, extent) for name, draw in PICTURES.items() for extent in EXTENTS
}
