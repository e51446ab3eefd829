"""What one view of a board type looks like, and whether a new board's pictures are that.

A picture must be about as bright, as rich in contrast and as sharp as those that were learnt from, agree with their
mean as well as they do, and lie under its boxes as they did. And it must be likelier than under each of the mistakes
that exporters make: turned, mirrored, slices in another order, another view's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from msgspec import DecodeError, Struct, msgpack
from numpy.typing import NDArray

from edge.core.looks import (
    INNER,
    SIDE,
    Boxes,
    Level,
    Look,
    Pictures,
    Shift,
    Sight,
    blended,
    shift_of,
    shifted_back,
)
from edge.core.mistakes import Period
from edge.core.template import RIM, Expected, Rivals, Template, correlation

_ELSEWHERE = 0.75
"""Of its side, that a single box may lie beside its joint: another joint lies further off."""
_SURE_OF_BOXES = 6.3
"""Five standard deviations of a median, times the square root of how many boxes it is of."""
_NEARLY = 0.05
_VIEW = "the picture of view "
_MOST_LAID = 8
SHIFTED = 0.25
"""Of a box's side: beyond a quarter beside their joints boxes are wrong (docs/simulator.md)."""


class Doubt(NamedTuple):
    """Why a view is not what it claims to be; empty where it is. ``mistake``: it is a known one of exporters, so that
    nothing is to be learnt from it.
    """

    text: str = ""
    mistake: bool = False


class Range(Struct, frozen=True, array_like=True):
    """Of a slice's levels."""

    low: Level
    high: Level


class Reference(Struct, frozen=True, array_like=True):
    """``means`` and ``weights``: float16, of the learnt pictures (slices, INNER, INNER) and one over their variances
    (2, slices, INNER, INNER).

    ``least_fit``: the least mean correlation with the means; ``most_strange``: share of blocks. ``untold``: mistakes
    that right pictures of this view are not surely told from, so that none is looked for. ``missed``: mistakes that
    would go unnoticed in some of the boards that were learnt from. ``told_views``: other views that they are surely
    told from. ``places``: where joints lie, in pixels of the frame; ``spread``: of one box there, standard deviation.
    ``boards``: how many it was learnt from. ``periods``: by which its pattern repeats itself.
    """

    form: tuple[int, int, int]
    means: bytes
    weights: bytes
    ranges: tuple[Range, ...]
    least_fit: float
    most_strange: float
    untold: tuple[str, ...]
    missed: tuple[str, ...]
    told_views: tuple[str, ...]
    places: dict[str, tuple[float, float]]
    spread: float
    boards: int
    periods: tuple[Period, ...] = ()


class Known:
    """A reference, ready to compare with."""

    def __init__(self, reference: Reference) -> None:
        """Raises ValueError where its parts do not fit each other, or are no numbers."""
        self.reference = reference
        means, plain, beyond = (
            part.reshape(reference.form[2], INNER, INNER).astype(np.float32)
            for part in (_halves(reference.means), *np.split(_halves(reference.weights), 2))
        )
        _require_sound(reference, means, plain, beyond)
        self._laid: dict[Known, Rivals] = {}
        frame = reference.form[:2]
        self.template = Template(Expected(means, plain), beyond, frame=frame, periods=reference.periods)

    def doubt(self, sight: Sight, others: Mapping[str, Known] | None = None) -> Doubt:
        """``others``: views of the board type that this one is told from."""
        look, reference = sight.look, self.reference
        if look.form != reference.form:
            return Doubt(_otherwise(look, reference.form))
        strange = _out_of_range(look.levels, reference.ranges)
        seen = look.seen()
        shift = shift_of(blended(seen), self.template.blended)
        lying = shifted_back(seen, shift)
        fits = self._fits(lying)
        if strange and fits:
            return Doubt(strange)
        name = self._mistake(seen, lying, others or {}, fits=fits)
        if name:
            return Doubt(name, mistake=True)
        if not fits:
            return Doubt(strange or "unlike every board that was learnt from")
        return Doubt(self._beside(sight.boxes, shift), mistake=True)

    def doubted(self, sight: Sight) -> bool:
        """Would there be a doubt, whatever it is? That is found faster."""
        seen = sight.look.seen()
        lying = shifted_back(seen, shift_of(blended(seen), self.template.blended))
        return bool(self._likelier(lying, {})) or not self._fits(lying) or bool(self.doubt(sight).text)

    def _fits(self, lying: Pictures) -> bool:
        like = self.template.fit(lying) >= self.reference.least_fit
        return like and self.template.strange(lying) <= self.reference.most_strange

    def _mistake(self, seen: Pictures, lying: Pictures, others: Mapping[str, Known], *, fits: bool) -> str:
        """What the pictures are likelier to be, by name where they look like that."""
        likelier = self._likelier(lying, others)
        if not likelier:
            return ""
        alike = {name: _likeness(seen, self._after(name, others)) for name in likelier}
        name = max(alike, key=alike.__getitem__)
        return name if fits or alike[name] >= self.reference.least_fit - _NEARLY else ""

    def _likelier(self, lying: Pictures, others: Mapping[str, Known]) -> list[str]:
        """Mistakes, and views, that the pictures rather are."""
        margins = {n: m for n, m in self.template.margins(lying).items() if n not in self.reference.untold}
        alike = {n: other for n, other in others.items() if other.reference.form == self.reference.form}
        margins |= {_VIEW + n: float(self._over(other).margins(lying)[0]) for n, other in alike.items()}
        return [name for name, margin in margins.items() if margin < 0]

    def _after(self, name: str, others: Mapping[str, Known]) -> Pictures:
        """The means after a mistake."""
        view = others.get(name.removeprefix(_VIEW)) if name.startswith(_VIEW) else None
        return view.template.plain.means if view else self.template.after(name)

    def _over(self, other: Known) -> Rivals:
        """Another view, laid over this."""
        if other not in self._laid:
            self._laid[other] = self.template.rivals([self.template.laid_over(other.template.plain)])
            if len(self._laid) > _MOST_LAID:
                del self._laid[next(iter(self._laid))]
        return self._laid[other]

    def _beside(self, boxes: Boxes, shift: Shift) -> str:
        """Do the boxes lie elsewhere than they did, while the picture does not?"""
        apart, sides = off_places(boxes, self.reference.places, shift_in_frame(shift, self.reference.form))
        if not len(apart):
            return ""
        far, side = np.abs(apart).max(axis=1), float(np.median(sides))
        if (far > _ELSEWHERE * sides).any():
            return f"shown with a box {far.max():.0f} pixels from where its joint lies"
        across, down = np.abs(np.median(apart, axis=0))
        limit = max(SHIFTED * side, _SURE_OF_BOXES * self.reference.spread / math.sqrt(len(apart)))
        return f"shifted by {max(across, down):.0f} pixels against its boxes" if max(across, down) > limit else ""


