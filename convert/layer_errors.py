"""Where in the network conversion costs most: every operation's result against its float32 twin's."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from convert.lowering.layers import scaled
from convert.lowering.program import MOVES, Program, trace
from convert.runtimes import tensors_on
from edge.adapters.tflite import RuntimeInfo


class LayerError(NamedTuple):
    """``snr_db``: power of the float result over that of the difference, in decibels; ``cosine`` of both."""

    name: str
    snr_db: float
    cosine: float


def layer_errors(
    program: Program, runtime: RuntimeInfo, model: bytes, patches: NDArray[np.uint8]
) -> tuple[LayerError, ...]:
    """Every operation that computes and whose result is still in the file, in order.

    ``patches``: a handful of joints (n, size, size, slices).
    """
    stored = {_operation(name): values for name, values in tensors_on(runtime, model, patches).items()}
    errors = []
    results = trace(program, scaled(patches))
    for op, result in zip(program.ops, results, strict=True):
        found = stored.get(op.name)
        wanted = np.asarray(result, np.float64)
        if not isinstance(op, MOVES) and found is not None and found.size == wanted.size:
            errors.append(_error(op.name, _as_in_batch(found, wanted), wanted))
    return tuple(errors)


def _operation(tensor: str) -> str:
    """``conv1/Relu;conv1/BiasAdd`` was given by operation ``conv1``."""
    return tensor.split(";", maxsplit=1)[0].rpartition("/")[0]


def _as_in_batch(found: NDArray[np.float32], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """(joints, rows of one, ...) as the batch (rows of all, ...) has them; a stack of slices is slice-major."""
    ordered = np.moveaxis(found, 1, 0) if found.ndim == wanted.ndim + 1 else found
    return ordered.reshape(wanted.shape).astype(np.float64)


def _error(name: str, found: NDArray[np.float64], wanted: NDArray[np.float64]) -> LayerError:
    power, noise = float((wanted**2).sum()), float(((found - wanted) ** 2).sum())
    norms = float(np.linalg.norm(found) * np.linalg.norm(wanted))
    snr = 10 * np.log10(power / noise) if noise and power else float("inf")
    return LayerError(name, float(snr), float((found * wanted).sum() / norms) if norms else 1.0)
