"""Pictures of no joint: shapes, text, gradients, textures, bare fields; drawn at random, noisy and blurred or not.

``drawn`` is what a familiarity learns from; ``PICTURES`` are what it is measured on, each a kind of its own.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
Floats = NDArray[np.float32]
Random = np.random.Generator
Level = tuple[float]
"""A grey level, as OpenCV takes it."""

_SIDE = 128
"""Pixels that everything is drawn at."""
_SLICES = (1, 2, 3, 4, 4, 4, 4, 4, 5, 6)
"""How many a view has, the usual number most often."""


def drawn(rng: Random, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """A patch (size, size, channels) of no joint: one picture in all its slices, or another in each."""
    size, _, channels = shape
    slices, noise = min(channels, int(rng.choice(_SLICES))), float(rng.choice([0, 0, 1, 2, 4, 8]))
    first, same = _anything(rng), rng.random() < 0.7
    patch = np.zeros(shape, np.uint8)
    for index in range(slices):
        picture = first if same else _anything(rng)
        patch[..., index] = fitted(picture + rng.normal(0, noise, picture.shape), size)
    return patch


def fitted(picture: NDArray[np.floating[Any]], size: int) -> Grey:
    """Grey levels of a picture, at ``size`` pixels a side."""
    grey = np.clip(picture, 0, 255).astype(np.uint8)
    return grey if len(grey) == size else cv2.resize(grey, (size, size), interpolation=cv2.INTER_AREA).astype(np.uint8)


def _anything(rng: Random) -> Floats:
    return _scrawl(rng) if rng.random() < 0.6 else _bare_shapes(rng)


def _bare_shapes(rng: Random) -> Floats:
    """Round and square things on a brighter or darker ground, most like a joint of all that is none."""
    picture = _level(rng)
    level = (float(np.clip(picture[0, 0] + rng.choice([-1, -1, -1, 1]) * rng.uniform(20, 200), 0, 255)),)
    shape = _BARE[int(rng.integers(len(_BARE)))]
    shape(picture, rng, level)
    if rng.random() < 0.3:
        picture = cv2.GaussianBlur(picture, (0, 0), float(np.exp(rng.uniform(-1, 1.5)))).astype(np.float32)
    return picture


def _scrawl(rng: Random) -> Floats:
    ground = _GROUNDS[int(rng.integers(len(_GROUNDS)))]
    picture = np.ascontiguousarray(ground(rng), np.float32)
    for _ in range(int(rng.choice([0, 0, 1, 1, 1, 1, 2, 4, 10]))):
        _SHAPES[int(rng.integers(len(_SHAPES)))](picture, rng, (float(rng.integers(0, 256)),))
    if rng.random() < 0.5:
        picture = cv2.GaussianBlur(picture, (0, 0), float(np.exp(rng.uniform(-1, 2.2)))).astype(np.float32)
    return picture


def _grid() -> tuple[Floats, Floats]:
    y, x = np.mgrid[:_SIDE, :_SIDE].astype(np.float32)
    return y, x


def _level(rng: Random) -> Floats:
    return np.full((_SIDE, _SIDE), float(rng.integers(0, 256)), np.float32)


def _ramp(rng: Random) -> Floats:
    (y, x), angle, (low, high) = _grid(), rng.uniform(0, 2 * np.pi), rng.uniform(0, 255, 2)
    along = np.cos(angle) * x + np.sin(angle) * y
    found: Floats = (low + (high - low) * (along - along.min()) / np.ptp(along)).astype(np.float32)
    return found


def _clouds(rng: Random, coarseness: float | None = None) -> Floats:
    coarse = coarseness or float(np.exp(rng.uniform(0, 3)))
    texture = cv2.GaussianBlur(rng.normal(size=(_SIDE, _SIDE)), (0, 0), coarse)
    spread = (texture - texture.mean()) / texture.std()
    found: Floats = (rng.uniform(40, 220) + rng.uniform(3, 70) * spread).astype(np.float32)
    return found


def _stripes(rng: Random, period: float | None = None) -> Floats:
    (y, x), angle = _grid(), rng.uniform(0, np.pi)
    wave = np.sin((np.cos(angle) * x + np.sin(angle) * y) * 2 * np.pi / (period or rng.uniform(3, 60)))
    wave = np.sign(wave) if rng.random() < 0.5 else wave
    found: Floats = (rng.uniform(60, 200) + rng.uniform(5, 120) * wave).astype(np.float32)
    return found


_GROUNDS = (_level, _level, _ramp, _clouds, _stripes)


def _spot(rng: Random) -> tuple[int, int]:
    x, y = rng.integers(10, _SIDE - 10, 2)
    return int(x), int(y)


def _width(rng: Random) -> int:
    """Of a line; -1 fills the shape."""
    return -1 if rng.random() < 0.5 else int(rng.integers(1, 14))


def _ellipse(picture: Floats, rng: Random, level: Level) -> None:
    axes = (int(rng.integers(3, 60)), int(rng.integers(3, 60)))
    cv2.ellipse(picture, _spot(rng), axes, float(rng.uniform(0, 180)), 0, 360, level, _width(rng))


def _round_in_the_middle(picture: Floats, rng: Random, level: Level) -> None:
    x, y = (int(_SIDE / 2 + shift) for shift in rng.integers(-10, 11, 2))
    cv2.circle(picture, (x, y), int(rng.integers(4, 56)), level, _width(rng))


def _square_in_the_middle(picture: Floats, rng: Random, level: Level) -> None:
    half, (x, y) = int(rng.integers(4, 56)), rng.integers(-10, 11, 2) + _SIDE // 2
    cv2.rectangle(picture, (int(x) - half, int(y) - half), (int(x) + half, int(y) + half), level, _width(rng))


def _polygon(picture: Floats, rng: Random, level: Level) -> None:
    corners, (x, y), width = int(rng.integers(3, 8)), _spot(rng), _width(rng)
    angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
    reach = rng.integers(3, 60) * rng.uniform(0.5, 1.2, corners)
    points = np.stack([x + reach * np.cos(angles), y + reach * np.sin(angles)], axis=1).astype(np.int32)
    if width < 0:
        cv2.fillPoly(picture, [points], level)
    else:
        cv2.polylines(picture, [points], isClosed=True, color=level, thickness=width)


def _line(picture: Floats, rng: Random, level: Level) -> None:
    cv2.line(picture, _spot(rng), _spot(rng), level, int(rng.integers(1, 14)))


def _word(picture: Floats, rng: Random, level: Level, scale: float | None = None) -> None:
    letters = "".join(rng.choice(list(string.ascii_uppercase + string.digits), 10))
    height = scale or float(rng.uniform(0.3, 1.6))
    place = (int(rng.integers(0, 30)), int(rng.integers(10, _SIDE)))
    cv2.putText(picture, letters, place, cv2.FONT_HERSHEY_SIMPLEX, height, level, int(rng.integers(1, 4)))


def _many(picture: Floats, rng: Random, level: Level) -> None:
    """Rows and columns of one shape."""
    half, width, round_ones = int(rng.integers(3, 32)), _width(rng), rng.random() < 0.6
    step = int(half * rng.uniform(2.2, 5)) + 1
    x0, y0 = (int(first) for first in rng.integers(0, step, 2))
    for x in range(x0, _SIDE + half, step):
        for y in range(y0, _SIDE + half, step):
            if round_ones:
                cv2.circle(picture, (x, y), half, level, width)
            else:
                cv2.rectangle(picture, (x - half, y - half), (x + half, y + half), level, width)


_SHAPES = (
    _ellipse,
    _round_in_the_middle,
    _round_in_the_middle,
    _square_in_the_middle,
    _many,
    _many,
    _polygon,
    _line,
    _word,
)


_BARE = (_round_in_the_middle, _round_in_the_middle, _square_in_the_middle, _many, _many)


Draw = Callable[[Random, float], Floats]
"""A picture whose features have a certain extent: a share of the picture's side."""


