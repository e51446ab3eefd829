"""What the pictures of some boards have in common: means, and weights that say how far each pixel may be off."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.core.looks import Pictures
from edge.core.template import Expected, beyond_mean

_LEAST_VARIANCE = 1e-4


class _Sums:
    """Of boards' pictures and their squares, so that one of them can be left out."""

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures.astype(np.float64)
        self._total, self._squares = self._pictures.sum(axis=0), (self._pictures**2).sum(axis=0)

    def means(self, without: int | None = None) -> Pictures:
        total, boards = self._total, len(self._pictures)
        if without is not None:
            total, boards = total - self._pictures[without], boards - 1
        found: Pictures = (total / boards).astype(np.float32)
        return found

    def weights(self, without: int | None = None) -> Pictures:
        """One over the variances; of what hardly varies in these few boards not too much is made."""
        total, squares, boards = self._total, self._squares, len(self._pictures)
        if without is not None:
            left = self._pictures[without]
            total, squares, boards = total - left, squares - left**2, boards - 1
        variances = np.maximum(squares / boards - (total / boards) ** 2, 0) * (boards / (boards - 1))
        usual = np.maximum(np.median(variances, axis=(-2, -1), keepdims=True), _LEAST_VARIANCE)
        found: Pictures = (1 / (variances + usual / 4 + _unsteady(total / boards))).astype(np.float32)
        return found


def _unsteady(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """The square of what a board half a pixel elsewhere shows less of, once it is laid over the others: bilinear
    interpolation takes an eighth of the second derivative; doubled, for what lies askew. All that were learnt from
    may have lain alike.
    """
    lost: NDArray[np.float64] = (2 * (means - softened(means))) ** 2
    return lost


def softened(means: NDArray[Any]) -> NDArray[Any]:
    """As they look half a pixel elsewhere, laid back."""
    for axis in (-2, -1):
        means = 0.75 * means + 0.125 * (np.roll(means, 1, axis) + np.roll(means, -1, axis))
    return means


class Statistics:
    """What the boards' pictures (boards, slices, INNER, INNER) have in common."""

    def __init__(self, pictures: Pictures) -> None:
        self._plain, self._beyond = _Sums(pictures), _Sums(beyond_mean(pictures))

    def plain(self, without: int | None = None) -> Expected:
        """``without``: a board that is left out."""
        return Expected(self._plain.means(without), self._plain.weights(without))

    def beyond(self, without: int | None = None) -> Pictures:
        """Weights of what each slice shows beyond the mean of all slices."""
        return self._beyond.weights(without)
