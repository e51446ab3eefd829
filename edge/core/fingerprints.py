"""What a slice shows, in 16 bytes: the same for the same pixels, however they are stored.

Every seventh pixel down and across is looked at. Two X-ray images of one joint differ in their noise: among some twenty
thousand pixels that are the same throughout there is no chance. What has hardly any noise has no fingerprint: a black
slice with a line of text on it is like any other.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np

from edge.core.job import Polarity
from edge.core.preprocess import Grey, to_polarity

_EVERY = 7
_BYTES = 16
_LEAST_VARIED = 0.1
"""Share of the pixels that have another grey level than the commonest."""


def fingerprint(grey: Grey, stored: Polarity) -> bytes | None:
    """Of a slice (height, width) in the polarity that it is stored in; None where it shows next to nothing."""
    looked_at = np.ascontiguousarray(to_polarity(grey[::_EVERY, ::_EVERY], stored, "solder_dark"))
    if not looked_at.size or np.bincount(looked_at.ravel()).max() > (1 - _LEAST_VARIED) * looked_at.size:
        return None
    return blake2b(looked_at.tobytes(), digest_size=_BYTES, key=b"%d %d" % grey.shape).digest()
