"""A view's reference, learnt from some boards of one type; each is judged by what the others say of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from edge.core.looks import SIDE, Boxes, Level, Pictures, Shift, Sight, blended, inner, shift_of, shifted_back
from edge.core.reference import Known, Range, Reference, off_places, shift_in_frame
from edge.core.template import SIDEWAYS, UPRIGHT, Change, Template, Weights, beyond_mean, orders_of

LEAST_BOARDS = 20
_SURE = 5.0
"""Standard deviations that a right board is away from what it is expected to be, at most."""
_WIDER = 1.2
"""Fits spread further below than a normal distribution."""
_TOLD = 4.0
"""Standard deviations between what right boards gave and 0, at least, where a mistake can be told."""
_ODD = 8.0
_ODD_FLOOR = 0.01
_LEAST_AGREEMENT = 0.8
"""Mean correlation of boards with what the others show; with less, anything would pass."""
_LEAST_FIT = 0.6
_FLOORS = Level(4.0, 0.05, 0.05, 0.05)
"""What levels may differ by, whatever the boards learnt from did: standard deviations."""
_FIT_FLOOR, _STRANGE_FLOOR = 0.003, 0.01
_LEAST_VARIANCE = 1e-4
_TO_SD = 1.4826
"""From a median absolute deviation to a standard deviation."""
_ROUNDS = 3


class Learnt(NamedTuple):
    """``odd``: which of the sights are not like the others. ``reference``: None where too few others are left, or they
    look too different.
    """

    reference: Reference | None
    odd: tuple[int, ...] = ()


class _Aligned(NamedTuple):
    """Pictures (boards, slices, INNER, INNER) and by how much each was shifted."""

    pictures: Pictures
    shifts: list[Shift]


class _Judged(NamedTuple):
    """What the others say of each board: its fit, how much of it is strange, and by mistake its margins."""

    fits: NDArray[np.float64]
    strange: NDArray[np.float64]
    margins: dict[str, NDArray[np.float64]]


def learnt(sights: Sequence[Sight], least: int = LEAST_BOARDS) -> Learnt:
    """A reference of at least that many boards that look alike."""
    if not sights:
        return Learnt(None)
    form, _ = Counter(sight.look.form for sight in sights).most_common(1)[0]
    usual = [place for place, sight in enumerate(sights) if sight.look.form == form]
    for _ in range(_ROUNDS):
        some = [sights[place] for place in usual]
        if len(some) < min(least, 4):
            break
        aligned = _aligned(some)
        judged = _judged(aligned.pictures, square=form[0] == form[1])
        odd = _odd(judged)
        if not odd.any():
            alike = len(some) >= least and _alike(judged)
            reference = _tried(_reference(some, aligned, judged), some) if alike else None
            return Learnt(reference, _others(usual, len(sights)))
        usual = [place for place, strange in zip(usual, odd, strict=True) if not strange]
    return Learnt(None, _others(usual, len(sights)))


def _others(places: Sequence[int], total: int) -> tuple[int, ...]:
    return tuple(sorted(set(range(total)) - set(places)))


def _aligned(sights: Sequence[Sight]) -> _Aligned:
    """All laid over their mean, which is found step by step."""
    seen = [sight.look.seen() for sight in sights]
    flat = [blended(pictures) for pictures in seen]
    against: Pictures = inner(np.median(flat, axis=0).astype(np.float32))
    for _ in range(_ROUNDS):
        shifts = [shift_of(picture, against) for picture in flat]
        back = [shifted_back(picture[None], shift)[0] for picture, shift in zip(flat, shifts, strict=True)]
        against = np.mean(back, axis=0, dtype=np.float32)
    lying = [shifted_back(pictures, shift) for pictures, shift in zip(seen, shifts, strict=True)]
    return _Aligned(np.stack(lying), shifts)


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
        found: Pictures = (1 / (variances + usual / 4)).astype(np.float32)
        return found


class _Statistics:
    """What the boards' pictures (boards, slices, INNER, INNER) have in common."""

    def __init__(self, pictures: Pictures) -> None:
        self._plain, self._beyond = _Sums(pictures), _Sums(beyond_mean(pictures))

    def means(self, without: int | None = None) -> Pictures:
        return self._plain.means(without)

    def weights(self, without: int | None = None) -> Weights:
        return Weights(self._plain.weights(without), self._beyond.weights(without))


def _judged(pictures: Pictures, *, square: bool) -> _Judged:
    statistics = _Statistics(pictures)
    fits, strange, margins = list[float](), list[float](), list[dict[str, float]]()
    for number, one in enumerate(pictures):
        template = Template(statistics.means(number), statistics.weights(number), square=square)
        fits.append(template.fit(one))
        strange.append(template.strange(one))
        margins.append(template.margins(one))
    return _Judged(
        np.array(fits), np.array(strange), {name: np.array([one[name] for one in margins]) for name in margins[0]}
    )


