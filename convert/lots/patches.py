"""Patches of many joints: on disk, and as networks take them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Patches = NDArray[np.uint8]
Positions = NDArray[np.int64]
_OPEN_FILES = 64


class PatchFiles:
    """Patches on disk, in files that are mapped, not read: uint8 (n, size, size, channels) each."""

    def __init__(self, parts: Sequence[Callable[[], Patches]], counts: Sequence[int]) -> None:
        """``parts`` open a file each, with as many patches as ``counts`` says; few are open at a time."""
        self._open = lru_cache(maxsize=_OPEN_FILES)(lambda number: parts[number]())
        self._counts = counts
        self._ends = np.cumsum(counts)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a patch."""
        return self._open(0).shape[1:]

    def take(self, positions: Positions) -> Patches:
        """The patches at these positions, in this order, in memory."""
        taken = np.empty((len(positions), *self.shape), np.uint8)
        owners = np.searchsorted(self._ends, positions, side="right")
        for i, (position, owner) in enumerate(zip(positions, owners.tolist(), strict=True)):
            taken[i] = self._open(owner)[position - (self._ends[owner] - self._counts[owner])]
        return taken


def scaled(patches: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Grey values as a network takes them, 0 to 1."""
    return patches.astype(np.float32) / np.float32(255)


def scaled_batches(patches: NDArray[np.uint8], size: int) -> Iterator[NDArray[np.float32]]:
    """``scaled``, some joints at a time."""
    return (scaled(patches[start : start + size]) for start in range(0, len(patches), size))
