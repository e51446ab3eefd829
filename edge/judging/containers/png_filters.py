"""PNG's row filters (W3C, 3rd edition, 9.2), undone many pixels at a time instead of one by one."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_SUB, _UP = 1, 2
_MOST_ROWS = 128
"""Of sums at once: those of more do not fit a processor's cache."""
_MOST_SUM = 2**31 - 1
"""That a whole number of OpenCV's holds."""

Bytes = NDArray[np.uint8]


def unfiltered(rows: bytes, height: int, width: int, sample: int) -> Bytes | None:
    """The pixels' bytes as uint8 (height, ``width * sample``), of rows that each begin with the number of their filter.

    ``sample``: bytes a pixel. None where a row is filtered by Average or Paeth, each of whose pixels depends on the one
    before in ways that only a loop undoes, or by a filter that there is not: those are for a decoder in C.
    """
    filtered = np.frombuffer(rows, np.uint8).reshape(height, 1 + width * sample)
    numbers, filtered = filtered[:, 0], filtered[:, 1:]
    at_once = min(_MOST_ROWS, _MOST_SUM // (255 * width))
    if numbers.max() > _UP or not at_once:
        return None
    to_add_up = np.flatnonzero(numbers == _SUB)
    result = filtered.copy() if len(to_add_up) < height else np.empty_like(filtered)
    for first in range(0, len(to_add_up), at_once):
        chosen = to_add_up[first : first + at_once]
        result[chosen] = _sums_along(filtered[chosen], width, sample)
    for row in np.flatnonzero(numbers[1:] == _UP) + 1:  # after all others: what is above is whole by then
        result[row] += result[row - 1]
    return result


def _sums_along(filtered: Bytes, width: int, sample: int) -> Bytes:
    """Of each row, sums of the pixels up to each one, modulo 256.

    OpenCV's integral image adds up the rows above, too, which is taken off again; it is the only sum along a row that
    uses the processor's wide registers, at a sixth of the time of ``np.cumsum``.
    """
    with_above = cv2.integral(filtered.reshape(-1, width, sample))[:, 1:].astype(np.uint8)
    along: Bytes = with_above[1:] - with_above[:-1]
    return along.reshape(-1, width * sample)
