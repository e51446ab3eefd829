"""A view's reference, learnt from some boards of one type; each is judged by what the others say of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from edge.core.looks import SIDE, Boxes, Level, Pictures, Shift, Sight, blended, inner, shift_of, shifted_back
from edge.core.mistakes import Change, Period, all_mistakes, periods_of
from edge.core.reference import SHIFTED, Known, Range, Reference, off_places, shift_in_frame
from edge.core.statistics import Statistics, softened
from edge.core.template import Template, correlation

LEAST_BOARDS = 20
_SURE = 5.0
"""Standard deviations that a right board is away from what it is expected to be, at most."""
_WIDER = 1.2
"""Fits spread further below than a normal distribution."""
_TOLD = 3.0
"""Standard deviations between what right boards gave and 0, at least, where a mistake can be told."""
_TOLD_VIEW = 0.5
"""What every board must give over another view: views of like boards give less, those of others nearly 1."""
_SURELY_TOLD_VIEW = 0.8
_ODD = 8.0
_ODD_FLOOR = 0.01
_LEAST_AGREEMENT = 0.8
"""Mean correlation of boards with what the others show; with less, anything would pass."""
_LEAST_FIT = 0.6
_FLOORS = Level(4.0, 0.05, 0.05, 0.05)
"""What levels may differ by, whatever the boards learnt from did: standard deviations."""
_FIT_FLOOR, _STRANGE_FLOOR = 0.003, 0.01
_TO_SD = 1.4826
"""From a median absolute deviation to a standard deviation."""
_ROUNDS = 3
_FEWEST = 4
_VIEW = "view "
_APART, _MANY = 0.01, 0.25
"""Two looks: of the boards, and how much better each correlates with one than with the other."""


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


def learnt(sights: Sequence[Sight], others: Mapping[str, Known] | None = None, least: int = LEAST_BOARDS) -> Learnt:
    """A reference of at least that many boards that look alike. ``others``: views of the board type that are known."""
    if not sights:
        return Learnt(None)
    form, _ = Counter(sight.look.form for sight in sights).most_common(1)[0]
    rivals = [other for other in (others or {}).items() if other[1].reference.form == form]
    usual = [place for place, sight in enumerate(sights) if sight.look.form == form]
    usual = _once(sights, usual)
    for _ in range(_ROUNDS):
        some = [sights[place] for place in usual]
        if len(some) < min(least, _FEWEST):
            break
        aligned = _aligned(some)
        periods = periods_of(blended(aligned.pictures.mean(axis=0)))
        if _two_looks(aligned.pictures, all_mistakes(form, periods)):
            return Learnt(None)
        statistics = Statistics(aligned.pictures)
        judged = _judged(aligned.pictures, statistics, rivals, form[:2], periods)
        odd = _odd(judged) | _odd_levels(some) | _odd_boxes(some, aligned.shifts)
        if not odd.any():
            alike = len(some) >= least and _alike(judged)
            reference = _reference(some, statistics, aligned.shifts, judged, periods) if alike else None
            return Learnt(reference and _tried(reference, some), _others(usual, len(sights)))
        usual = [place for place, strange in zip(usual, odd, strict=True) if not strange]
    return Learnt(None, _others(usual, len(sights)))


def _once(sights: Sequence[Sight], places: Sequence[int]) -> list[int]:
    """The same pictures, sent again, prove nothing more."""
    seen = dict[bytes, int]()
    for place in places:
        seen.setdefault(sights[place].look.pictures, place)
    return sorted(seen.values())


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


def _judged(
    pictures: Pictures,
    statistics: Statistics,
    rivals: Sequence[tuple[str, Known]],
    frame: tuple[int, int],
    periods: Sequence[Period],
) -> _Judged:
    fits, strange, margins = list[float](), list[float](), list[dict[str, float]]()
    for number, one in enumerate(pictures):
        template = Template(statistics.plain(number), statistics.beyond(number), frame=frame, periods=periods)
        fits.append(template.fit(one))
        strange.append(template.strange(one))
        margins.append(template.margins(one) | _over_views(template, rivals, one))
    by_mistake = {name: np.array([one[name] for one in margins]) for name in margins[0]}
    return _Judged(np.array(fits), np.array(strange), by_mistake)


def _over_views(template: Template, rivals: Sequence[tuple[str, Known]], one: Pictures) -> dict[str, float]:
    """Margins over other views, by their names."""
    laid = [template.laid_over(other.template.plain) for _, other in rivals]
    if not laid:
        return {}
    found = template.rivals(laid).margins(one)
    return {_VIEW + name: float(margin) for (name, _), margin in zip(rivals, found, strict=True)}


def _two_looks(pictures: Pictures, mistakes: Mapping[str, Change]) -> bool:
    """Are many boards like the first one, and many like it after the same mistake? Their mean would be neither."""
    first, total = pictures[0], len(pictures)
    for change in mistakes.values():
        other = change(first)
        apart = np.array([correlation(one, first) - correlation(one, other) for one in pictures[1:]])
        if min((apart > _APART).sum(), (apart < -_APART).sum()) >= _MANY * total:
            return True
    return False


def _odd_levels(sights: Sequence[Sight]) -> NDArray[np.bool_]:
    """Boards that are far darker, brighter or the like than most."""
    levels = np.array([sight.look.levels for sight in sights])
    middle = np.median(levels, axis=0)
    spread = np.maximum(_TO_SD * np.median(np.abs(levels - middle), axis=0), _FLOORS)
    odd: NDArray[np.bool_] = (np.abs(levels - middle) > _ODD * spread).any(axis=(1, 2))
    return odd


def _odd_boxes(sights: Sequence[Sight], shifts: Sequence[Shift]) -> NDArray[np.bool_]:
    """Boards whose boxes lie elsewhere than those of most."""
    form = sights[0].look.form
    places, _ = _places([sight.boxes for sight in sights], shifts, form)
    odd = np.zeros(len(sights), np.bool_)
    for number, (sight, shift) in enumerate(zip(sights, shifts, strict=True)):
        apart, sides = off_places(sight.boxes, places, shift_in_frame(shift, form))
        odd[number] = len(apart) > 0 and bool((np.abs(np.median(apart, axis=0)) > 2 * SHIFTED * np.median(sides)).any())
    return odd


def _misfit(fits: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each lacks to a perfect fit."""
    return 1 - fits


