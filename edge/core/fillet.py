"""What a gull-wing joint's optical image shows: geometry of lead and fillet, and wavelet energies.

Our reconstruction: the paper on the Quality Index is not to be had past its last page; the same group (Acciani et al.,
2006) takes geometric and wavelet feature vectors of optical regions into neural networks. Which ones is our choice.

The crop has the lead's toe pointing down. Grey values are first stretched between two low and high percentiles of the
crop, so that brightness and contrast cancel; lengths are shares of the crop's side, so that scale cancels. All sums
are in float64.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pywt  # type: ignore[import-untyped]  # it ships no types
from numpy.typing import NDArray

from edge.core.preprocess import Grey

Image = NDArray[np.uint8]
"""One joint, toe down: uint8, shape (size, size)."""
Floats = NDArray[np.float64]


class Feature(NamedTuple):
    """What one number says."""

    name: str
    unit: str
    meaning: str


_ROWS = tuple(0.26 + 0.0775 * i for i in range(9))
"""Along the lead's axis, as shares of the side: from the middle of the foot to beyond the pad."""
_FLANKS = (0.35, 0.55, 0.70, 0.82)
_OFFSETS = (0.11, 0.15, 0.19)
"""Beside the axis, to the left and right alike."""
_GRADIENTS = (0.35, 0.50, 0.65, 0.80)
_ROW_SD, _FLANK_SD, _GRADIENT_SD = 0.035, 0.045, 0.05
_AXIS_SD, _OFFSET_SD = 0.05, 0.02
_LOW, _HIGH = 0.05, 0.97
"""Shares of the crop's pixels that become black, and that do not become white."""
_TIP = (0.46, 0.80)
_TOE = (0.55, 0.92)
_MIDDLE = (0.25, 0.75)
"""Columns of lead, pad and side fillets; further out lie the neighbours."""
_TIP_SOFTNESS = 0.05
_ENERGY_FLOOR = 1e-4
"""Added to each energy, as a share of white squared: about what camera noise leaves in a band."""


def _features() -> tuple[Feature, ...]:
    white, steep = "share of white", "white / side"
    return (
        *(Feature(f"axis_{100 * y:.0f}", white, f"geometry: brightness of lead and toe, {y:.2f} down") for y in _ROWS),
        *(
            Feature(f"flank_{100 * y:.0f}_{100 * x:.0f}", white, f"geometry: brightness {y:.2f} down, {x:.2f} beside")
            for y in _FLANKS
            for x in _OFFSETS
        ),
        *(
            Feature(f"{name}_{100 * y:.0f}", steep, f"geometry: mean gradient {name} the lead, {y:.2f} down")
            for name in ("along", "across")
            for y in _GRADIENTS
        ),
        Feature("bright_area", "share", "geometry: pixels of the toe region brighter than half of white"),
        Feature("toe_spread", white, "geometry: standard deviation of brightness in the toe region"),
        Feature("edge_depth", white, "geometry: darkest place at the lead's tip, the step that solder levels out"),
        Feature("edge_place", "share of side", "geometry: how far down that place lies"),
        Feature("asymmetry", white, "geometry: mean difference between left and right"),
        *(
            Feature(f"wavelet_{scale}{way[0]}", "ln", f"wavelet: energy of {way} detail at scale {scale}")
            for scale in (1, 2, 3)
            for way in ("horizontal", "vertical")
        ),
    )


FEATURES = _features()
"""In the order of the vector."""


def measured(image: Image, wavelet: str, levels: int) -> Floats:
    """The features of one joint, in the order of ``FEATURES``: uint8 (size, size) to float64 (features,), unscaled."""
    bright, look = stretched(image), _look(image.shape[0])
    return np.concatenate(
        [
            look.rows @ (bright @ look.axis),
            (look.flanks @ (bright @ look.offsets)).ravel(),
            look.gradients_along @ (np.abs(bright[1:] - bright[:-1]) @ look.axis),
            look.gradients_across @ (np.abs(bright[:, 1:] - bright[:, :-1]) @ look.axis_between),
            _toe(bright[look.toe]),
            _tip((bright @ look.axis)[look.tip], look.tip_places),
            [_asymmetry(bright[:, look.middle])],
            np.log(_wavelets(bright[:, look.middle], wavelet, levels) + _ENERGY_FLOOR),
        ]
    )


