"""Wrong pictures of a joint: its slices mixed up, moved, turned over in grey, or spoilt. Patches in, patches out.

A network tells turned, mirrored and other boards' pictures of joints from right ones as little as a person does: that
takes knowing the view (they are measured all the same).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Patch = NDArray[np.uint8]
Grey = NDArray[np.uint8]
Random = np.random.Generator
Spoil = Callable[[Patch, Random], Patch]
OnSlice = Callable[[Grey, Random], NDArray[Any]]


def used(patch: Patch) -> list[int]:
    """Channels that hold a slice."""
    return [index for index in range(patch.shape[-1]) if patch[..., index].any()]


def _each(change: OnSlice) -> Spoil:
    """The same done to every slice."""

    def spoilt(patch: Patch, rng: Random) -> Patch:
        found, seed = patch.copy(), int(rng.integers(2**31))
        for index in used(patch):
            changed = change(patch[..., index], np.random.default_rng(seed))
            found[..., index] = np.clip(changed, 0, 255).astype(np.uint8)
        return found

    return spoilt


def _reordered(order: Callable[[int, Random], NDArray[np.int64]]) -> Spoil:
    """Slice ``order[i]`` in place of slice i."""

    def spoilt(patch: Patch, rng: Random) -> Patch:
        found, channels = patch.copy(), used(patch)
        if not channels:
            return found
        for index, source in zip(channels, order(len(channels), rng), strict=True):
            found[..., index] = patch[..., channels[source]]
        return found

    return spoilt


def _gain(low: float, high: float) -> OnSlice:
    return lambda grey, rng: grey * rng.uniform(low, high)


def _gamma(low: float, high: float) -> OnSlice:
    return lambda grey, rng: 255 * (grey / 255) ** np.exp(rng.uniform(low, high))


def _window(grey: Grey, rng: Random) -> NDArray[Any]:
    wider = rng.uniform(2.5, 5)
    return grey / wider + rng.uniform(0, 255 * (1 - 1 / wider))


def _blur(low: float, high: float) -> OnSlice:
    return lambda grey, rng: cv2.GaussianBlur(grey, (0, 0), float(rng.uniform(low, high)) * len(grey) / 128)


def _noise(low: float, high: float) -> OnSlice:
    return lambda grey, rng: grey + rng.normal(0, rng.uniform(low, high), grey.shape)


def _window_of(share: float, aside: float) -> OnSlice:
    """A part of the picture, ``share`` of its side, up to ``aside`` of it off the middle, as large as the whole."""

    def cut(grey: Grey, rng: Random) -> NDArray[Any]:
        size, angle = len(grey), rng.uniform(0, 2 * np.pi)
        half = share * size / 2
        x, y = (size / 2 + aside * size * part for part in (np.cos(angle), np.sin(angle)))
        x0, y0 = (int(np.clip(centre - half, 0, size - 2 * half)) for centre in (x, y))
        part = grey[y0 : y0 + int(2 * half), x0 : x0 + int(2 * half)]
        return cv2.resize(part, (size, size), interpolation=cv2.INTER_LINEAR)

    return cut


def _shrunk(grey: Grey, rng: Random) -> NDArray[Any]:
    size = len(grey)
    small = int(size * rng.uniform(0.4, 0.6))
    before = (size - small) // 2
    part = cv2.resize(grey, (small, small), interpolation=cv2.INTER_AREA)
    after = size - small - before
    return cv2.copyMakeBorder(part, before, after, before, after, cv2.BORDER_REFLECT_101)


def _turned(quarters: int) -> OnSlice:
    return lambda grey, _: np.rot90(grey, quarters)


def _one_of_them(count: int, rng: Random) -> NDArray[np.int64]:
    return np.full(count, rng.integers(count))


_AT_THE_EDGE = 0.25
LEARNT: tuple[Spoil, ...] = (
    _reordered(lambda count, rng: rng.permutation(count) if count > 2 else np.arange(count)[::-1]),
    _reordered(_one_of_them),
    _reordered(_one_of_them),
    _each(lambda grey, _: 255 - grey),
    _each(_gain(0.2, 0.45)),
    _each(_gain(1.8, 2.8)),
    _each(_window),
    _each(_gamma(0.7, 1.4)),
    _each(_gamma(-1.4, -0.7)),
    _each(_blur(5, 18)),
    _each(_noise(25, 60)),
    _each(_window_of(0.45, 0.0)),
    _each(_window_of(0.6, 0.35)),
    _each(_shrunk),
)
"""What a familiarity learns to know as wrong."""


def spoilt(patch: Patch, rng: Random) -> Patch:
    """One of ``LEARNT``, at random, of those that change the patch: one slice has no order."""
    for number in rng.permutation(len(LEARNT)):
        found = LEARNT[int(number)](patch, rng)
        if not np.array_equal(found, patch):
            return found
    return np.bitwise_not(patch)


def _fewer(patch: Patch, rng: Random) -> Patch:
    """Without its last slices: other machines take fewer."""
    found, channels = patch.copy(), used(patch)
    if len(channels) > 1 and rng.random() < 0.3:
        found[..., channels[int(rng.integers(1, len(channels))) :]] = 0
    return found


def cut_off(patch: Patch, rng: Random) -> Patch:
    """As it is, or one in four as at the edge of its frame, beyond which all is black: by a pixel or by up to half."""
    if rng.random() >= _AT_THE_EDGE:
        return patch
    size, found = len(patch), patch.copy()
    for _ in range(int(rng.integers(1, 3))):
        lost = max(1, int(size * 0.5 * rng.random() ** 3))
        side = int(rng.integers(4))
        turned = np.rot90(found, side)  # a view, into which is written
        turned[:lost] = 0
    return found


def varied(patch: Patch, rng: Random) -> Patch:
    """As right as the patch is: turned, mirrored, a little darker or brighter, nearer, perhaps of fewer slices."""
    turns, mirror = int(rng.integers(4)), rng.random() < 0.5
    whole = np.rot90(patch, turns)[:, ::-1] if mirror else np.rot90(patch, turns)
    closer = _each(_window_of(float(rng.uniform(0.85, 1.0)), 0.04))
    found = closer(_each(_gain(0.85, 1.15))(_each(_gamma(-0.2, 0.2))(whole, rng), rng), rng)
    return _fewer(found, rng)


STACKS: Mapping[str, Spoil] = {
    "wrong polarity": _each(lambda grey, _: 255 - grey),
    "order reversed": _reordered(lambda count, _: np.arange(count)[::-1]),
    "order shifted by one": _reordered(lambda count, _: np.roll(np.arange(count), 1)),
    "first slice in all places": _reordered(lambda count, _: np.zeros(count, np.int64)),
    "middle slice in all places": _reordered(lambda count, _: np.full(count, count // 2)),
    "exposure at 0.3": _each(_gain(0.3, 0.3)),
    "exposure doubled": _each(_gain(2.0, 2.0)),
    "window four times too wide": _each(lambda grey, _: grey / 4 + 96.0),
    "gamma 3": _each(_gamma(1.1, 1.1)),
    "blurred by 8 of 128 pixels": _each(_blur(8, 8)),
    "blurred by 16 of 128 pixels": _each(_blur(16, 16)),
    "noise of 40 grey levels": _each(_noise(40, 40)),
    "twice too near": _each(_window_of(0.5, 0.0)),
    "twice too far": _each(_shrunk),
    "turned by 180 degrees": _each(_turned(2)),
    "mirrored": _each(lambda grey, _: grey[:, ::-1]),
}
"""What it is measured on."""