def _spread_of_most(values: NDArray[np.float64]) -> float:
    """A standard deviation that a few outliers do not change."""
    return _TO_SD * float(np.median(np.abs(values - np.median(values))))


def _mistaken(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which boards are rather that mistake than right, by the margin of most?"""
    found: NDArray[np.bool_] = values < -max(float(np.median(values)), 0.0) / 2
    return found


def _told(values: NDArray[np.float64]) -> bool:
    """Is a mistake told from right boards? A few of them may be that mistake."""
    right = values[~_mistaken(values)]
    if len(right) < len(values) / 2:
        return False
    return float(np.median(right)) - _TOLD * max(float(np.std(right)), 0.05) > 0


def _odd(judged: _Judged) -> NDArray[np.bool_]:
    misfit = _misfit(judged.fits)
    odd: NDArray[np.bool_] = misfit > np.median(misfit) + _ODD * max(_spread_of_most(misfit), _ODD_FLOOR)
    for name, values in judged.margins.items():
        least = _SURELY_TOLD_VIEW if name.startswith(_VIEW) else 0.0
        if _told(values) and np.median(values) > least:
            odd = odd | _mistaken(values)
    return odd


def _alike(judged: _Judged) -> bool:
    return float(np.mean(judged.fits)) >= _LEAST_AGREEMENT


def _reference(
    sights: Sequence[Sight],
    statistics: Statistics,
    shifts: Sequence[Shift],
    judged: _Judged,
    periods: tuple[Period, ...],
) -> Reference:
    boards, form = len(sights), sights[0].look.form
    means, plain = statistics.plain()
    weights = np.stack((plain, statistics.beyond()))
    misfit, reach = _misfit(judged.fits), _SURE * math.sqrt(1 + 1 / boards)
    wider = _WIDER * reach
    most = _beyond(misfit, _FIT_FLOOR, wider)
    lost = 1 - correlation(softened(means), means)
    places, spread = _places([sight.boxes for sight in sights], shifts, form)
    return Reference(
        form=form,
        means=means.astype(np.float16).tobytes(),
        weights=np.minimum(weights, 6e4).astype(np.float16).tobytes(),
        ranges=tuple(_range([sight.look.levels[index] for sight in sights], reach) for index in range(form[2])),
        least_fit=max(1 - most - lost, _LEAST_FIT),
        most_strange=_beyond(judged.strange, _STRANGE_FLOOR, wider),
        untold=tuple(name for name, values in judged.margins.items() if not _told(values)),
        missed=(),
        told_views=tuple(
            name.removeprefix(_VIEW)
            for name, values in judged.margins.items()
            if name.startswith(_VIEW) and float(values.min()) > _TOLD_VIEW
        ),
        places=places,
        spread=spread,
        boards=boards,
        periods=periods,
    )


def _beyond(values: NDArray[np.float64], floor: float, reach: float) -> float:
    """So many standard deviations above their mean."""
    return float(np.mean(values)) + reach * max(float(np.std(values, ddof=1)), floor)


def _tried(reference: Reference, sights: Sequence[Sight]) -> Reference:
    """With what it misses when its own boards are changed."""
    known = Known(reference)
    changes = all_mistakes(reference.form, reference.periods)
    missed = [name for name, change in changes.items() if not all(known.doubted(_after(change, one)) for one in sights)]
    return structs.replace(reference, missed=tuple(missed))


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
    return places, _spread_of_most(off.ravel()) if len(off) else 0.0
