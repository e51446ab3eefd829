"""What the build computed of many varied joints: a device that computes the same, bit for bit, has proved that it can.

The joints themselves are not kept: whoever has the bundle's golden joints can make them again (``variants``).
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.core.errors import BundleRefused

PARITY = "parity.npz"
_FIELDS = ("exact", "reference", "budget")


class Parity(NamedTuple):
    """Raw outputs (n, values) of the preferred runtime on the build's computer, the joints in order: of its ``exact``
    kernels, and of its ``reference`` kernels for the first of them. ``budget``: share of the joints whose decision fast
    kernels may change.
    """

    exact: NDArray[Any]
    reference: NDArray[Any]
    budget: float

    def of(self, kernels: str) -> NDArray[Any] | None:
        """What these kernels must give, bit for bit; None where they may round otherwise."""
        return {"exact": self.exact, "reference": self.reference}.get(kernels)


def encode_parity(parity: Parity) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, exact=parity.exact, reference=parity.reference, budget=np.float64(parity.budget))
    return stream.getvalue()


def decode_parity(raw: bytes, path: Path) -> Parity:
    """Raises BundleRefused for anything but a record."""
    try:
        with np.load(io.BytesIO(raw), allow_pickle=False) as archive:
            exact, reference, budget = (archive[field] for field in _FIELDS)
            parity = Parity(exact, reference, float(budget))
    except (ValueError, TypeError, LookupError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise BundleRefused(f"{path}: not a readable record of parity ({error}); rebuild the bundle") from error
    if exact.ndim != 2 or not 0 < len(reference) <= len(exact) or not 0 <= parity.budget <= 1:
        raise BundleRefused(f"{path}: holds no outputs of joints, or no budget; rebuild the bundle")
    return parity
