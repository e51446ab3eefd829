"""What a slice shows, in 16 bytes: the same for the same pixels, however they are stored.

Every seventh pixel down and across is looked at. Two X-ray images of one joint differ in their noise: among some twenty
thousand pixels that are the same throughout there is no chance. What has hardly any noise has no fingerprint: a black
slice with a line of text on it is like any other.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from edge.core.job import Polarity
from edge.core.preprocess import Grey, to_polarity

_EVERY = 7
_BYTES = 16
_LEAST_VARIED = 0.1
"""Share of the pixels that have another grey level than the commonest."""


def fingerprint(grey: Grey, stored: Polarity) -> bytes | None:
    """Of a slice (height, width) in the polarity that it is stored in; None where it shows next to nothing."""
    looked_at = np.ascontiguousarray(to_polarity(grey[::_EVERY, ::_EVERY], stored, "solder_dark"))
    if not _varied(looked_at.ravel()):
        return None
    return blake2b(looked_at.tobytes(), digest_size=_BYTES, key=b"%d %d" % grey.shape).digest()


def _varied(grey: NDArray[np.uint8]) -> bool:
    """A level that nearly all have is one that half of a fifth of them have, at least: that fifth is counted first."""
    most = (1 - _LEAST_VARIED) * grey.size
    few = grey[: -(-grey.size // 5)]
    return grey.size > 0 and (_commonest(few) <= most - (grey.size - few.size) or _commonest(grey) <= most)


def _commonest(grey: NDArray[np.uint8]) -> int:
    """How many pixels have the level that most of them have."""
    return int(np.bincount(grey).max())
