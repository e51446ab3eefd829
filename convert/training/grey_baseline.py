"""The classical baseline: logistic regression on a few grey-level features of the same patch.

What a table's other rows must beat for their effort: it knows how dark a patch is, not what is in it.
"""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from convert.lots.lot import LabelledLot
from edge.core.errors import ConfigError
from edge.core.logistic import probabilities

FEATURES = ("mean", "standard deviation", "least", "greatest", "5 %", "25 %", "50 %", "75 %", "95 %")
_PERCENTILES = (5, 25, 50, 75, 95)
_RIDGE = 1e-4

Floats = NDArray[np.float64]


class Baseline(msgspec.Struct, frozen=True):
    """A fitted model: features are standardised with ``mean`` and ``deviation`` before ``weights`` and ``bias``."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float


def features(lot: LabelledLot) -> Floats:
    """Grey levels over all pixels of a joint's slices, in the order of ``FEATURES``: float64 (n, 9)."""
    rows = []
    for patch, row in zip(chain.from_iterable(lot.batches(512)), lot.rows, strict=True):
        grey = patch[..., : row.slices].astype(np.float32)
        shape = [grey.mean(), grey.std(), grey.min(), grey.max()]
        rows.append([*shape, *np.percentile(grey, _PERCENTILES)])
    return np.array(rows, np.float64)


def fit(lot: LabelledLot) -> Baseline:
    """Fit on a balanced lot, with a little ridge, by quasi-Newton descent."""
    values = features(lot)
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    scaled = (values - mean) / deviation
    signs = np.where(lot.labels == 1, 1.0, -1.0)

    def loss(parameters: Floats) -> tuple[float, Floats]:
        margin = signs * (scaled @ parameters[:-1] + parameters[-1])
        pull = -signs / (1 + np.exp(margin)) / len(signs)
        gradient = np.append(scaled.T @ pull, pull.sum()) + 2 * _RIDGE * parameters
        return float(np.logaddexp(0, -margin).mean() + _RIDGE * parameters @ parameters), gradient

    best = minimize(loss, np.zeros(scaled.shape[1] + 1), jac=True, method="L-BFGS-B").x
    return Baseline(_floats(mean), _floats(deviation), _floats(best[:-1]), float(best[-1]))


def _floats(values: Floats) -> tuple[float, ...]:
    return tuple(map(float, values))


def score(baseline: Baseline, lot: LabelledLot) -> Floats:
    """p_defect of each joint, float64 (n,)."""
    scaled = (features(lot) - np.array(baseline.mean)) / np.array(baseline.deviation)
    return probabilities(scaled @ np.array(baseline.weights) + baseline.bias)


def save(baseline: Baseline, path: Path) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(baseline)) + b"\n")


def load(path: Path) -> Baseline:
    """Raises ConfigError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Baseline)
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigError(f"{path}: not a readable baseline ({error}); make the reference models anew") from error