def _shades(rng: Random) -> tuple[float, Level]:
    """Of the ground, and of what stands dark on it."""
    ground = float(rng.integers(120, 240))
    return ground, (float(rng.integers(10, int(ground) - 40)),)


def _on_a_ground(draw: Callable[[Floats, int, Level, Random], None]) -> Draw:
    def picture(rng: Random, extent: float) -> Floats:
        ground, level = _shades(rng)
        found = np.full((_SIDE, _SIDE), ground, np.float32)
        draw(found, int(extent * _SIDE * rng.uniform(0.8, 1.2)), level, rng)
        return found

    return picture


def _middle(rng: Random) -> tuple[int, int]:
    x, y = rng.integers(-6, 7, 2) + _SIDE // 2
    return int(x), int(y)


def _dark_square(picture: Floats, half: int, level: Level, rng: Random) -> None:
    x, y = _middle(rng)
    cv2.rectangle(picture, (x - half, y - half), (x + half, y + half), level, -1)


def _square_frame(picture: Floats, half: int, level: Level, rng: Random) -> None:
    x, y = _middle(rng)
    cv2.rectangle(picture, (x - half, y - half), (x + half, y + half), level, max(2, half // 4))


def _disc(picture: Floats, radius: int, level: Level, rng: Random) -> None:
    cv2.circle(picture, _middle(rng), radius, level, -1)


def _ring(picture: Floats, radius: int, level: Level, rng: Random) -> None:
    cv2.circle(picture, _middle(rng), radius, level, max(3, radius // 3))


def _balls(picture: Floats, radius: int, level: Level, rng: Random) -> None:
    x0, y0 = rng.integers(0, 2 * radius + 2, 2)
    for x in range(int(x0), _SIDE + radius, 3 * radius):
        for y in range(int(y0), _SIDE + radius, 3 * radius):
            cv2.circle(picture, (x, y), radius, level, -1)


def _text(picture: Floats, height: int, level: Level, rng: Random) -> None:
    for y in range(height, _SIDE + height, max(8, 2 * height)):
        letters = "".join(rng.choice(list(string.ascii_letters), 14))
        cv2.putText(picture, letters, (2, y), cv2.FONT_HERSHEY_SIMPLEX, height / 20, level, max(1, height // 8))


def _flat(rng: Random, _extent: float) -> Floats:
    return rng.normal(rng.integers(60, 220), 3, (_SIDE, _SIDE)).astype(np.float32)


def _noise(rng: Random, extent: float) -> Floats:
    cells = max(4, int(_SIDE / (1 + 8 * extent)))
    field = rng.integers(0, 256, (cells, cells)).astype(np.float32)
    return cv2.resize(field, (_SIDE, _SIDE), interpolation=cv2.INTER_NEAREST).astype(np.float32)


PICTURES: Mapping[str, Draw] = {
    "dark squares": _on_a_ground(_dark_square),
    "square frames": _on_a_ground(_square_frame),
    "discs": _on_a_ground(_disc),
    "rings": _on_a_ground(_ring),
    "grids of balls": _on_a_ground(_balls),
    "text": _on_a_ground(_text),
    "grey ramps": lambda rng, _: _ramp(rng),
    "flat fields": _flat,
    "noise": _noise,
    "clouds": lambda rng, extent: _clouds(rng, 40 * extent),
    "stripes": lambda rng, extent: _stripes(rng, _SIDE * extent),
}
EXTENTS = (0.08, 0.16, 0.28)
"""Three sizes of what is drawn."""
