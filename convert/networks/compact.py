"""Weights rounded and packed, so that a model is a small file."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_DROPPED_BITS = 16
"""Of a float32's 23 after the leading one: a bfloat16 is left. Rounding to int8 later moves the weights more."""


def save_compact(model: Any, path: Path) -> None:
    """Save as ``.keras``, kernels rounded to 8 significant bits and everything deflated.

    The model keeps the rounded kernels: what is measured of it from now on is what was saved.
    """
    for layer in model.layers:
        for weight in layer.weights:
            if weight.name == "kernel":
                weight.assign(rounded(np.asarray(weight)))
    loose = path.with_suffix(".loose.keras")
    model.save(loose)
    with zipfile.ZipFile(loose) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for name in source.namelist():
            packed.writestr(name, source.read(name))
    loose.unlink()


def rounded(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each value to the nearest one of 8 significant bits: off by a 256th of itself at most."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    half, kept = np.uint32(1 << (_DROPPED_BITS - 1)), ~np.uint32((1 << _DROPPED_BITS) - 1)
    return ((bits + half) & kept).view(np.float32)
