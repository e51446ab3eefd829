"""The mean of many boards' pictures of a view, and how much likelier it makes a new one than a mistake does.

Pixels are taken for independent normal ones of the learnt mean and variance, so that the logarithm of the ratio of two
likelihoods is a weighted sum (a matched filter; where the two differ in their variances, the mean of both: Fisher's
linear discriminant). It is summed block by block, and no block counts for more than half of what is expected of it: a
joint that lacks its solder must not outvote the others. A margin is 1 where every block speaks for what was learnt, -1
where every one speaks for the mistake.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.core.looks import EDGE, Pictures, Shift, blended, padded, shift_of, shifted_back, shifted_exactly
from edge.core.mistakes import Change, Period, changes_of, orders_of

_BLOCK = 8
"""Some half of a joint."""
RIM = (..., slice(_BLOCK, -_BLOCK), slice(_BLOCK, -_BLOCK))
"""What is surely there of a changed mean, wherever it lies."""
_MOST = 0.5
"""Of what is expected of a block, that it counts for at most."""
_STEPS = 127
_STRANGE = 5.0
"""Times the variance that was learnt."""


class Expected(NamedTuple):
    """Of pictures: their mean, and one over their variance; shape (slices, INNER, INNER) each."""

    means: Pictures
    weights: Pictures

    def after(self, change: Change) -> Expected:
        """Once the pictures are changed."""
        return Expected(change(self.means), change(self.weights))


class _Filter(NamedTuple):
    """int8 (blocks, pixels) and, float32 (blocks), what one step is: a quarter of the memory."""

    steps: NDArray[np.int8]
    step: Pictures

    @classmethod
    def of(cls, weighed: Pictures) -> _Filter:
        step = np.maximum(np.abs(weighed).max(axis=1), 1e-9) / np.float32(_STEPS)
        return cls(np.rint(weighed / step[:, None]).astype(np.int8), step)

    def sums(self, blocks: Pictures) -> Pictures:
        """By block."""
        found: Pictures = np.einsum("bp,bp->b", self.steps.astype(np.float32), blocks) * self.step
        return found


class Rivals:
    """What else pictures may be, to compare with what they should be; rims do not count."""

    def __init__(self, own: Expected, others: Sequence[Expected]) -> None:
        mine, weights = (_blocks(part[RIM]) for part in own)
        middles, expected = list[Pictures](), list[Pictures]()
        self._filters = list[_Filter]()
        for other in others:
            theirs, rest = (_blocks(part[RIM]) for part in other)
            one = _Filter.of((mine - theirs) * (2 * weights * rest / (weights + rest)))
            middles.append(one.sums(mine + theirs) / 2)
            expected.append(one.sums(mine - theirs) / 2)
            self._filters.append(one)
        self._middles, self._limits = np.stack(middles), np.maximum(_MOST * np.stack(expected), 0)

    def margins(self, seen: Pictures) -> Pictures:
        """Over each of them, of pictures (slices, INNER, INNER) that lie right."""
        blocks = _blocks(seen[RIM])
        sums = np.stack([one.sums(blocks) for one in self._filters])
        counted = np.clip(sums - self._middles, -self._limits, self._limits).sum(axis=1)
        found: Pictures = counted / np.maximum(self._limits.sum(axis=1), 1e-9)
        return found


class Template:
    """What pictures of a view should be, as new ones are compared with it."""

    def __init__(
        self, plain: Expected, beyond: Pictures, *, frame: tuple[int, int], periods: Sequence[Period] = ()
    ) -> None:
        """``beyond``: weights of what each slice shows beyond the mean of all slices. There, what all slices share has
        gone, how a board lies for example: it tells their order better.
        """
        self.plain, self._beyond = plain, Expected(beyond_mean(plain.means), beyond)
        self.blended = blended(plain.means)
        self._changes, self._orders = changes_of(frame, periods), orders_of(len(plain.means))

    def rivals(self, others: Sequence[Expected]) -> Rivals:
        """Something else that the pictures may show."""
        return Rivals(self.plain, others)

    def laid_over(self, other: Expected) -> Expected:
        """Something else, laid over this. Its means exactly: one that is blurred by half a pixel's shift is less like
        any board than one that is not.
        """
        shift = shift_of(blended(padded(other.means)), self.blended)
        whole = np.pad(other.weights, ((0, 0), (EDGE, EDGE), (EDGE, EDGE)), mode="edge")
        weights = shifted_back(whole, Shift(round(shift.down), round(shift.across)))
        return Expected(shifted_exactly(other.means, shift), weights)

    @cached_property
    def _changed(self) -> Rivals:
        return self.rivals([self.laid_over(self.plain.after(change)) for change in self._changes.values()])

    @cached_property
    def _reordered(self) -> Rivals:
        orders = map(list, self._orders.values())
        return Rivals(self._beyond, [Expected(*(part[order] for part in self._beyond)) for order in orders])

    def after(self, name: str) -> Pictures:
        """The means after a mistake."""
        means = self.plain.means
        return means[list(self._orders[name])] if name in self._orders else self._changes[name](means)

    def margins(self, seen: Pictures) -> dict[str, float]:
        """Over each mistake, of pictures (slices, INNER, INNER) that lie right."""
        found = _by_name(self._changes, self._changed.margins(seen))
        if self._orders:
            found |= _by_name(self._orders, self._reordered.margins(beyond_mean(seen)))
        return found

    @cached_property
    def _weighed(self) -> Pictures:
        return _blocks(self.plain.weights)

    def strange(self, seen: Pictures) -> float:
        """Share of the blocks in which it is further off than blocks with a defect mostly are."""
        off = _blocks(seen - self.plain.means)
        return float(np.mean(np.einsum("bp,bp,bp->b", off, off, self._weighed) > _STRANGE * off.shape[1]))

    def fit(self, seen: Pictures) -> float:
        """Mean correlation of the slices with the means."""
        return correlation(seen, self.plain.means)


def beyond_mean(pictures: Pictures) -> Pictures:
    """What each slice, on the last axis but two, shows beyond the mean of all slices."""
    rest: Pictures = pictures - pictures.mean(axis=-3, keepdims=True, dtype=np.float32)
    return rest


def _by_name(names: Mapping[str, object], margins: Pictures) -> dict[str, float]:
    return dict(zip(names, map(float, margins), strict=True))


def _blocks(pictures: Pictures) -> Pictures:
    """Pictures (slices, height, width) as (blocks, pixels), those of all slices in one row."""
    slices, high, wide = len(pictures), pictures.shape[1] // _BLOCK, pictures.shape[2] // _BLOCK
    cut = pictures.reshape(slices, high, _BLOCK, wide, _BLOCK).transpose(1, 3, 0, 2, 4)
    return np.ascontiguousarray(cut).reshape(high * wide, -1)


def correlation(seen: Pictures, means: Pictures) -> float:
    """Of two stacks, the mean over their slices."""
    mine, theirs = (part.reshape(len(part), -1) for part in (seen, means))
    mine, theirs = (part - part.mean(axis=1, keepdims=True) for part in (mine, theirs))
    both = np.sqrt(np.einsum("sp,sp->s", mine, mine) * np.einsum("sp,sp->s", theirs, theirs))
    return float(np.mean(np.einsum("sp,sp->s", mine, theirs) / np.maximum(both, 1e-9)))
