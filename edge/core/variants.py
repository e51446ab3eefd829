"""Joints made of other joints: as many as one likes, the same on every computer, for comparing what computes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from edge.core.preprocess import Patch

_SEED = 2026
_SHIFT = 12
"""Pixels at most, each way."""


class _Numbers:
    """Whole numbers from a generator whose stream numpy promises to keep (Philox)."""

    def __init__(self, seed: int) -> None:
        self._stream = np.random.Philox(key=seed)

    def below(self, limit: int) -> int:
        return int(self._stream.random_raw()) % limit

    def bytes(self, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        count = int(np.prod(shape))
        raw = np.asarray(self._stream.random_raw((count + 7) // 8), np.dtype("<u8"))
        return raw.view(np.uint8)[:count].reshape(shape)


def variants(patches: Sequence[Patch], count: int) -> Iterator[Patch]:
    """``count`` patches out of these, uint8 of their shape: two of them mixed, turned over, moved, darker or brighter,
    with a round spot and with noise. In whole numbers throughout, so that none differs in a bit anywhere.

    They are no joints that a line would show: they spread over what a network can be shown, its thresholds included.
    """
    numbers = _Numbers(_SEED)
    for _ in range(count):
        first, second = (patches[numbers.below(len(patches))].astype(np.int32) for _ in range(2))
        weight = numbers.below(257)
        mixed = (first * weight + _turned(second, numbers) * (256 - weight)) >> 8
        mixed = np.roll(mixed, [numbers.below(2 * _SHIFT + 1) - _SHIFT for _ in range(2)], (0, 1))
        mixed = (mixed * (192 + numbers.below(129)) >> 8) + numbers.below(49) - 24
        mixed = _spotted(mixed, numbers)
        strength = numbers.below(17)
        noise = ((numbers.bytes(mixed.shape).astype(np.int32) - 128) * strength) >> 7
        yield np.clip(mixed + noise, 0, 255).astype(np.uint8)


def _turned(patch: NDArray[np.int32], numbers: _Numbers) -> NDArray[np.int32]:
    return patch[:: 1 - 2 * numbers.below(2), :: 1 - 2 * numbers.below(2)]


def _spotted(patch: NDArray[np.int32], numbers: _Numbers) -> NDArray[np.int32]:
    """A spot on some of the channels, lighter or darker by up to a hundred grey levels."""
    height, width, channels = patch.shape
    y, x, radius = numbers.below(height), numbers.below(width), numbers.below(max(height // 4, 1))
    by, on = numbers.below(201) - 100, numbers.below(1 << channels)
    rows, columns = np.ogrid[:height, :width]
    inside = (rows - y) ** 2 + (columns - x) ** 2 <= radius**2
    chosen = np.array([on >> channel & 1 for channel in range(channels)], np.int32)
    spotted: NDArray[np.int32] = patch + inside[..., np.newaxis] * chosen * by
    return spotted