def _likeness(seen: Pictures, means: Pictures) -> float:
    """Mean correlation with means that it is laid over first: over the right ones it may lie elsewhere."""
    lying = shifted_back(seen, shift_of(blended(seen), blended(means)))
    return correlation(lying[RIM], means[RIM])


def _require_sound(reference: Reference, *arrays: Pictures) -> None:
    numbers = [reference.least_fit, reference.most_strange, reference.spread]
    numbers += [value for range_ in reference.ranges for level in (range_.low, range_.high) for value in level]
    numbers += [value for place in reference.places.values() for value in place]
    finite = all(np.isfinite(part).all() for part in (np.array(numbers), *arrays))
    positive = all((part > 0).all() for part in arrays[1:])
    if not (finite and positive and len(reference.ranges) == reference.form[2]):
        raise ValueError("a reference whose parts do not fit each other")


def known_of(raw: bytes) -> Known | None:
    """A reference as it was written; None of what another version wrote, or what is damaged."""
    try:
        return Known(msgpack.decode(raw, type=Reference))
    except (DecodeError, ValueError):
        return None


def _halves(raw: bytes) -> NDArray[np.float16]:
    return np.frombuffer(raw, np.float16)


def shift_in_frame(shift: Shift, form: tuple[int, int, int]) -> tuple[float, float]:
    """(across, down), in pixels of the frame."""
    return shift.across * form[1] / SIDE, shift.down * form[0] / SIDE


def off_places(
    boxes: Boxes, places: Mapping[str, tuple[float, float]], shift: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far boxes of known joints lie from where they should, shape (n, 2), in pixels; and their sides."""
    known = [(place, places[joint]) for joint, place in zip(boxes.joints, boxes.places, strict=True) if joint in places]
    apart = [(x - right[0] - shift[0], y - right[1] - shift[1]) for (x, y, _), right in known]
    return np.array(apart).reshape(-1, 2), np.array([side for (_, _, side), _ in known])


def _otherwise(look: Look, form: tuple[int, int, int]) -> str:
    height, width, slices = form
    if look.slices != slices:
        return f"of {look.slices} slices, not {slices}"
    return f"of {look.frame[1]} x {look.frame[0]} pixels, not {width} x {height}"


def _out_of_range(levels: Sequence[Level], ranges: Sequence[Range]) -> str:
    """How a slice is darker, brighter, softer or the like than any was; empty where none is."""
    words = (
        ("darker", "brighter"),
        ("poorer in contrast", "richer in contrast"),
        ("softer", "sharper"),
        ("smoother", "noisier"),
    )
    for index, (level, bounds) in enumerate(zip(levels, ranges, strict=True)):
        for value, low, high, (less, more) in zip(level, bounds.low, bounds.high, words, strict=True):
            if not low <= value <= high:
                return f"{less if value < low else more} than it ever was (slice {index})"
    return ""