def contrast(image: Grey) -> int:
    """Grey levels between the percentiles that ``stretched`` makes black and white, of any part of a picture."""
    low, high = _ends(image)
    return high - low if image.size else 0


def stretched(image: Image) -> Floats:
    """Grey values with the crop's low and high percentile at 0 and 1, clipped; all 0 for a flat crop."""
    low, high = _ends(image)
    table = np.clip((np.arange(256) - low) / max(1, high - low), 0.0, 1.0)
    return np.asarray(table[image], np.float64)


def _ends(image: Grey) -> tuple[int, int]:
    """The grey levels that become black and white."""
    counts = np.cumsum(np.bincount(image.ravel(), minlength=256))
    low, high = np.searchsorted(counts, [_LOW * image.size, _HIGH * image.size]).tolist()
    return low, high


def wavelet_energies(image: Floats, wavelet: str, levels: int) -> Floats:
    """Mean energy a pixel of the detail bands: (levels, 3), finest first; horizontal, vertical, diagonal.

    Periodic at the borders, so for the Haar wavelet these and the mean energy of what is left add up to the image's
    (Parseval). The sides of ``image`` are multiples of 2 ** levels.
    """
    bands = pywt.wavedec2(image, wavelet, mode="periodization", level=levels)
    energies = [[np.vdot(band, band) for band in level] for level in reversed(bands[1:])]
    return np.array(energies, np.float64) / image.size


class _Look(NamedTuple):
    """Where the features look, for one size of crop; weights of a window sum to one."""

    rows: Floats
    flanks: Floats
    axis: Floats
    axis_between: Floats
    offsets: Floats
    gradients_along: Floats
    gradients_across: Floats
    tip: slice
    tip_places: Floats
    toe: tuple[slice, slice]
    middle: slice


@lru_cache(maxsize=8)
def _look(size: int) -> _Look:
    place = (np.arange(size) + 0.5) / size
    between = np.arange(1, size) / size
    tip, middle = _span(*_TIP, size), _span(*_MIDDLE, size)
    left, right = (_windows(place, tuple(0.5 + sign * x for x in _OFFSETS), _OFFSET_SD) for sign in (-1, 1))
    return _Look(
        rows=_windows(place, _ROWS, _ROW_SD),
        flanks=_windows(place, _FLANKS, _FLANK_SD),
        axis=_windows(place, (0.5,), _AXIS_SD)[0],
        axis_between=_windows(between, (0.5,), _AXIS_SD)[0],
        offsets=(left + right).T / 2,
        gradients_along=_windows(between, _GRADIENTS, _GRADIENT_SD) * size,
        gradients_across=_windows(place, _GRADIENTS, _GRADIENT_SD) * size,
        tip=tip,
        tip_places=place[tip],
        toe=(_span(*_TOE, size), _span(0.32, 0.68, size)),
        middle=middle,
    )


def _span(start: float, stop: float, size: int) -> slice:
    """The pixels between two shares of the side."""
    return slice(round(start * size), round(stop * size))


def _windows(place: Floats, centres: tuple[float, ...], sd: float) -> Floats:
    """Smooth windows, one a row, so that a small shift of the crop changes little."""
    weights = np.exp(-0.5 * ((place[None, :] - np.array(centres)[:, None]) / sd) ** 2)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _toe(toe: Floats) -> tuple[float, float]:
    """Share of bright pixels, and spread. The count is taken over a soft edge, lest noise tip single pixels."""
    soft = np.clip((toe - 0.4) * 5, 0.0, 1.0)
    return float(soft.mean()), float(toe.std())


def _tip(profile: Floats, places: Floats) -> tuple[float, float]:
    """Depth and place of the darkest row; the place as a mean weighted by darkness, so that it moves smoothly."""
    depth = float(profile.min())
    weights = np.exp((depth - profile) / _TIP_SOFTNESS)
    return depth, float((weights @ places) / weights.sum())


def _asymmetry(middle: Floats) -> float:
    columns = middle.mean(axis=0)
    return float(np.abs(columns - columns[::-1]).mean())


def _wavelets(middle: Floats, wavelet: str, levels: int) -> Floats:
    """Energies of horizontal and vertical detail, finest first: (2 * levels,).

    Cells of two by two pixels come first: finer than that is camera noise, and so is much of the diagonal detail.
    """
    cells = middle[0::2] + middle[1::2]
    cells = (cells[:, 0::2] + cells[:, 1::2]) / 4
    return wavelet_energies(cells, wavelet, levels)[:, :2].ravel()