def _misfit(fits: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each lacks to a perfect fit."""
    return 1 - fits


def _spread_of_most(values: NDArray[np.float64]) -> float:
    """A standard deviation that a few outliers do not change."""
    return _TO_SD * float(np.median(np.abs(values - np.median(values))))


def _told(values: NDArray[np.float64]) -> bool:
    """Is a mistake told from right boards? By most of them, for one of them may be that mistake."""
    spread = min(_spread_of_most(values), float(np.std(values)))
    return float(np.median(values)) - _TOLD * max(spread, 0.05) > 0


def _odd(judged: _Judged) -> NDArray[np.bool_]:
    misfit = _misfit(judged.fits)
    odd: NDArray[np.bool_] = misfit > np.median(misfit) + _ODD * max(_spread_of_most(misfit), _ODD_FLOOR)
    for values in judged.margins.values():
        if _told(values):
            odd = odd | (values < 0)
    return odd


def _alike(judged: _Judged) -> bool:
    return float(np.mean(judged.fits)) >= _LEAST_AGREEMENT


def _reference(sights: Sequence[Sight], aligned: _Aligned, judged: _Judged) -> Reference:
    boards, form = len(sights), sights[0].look.form
    statistics = _Statistics(aligned.pictures)
    weights = np.stack(statistics.weights())
    misfit, reach = _misfit(judged.fits), _SURE * math.sqrt(1 + 1 / boards)
    wider = _WIDER * reach
    most = _beyond(misfit, _FIT_FLOOR, wider)
    places, spread = _places([sight.boxes for sight in sights], aligned.shifts, form)
    return Reference(
        form=form,
        means=statistics.means().astype(np.float16).tobytes(),
        weights=np.minimum(weights, 6e4).astype(np.float16).tobytes(),
        ranges=tuple(_range([sight.look.levels[index] for sight in sights], reach) for index in range(form[2])),
        least_fit=max(1 - most, _LEAST_FIT),
        most_strange=_beyond(judged.strange, _STRANGE_FLOOR, wider),
        untold=tuple(name for name, values in judged.margins.items() if not _told(values)),
        missed=(),
        places=places,
        spread=spread,
        boards=boards,
    )


def _beyond(values: NDArray[np.float64], floor: float, reach: float) -> float:
    """So many standard deviations above their mean."""
    return float(np.mean(values)) + reach * max(float(np.std(values, ddof=1)), floor)


def _tried(reference: Reference, sights: Sequence[Sight]) -> Reference:
    """With what it misses when its own boards are changed."""
    known = Known(reference)
    square = reference.form[0] == reference.form[1]
    changes = {**UPRIGHT, **SIDEWAYS} if square else dict(UPRIGHT)
    for name, order in orders_of(reference.form[2]).items():
        changes[name] = _reordered(order)
    missed = [name for name, change in changes.items() if not all(known.doubt(_after(change, one)) for one in sights)]
    return structs.replace(reference, missed=tuple(missed))


def _reordered(order: tuple[int, ...]) -> Change:
    return lambda seen: seen[list(order)]


def _after(change: Change, sight: Sight) -> Sight:
    """A sight of the same board, its pictures changed."""
    steps = np.frombuffer(sight.look.pictures, np.int8).reshape(-1, SIDE, SIDE)
    changed = np.ascontiguousarray(change(steps)).tobytes()  # type: ignore[arg-type]  # whatever the numbers are
    return structs.replace(sight, look=structs.replace(sight.look, pictures=changed))


def _range(levels: Sequence[Level], reach: float) -> Range:
    values = np.array(levels)
    middle, spread = values.mean(axis=0), np.maximum(values.std(axis=0, ddof=1), _FLOORS)
    low, high = middle - reach * spread, middle + reach * spread
    return Range(Level(*map(float, low)), Level(*map(float, high)))


def _places(
    boxes: Sequence[Boxes], shifts: Sequence[Shift], form: tuple[int, int, int]
) -> tuple[dict[str, tuple[float, float]], float]:
    """Where each joint's box lies, median; and how far one lies from there, usually."""
    found: dict[str, list[tuple[float, float]]] = {}
    moved = [shift_in_frame(shift, form) for shift in shifts]
    for some, (across, down) in zip(boxes, moved, strict=True):
        for joint, (x, y, _) in zip(some.joints, some.places, strict=True):
            found.setdefault(joint, []).append((x - across, y - down))
    places = {}
    for joint, where in found.items():
        across, down = np.median(where, axis=0)
        places[joint] = float(across), float(down)
    apart = [off_places(some, places, by)[0] for some, by in zip(boxes, moved, strict=True)]
    off = np.concatenate(apart)
    return places, float(np.sqrt(np.mean(off**2))) if len(off) else 0.0
