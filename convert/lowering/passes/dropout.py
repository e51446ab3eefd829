"""Inference has no dropout."""

from __future__ import annotations

from convert.lowering.layers import Dropout, Network


def drop_dropout(network: Network) -> Network:
    """Without the dropout layers."""
    return network.with_layers([layer for layer in network.layers if not isinstance(layer, Dropout)])
