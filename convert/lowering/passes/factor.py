"""Replace large matrices by products of two thin ones: truncated singular value decomposition. Not an exact rewrite.

Of all matrices of a rank the truncated decomposition is nearest in the Frobenius norm (Eckart and Young 1936). The
factors share the singular values evenly, so that both have weights of one size.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import reduce

import numpy as np
from scipy.sparse.linalg import ArpackError, svds

from convert.lowering.layers import Dense, Layer, Lstm, Network, Weights
from edge.core.errors import ConfigError


def truncated(matrix: Weights, rank: int, seed: int = 0) -> tuple[Weights, Weights]:
    """(rows, rank) and (rank, columns) whose product is nearest to ``matrix``. Raises ConfigError for no such rank."""
    if not 1 <= rank < min(matrix.shape):
        raise ConfigError(f"rank {rank} does not lie between 1 and {min(matrix.shape) - 1}; choose another")
    left, values, right = _decomposed(matrix.astype(np.float32), rank, seed)
    order = np.argsort(values)[::-1][:rank]
    root = np.sqrt(values[order])
    return (left[:, order] * root).astype(np.float32), (root[:, np.newaxis] * right[order]).astype(np.float32)


def _decomposed(matrix: Weights, rank: int, seed: int) -> tuple[Weights, Weights, Weights]:
    """Singular vectors and values, the ``rank`` largest or all of them, in any order."""
    try:
        found: tuple[Weights, Weights, Weights] = svds(matrix, k=rank, rng=np.random.default_rng(seed))
    except ArpackError:  # the iteration may not settle, above all where the rank is near the matrix's own
        return np.linalg.svd(matrix, full_matrices=False)
    return found


def factor_layers(network: Network, names: Collection[str], rank: int) -> Network:
    """The dense layers of these names as two of that rank; of an LSTM the recurrent matrix.

    An LSTM's input product runs once for all slices and costs little. Raises ConfigError for a name that no such layer
    has, and for a rank that a matrix cannot have.
    """
    able = [layer.name for layer in network.layers if isinstance(layer, Dense | Lstm)]
    for name in names:
        if name not in able:
            raise ConfigError(
                f"[factorisation] layers: {name!r} is no dense layer or LSTM of the model; there are: {', '.join(able)}"
            )
    layers: list[Layer] = []
    for layer in network.layers:
        if layer.name not in names:
            layers.append(layer)
        elif isinstance(layer, Dense):
            left, right = truncated(layer.kernel, rank)
            layers.append(Dense(f"{layer.name}_thin", left, np.zeros(rank, np.float32), "linear"))
            layers.append(replace(layer, kernel=right))
        elif isinstance(layer, Lstm):
            whole = reduce(np.matmul, layer.recurrent)
            layers.append(replace(layer, recurrent=truncated(whole, rank)))
    return network.with_layers(layers)
