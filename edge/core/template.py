"""The mean of many boards' pictures of a view, and how much likelier it makes a new one than a mistake does.

Pixels are taken for independent normal ones of the learnt mean and variance, so that the logarithm of the ratio of two
likelihoods is a weighted sum (a matched filter). It is summed block by block, of about a joint's size, and no block
counts for more than half of what is expected of it: a joint that lacks its solder must not outvote the others. A margin
is 1 where every block speaks for what was learnt, -1 where every one speaks for the mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from edge.core.looks import Pictures, blended, padded, shift_of, shifted_back

Change = Callable[[Pictures], Pictures]
_UPRIGHT: Mapping[str, Change] = {
    "turned by 180 degrees": lambda seen: seen[..., ::-1, ::-1],
    "mirrored left to right": lambda seen: seen[..., ::-1],
    "mirrored top to bottom": lambda seen: seen[..., ::-1, :],
}
_SIDEWAYS: Mapping[str, Change] = {
    "turned by 90 degrees": lambda seen: np.rot90(seen, 1, (-2, -1)),
    "turned by 270 degrees": lambda seen: np.rot90(seen, 3, (-2, -1)),
    "turned by 90 degrees and mirrored": lambda seen: seen.swapaxes(-2, -1),
    "turned by 270 degrees and mirrored": lambda seen: np.rot90(seen, 1, (-2, -1))[..., ::-1],
}
"""Only of a square frame; any other would not fit in its place."""
_BLOCK = 8
RIM = (..., slice(_BLOCK, -_BLOCK), slice(_BLOCK, -_BLOCK))
"""What is surely there of a changed mean, wherever it lies."""
_MOST = 0.5
"""Of what is expected of a block, that it counts for at most."""
_STRANGE = 5.0
"""Times the variance that was learnt."""


class Weights(NamedTuple):
    """One over the variances, shape as the means: of the pictures, and of what each slice shows beyond the mean of all
    slices. In the latter what all slices share has gone, how a board lies for example: it tells their order better.
    """

    plain: Pictures
    beyond: Pictures


def changes_of(*, square: bool) -> dict[str, Change]:
    """Those that a frame allows."""
    return {**_UPRIGHT, **_SIDEWAYS} if square else dict(_UPRIGHT)


def orders_of(slices: int) -> dict[str, tuple[int, ...]]:
    """Mistakes in the order of slices: what lies at each height instead."""
    right = tuple(range(slices))
    found = {}
    if slices > 1:
        found["slices in reverse order"] = right[::-1]
        found["slices shifted up by one"] = (*right[1:], right[0])
        found["slices shifted down by one"] = (right[-1], *right[:-1])
        for low in range(slices - 1):
            swapped = *right[:low], low + 1, low, *right[low + 2 :]
            found[f"slices {low} and {low + 1} swapped"] = swapped
    return {name: order for name, order in found.items() if order != right}


def beyond_mean(pictures: Pictures) -> Pictures:
    """What each slice, on the last axis but two, shows beyond the mean of all slices."""
    rest: Pictures = pictures - pictures.mean(axis=-3, keepdims=True, dtype=np.float32)
    return rest


class _Votes(NamedTuple):
    """How blocks vote against a mistake: ``middle`` is taken off each one's sum, half of ``expected`` is its limit.
    Shape (mistakes, blocks).
    """

    middle: Pictures
    expected: Pictures

    def margins(self, sums: Pictures) -> Pictures:
        """One for each mistake."""
        limits = _MOST * self.expected
        counted = np.clip(sums - self.middle, -limits, limits).sum(axis=1)
        found: Pictures = counted / np.maximum(limits.sum(axis=1), 1e-9)
        return found


class Rivals:
    """Other means than those learnt, shape (slices, INNER, INNER) each, of which the rims do not count."""

    def __init__(self, means: Pictures, weights: Pictures, others: Sequence[Pictures]) -> None:
        self.means = [other[RIM] for other in others]
        own, weighed = _blocks(means[RIM]), _blocks(weights[RIM])
        rest = [_blocks(other) for other in self.means]
        self._filters = np.stack([(own - other) * weighed for other in rest])
        both = np.stack([(own + other) / 2 for other in rest])
        apart = np.stack([(own - other) / 2 for other in rest])
        self._votes = _Votes(
            np.einsum("mbp,mbp->mb", self._filters, both), np.einsum("mbp,mbp->mb", self._filters, apart)
        )

    def margins(self, seen: Pictures) -> Pictures:
        """Over each of them, of pictures (slices, INNER, INNER) that lie right."""
        return self._votes.margins(np.einsum("mbp,bp->mb", self._filters, _blocks(seen[RIM])))


class Template:
    """Means, float32 (slices, INNER, INNER), and weights, as new pictures are compared with them."""

    def __init__(self, means: Pictures, weights: Weights, *, square: bool) -> None:
        self.means, self._weights = means, weights
        self.blended = blended(means)
        self._orders = orders_of(len(means))
        self._changes = changes_of(square=square)

    def rivals(self, others: Sequence[Pictures]) -> Rivals:
        """Means of something else, to compare these with."""
        return Rivals(self.means, self._weights.plain, others)

    def laid_over(self, other: Pictures) -> Pictures:
        """Other means, laid over these."""
        whole = padded(other)
        return shifted_back(whole, shift_of(blended(whole), self.blended))

    @cached_property
    def _changed(self) -> Rivals:
        """The means after each change, laid over the means themselves."""
        return self.rivals([self.laid_over(change(self.means)) for change in self._changes.values()])

    @cached_property
    def _heights(self) -> tuple[Pictures, Pictures, _Votes]:
        """What slices show beyond their mean, and its weights, by block; and how blocks vote on their order."""
        own, weights = _by_height(beyond_mean(self.means)), _by_height(self._weights.beyond)
        squares, products = own**2 @ weights.swapaxes(1, 2), own @ (own * weights).swapaxes(1, 2)
        middles, expected = list[Pictures](), list[Pictures]()
        for order in self._orders.values():
            mine, theirs = (_picked(squares, where) for where in (range(len(order)), order))
            middles.append((mine - theirs) / 2)
            expected.append((mine - 2 * _picked(products, order) + theirs) / 2)
        return own, weights, _Votes(np.stack(middles), np.stack(expected))

    def changed(self, name: str) -> Pictures:
        """The means after a mistake, without their rims."""
        if name in self._orders:
            return self.means[list(self._orders[name])][RIM]
        return self._changed.means[list(self._changes).index(name)]

    def margins(self, seen: Pictures) -> dict[str, float]:
        """Over each mistake, of pictures (slices, INNER, INNER) that lie right."""
        found = dict(zip(self._changes, map(float, self._changed.margins(seen)), strict=True))
        if self._orders:
            own, weights, votes = self._heights
            products = own @ (_by_height(beyond_mean(seen)) * weights).swapaxes(1, 2)
            mine = _picked(products, range(len(self.means)))
            sums = np.stack([mine - _picked(products, order) for order in self._orders.values()])
            found |= dict(zip(self._orders, map(float, votes.margins(sums)), strict=True))
        return found

    @cached_property
    def _weighed(self) -> Pictures:
        return _blocks(self._weights.plain)

    def strange(self, seen: Pictures) -> float:
        """Share of the blocks in which it is further off than blocks with a defect mostly are."""
        off = _blocks(seen - self.means)
        return float(np.mean(np.einsum("bp,bp,bp->b", off, off, self._weighed) > _STRANGE * off.shape[1]))

    def fit(self, seen: Pictures) -> float:
        """Mean correlation of the slices with the means."""
        return correlation(seen, self.means)


def _by_height(pictures: Pictures) -> Pictures:
    """Pictures (slices, height, width), shape (blocks, slices, pixels)."""
    slices, high, wide = len(pictures), pictures.shape[1] // _BLOCK, pictures.shape[2] // _BLOCK
    cut = pictures.reshape(slices, high, _BLOCK, wide, _BLOCK).transpose(1, 3, 0, 2, 4)
    return np.ascontiguousarray(cut).reshape(high * wide, slices, _BLOCK * _BLOCK)


def _blocks(pictures: Pictures) -> Pictures:
    """The same, the pixels of all slices in one row: shape (blocks, pixels)."""
    cut = _by_height(pictures)
    return cut.reshape(len(cut), -1)


def _picked(table: Pictures, order: Sequence[int]) -> Pictures:
    """Of a table (blocks, whose, at which height): the sum over what an order puts at each height."""
    found: Pictures = table[:, list(order), range(len(order))].sum(axis=1)
    return found


def correlation(seen: Pictures, means: Pictures) -> float:
    """Of two stacks, the mean over their slices."""
    mine, theirs = (part.reshape(len(part), -1) for part in (seen, means))
    mine, theirs = (part - part.mean(axis=1, keepdims=True) for part in (mine, theirs))
    both = np.sqrt(np.einsum("sp,sp->s", mine, mine) * np.einsum("sp,sp->s", theirs, theirs))
    return float(np.mean(np.einsum("sp,sp->s", mine, theirs) / np.maximum(both, 1e-9)))
