"""What exporters do to the pictures of a view, by name: turned, mirrored, slices in another order, or shifted by what
the pattern of its joints repeats itself by, so that each joint lies where another one should.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from edge.core.looks import REACH, SIDE, Pictures

Change = Callable[[Pictures], Pictures]
"""Of pictures (slices, height, width)."""
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
_REPEATS = 0.6
"""Correlation of a pattern with itself, from which on a picture that is shifted by so much may pass for a right one."""
_MOST_PERIODS = 8
"""A grid's nearest, in all directions."""


class Period(NamedTuple):
    """How far a pattern lies from itself, in pixels of a small picture."""

    down: int
    across: int


def changes_of(frame: tuple[int, int], periods: Sequence[Period]) -> dict[str, Change]:
    """Those that a frame of so many pixels (height, width) allows, and shifts by a pattern's periods."""
    found = {**_UPRIGHT, **_SIDEWAYS} if frame[0] == frame[1] else dict(_UPRIGHT)
    return found | {_named(period, frame): _moved(period) for period in periods}


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


def all_mistakes(form: tuple[int, int, int], periods: Sequence[Period]) -> dict[str, Change]:
    """Changes, and orders of slices as changes; ``form``: height, width and number of slices."""
    orders = {name: _reordered(order) for name, order in orders_of(form[2]).items()}
    return changes_of(form[:2], periods) | orders


def periods_of(picture: Pictures) -> tuple[Period, ...]:
    """By which a picture (height, width) lies over itself, the nearest first: maxima of its autocorrelation, each value
    over as many pixels as overlap. Nothing below what boards lie apart anyway, nor above a third of the picture.
    """
    size = len(picture)
    whole = np.zeros((2 * size, 2 * size))
    whole[:size, :size] = picture - picture.mean()
    found = np.fft.irfft2(np.abs(np.fft.rfft2(whole)) ** 2, whole.shape)
    far = size // 3
    steps = np.arange(-far, far + 1)
    overlap = (size - np.abs(steps)) / size
    near = np.roll(found, (far, far), axis=(0, 1))[: 2 * far + 1, : 2 * far + 1]
    alike = near / np.outer(overlap, overlap) / max(found[0, 0], 1e-9)
    inside = alike[1:-1, 1:-1]
    shape = inside.shape
    around = [alike[y : y + shape[0], x : x + shape[1]] for y in range(3) for x in range(3)]
    peaks = (inside >= np.max(around, axis=0)) & (inside >= _REPEATS)
    return _nearest([Period(int(steps[row + 1]), int(steps[column + 1])) for row, column in np.argwhere(peaks)])


def _nearest(peaks: Sequence[Period]) -> tuple[Period, ...]:
    """The nearest of those that lie apart from each other, and from no shift at all."""
    found = [Period(0, 0)]
    for peak in sorted(peaks, key=lambda peak: (peak.down**2 + peak.across**2, peak)):
        if all(max(abs(peak.down - one.down), abs(peak.across - one.across)) > REACH for one in found):
            found.append(peak)
    return tuple(found[1 : _MOST_PERIODS + 1])


def _named(period: Period, frame: tuple[int, int]) -> str:
    parts = (
        (round(period.down * frame[0] / SIDE), "down", "up"),
        (round(period.across * frame[1] / SIDE), "to the right", "to the left"),
    )
    words = [f"{abs(pixels)} pixels {plus if pixels > 0 else minus}" for pixels, plus, minus in parts if pixels]
    return f"shifted by what its pattern repeats itself by, {' and '.join(words)}"


def _moved(period: Period) -> Change:
    """Where nothing moves in, what was there stays: no more is told than the shift itself shows."""
    into, out_of = zip(*map(_parts, period), strict=True)

    def change(seen: Pictures) -> Pictures:
        found = seen.copy()
        found[(..., *into)] = seen[(..., *out_of)]
        return found

    return change


def _parts(steps: int) -> tuple[slice, slice]:
    """Along one axis, where to and where from."""
    if steps < 0:
        return slice(None, steps), slice(-steps, None)
    return slice(steps, None), slice(None, -steps or None)


def _reordered(order: tuple[int, ...]) -> Change:
    return lambda seen: seen[list(order)]
