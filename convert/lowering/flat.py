"""From layers over volumes to operations that have int8 kernels: the last, and the only structural, rewrite.

A volume is carried *packed*, as one 4-D tensor whose channels are depth-major; *split*, as one tensor a depth; or
*stacked*, as one tensor whose batch is depth-major. What each layer becomes:

* Conv, the whole volume few channels wide: one 2D convolution with zero blocks (packed -> packed);
* Conv otherwise: a 2D convolution a depth, over a contiguous channel range (packed) or neighbours (split -> split);
* MaxPool: 2D pools, then maxima over depth;
* layers that treat every slice alike, in a network that makes a sequence of them: one layer on the stack;
* Lstm: unrolled, its input projections one product for all slices, and none for the first state, which is zero.

Why this layout: `docs/decisions/0004`. Zero padding over depth is a kernel with fewer taps; nothing is padded.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np

from convert.lowering import layers as volume
from convert.lowering import program as flat
from convert.lowering.layers import Activation, Network, Weights, padding
from convert.lowering.program import Op, Program
from edge.core.errors import ConfigError

WIDE_CHANNELS = 8
"""Up to this many packed input channels, one wide convolution with zero blocks beats several narrow ones."""


def flatten_network(network: Network) -> Program:
    """The program (n, height, width, slices) -> (n, bands). Raises ConfigError for a layer that a pass must remove."""
    builder = _Builder(network)
    for layer in network.layers:
        rule = _RULES.get(type(layer))
        if rule is None:
            raise ConfigError(
                f"layer {layer.name!r}: a {type(layer).__name__} has no flat form; "
                "name the pass that removes it in [lowering] passes"
            )
        rule(builder, layer)
    last = network.layers[-1]
    if not isinstance(last, volume.Thermometer):
        raise ConfigError(f"layer {last.name!r}: is no thermometer; name the pass that makes it one")
    return Program(network.input_shape, tuple(builder.ops), tuple(builder.matrices), last.head)


class _Builder:
    """The program so far, and where the tensor in hand stands."""

    def __init__(self, network: Network) -> None:
        self.ops: list[Op] = []
        self.matrices: list[Weights] = []
        self.depth, self.channels = network.input_shape[2], 1
        self.packed: int | None = -1
        self.split: list[int] = []
        self.stacked: int | None = None
        self.vector = -1
        self.alike = _treats_slices_alike(network)
        self._names: dict[str, count[int]] = {}

    def named(self, name: str) -> str:
        """``name``, numbered from its second use on."""
        number = next(self._names.setdefault(name, count()))
        return f"{name}_{number}" if number else name

    def add(self, kind: Callable[..., Op], name: str, inputs: tuple[int, ...], *rest: Any) -> int:
        self.ops.append(kind(self.named(name), inputs, *rest))
        return len(self.ops) - 1

    def dense(
        self, name: str, value: int, kernel: Weights, bias: Weights | None, activation: Activation = "linear"
    ) -> int:
        self.matrices.append(np.ascontiguousarray(kernel.T))
        return self.add(flat.MatMul, name, (value,), len(self.matrices) - 1, bias, activation)

    def window(self, name: str, start: int, length: int) -> int:
        """The tensor that holds depths [start, start + length), channels depth-major."""
        if self.packed is not None:
            if length == self.depth:
                return self.packed
            bounds = start * self.channels, (start + length) * self.channels
            return self.add(flat.Channels, f"{name}/range", (self.packed,), *bounds)
        parts = tuple(self.split[start : start + length])
        return parts[0] if length == 1 else self.add(flat.Concat, f"{name}/join", parts)

    def stack(self, name: str) -> int:
        """The tensor whose batch is depth-major, made where there is none yet."""
        if self.stacked is not None:
            return self.stacked
        parts = tuple(self.window(name, d, 1) for d in range(self.depth))
        node = parts[0] if len(parts) == 1 else self.add(flat.Stack, f"{name}/stack", parts)
        self.become(stacked=node)
        return node

    def become(
        self,
        *,
        packed: int | None = None,
        split: tuple[int, ...] = (),
        stacked: int | None = None,
        depth: int | None = None,
        channels: int | None = None,
    ) -> None:
        self.packed, self.split, self.stacked = packed, list(split), stacked
        self.depth = self.depth if depth is None else depth
        self.channels = self.channels if channels is None else channels


def _treats_slices_alike(network: Network) -> bool:
    """Whether slices meet only where a sequence is made of them."""
    sequence = any(isinstance(layer, volume.FlattenSlices) for layer in network.layers)
    depths = [
        (layer.kernel.shape[2] if isinstance(layer, volume.Conv) else layer.size[2], layer.strides[2])
        for layer in network.layers
        if isinstance(layer, volume.Conv | volume.MaxPool)
    ]
    return sequence and all(depth == (1, 1) for depth in depths)


def _conv(builder: _Builder, layer: volume.Conv) -> None:
    rows, columns, taps, inner, filters = layer.kernel.shape
    before, positions = padding(builder.depth, taps, layer.strides[2], same=layer.same)
    in_plane = (layer.activation, layer.strides[:2], layer.same)
    if builder.packed is not None and positions > 1 and builder.depth * inner <= WIDE_CHANNELS:
        wide = np.zeros((rows, columns, builder.depth * inner, positions * filters), np.float32)
        for p in range(positions):
            start, stop, kernel = _taps(layer, p, before, builder.depth)
            wide[:, :, start * inner : stop * inner, p * filters : (p + 1) * filters] = kernel
        node = builder.add(flat.Conv2d, layer.name, (builder.packed,), wide, np.tile(layer.bias, positions), *in_plane)
        builder.become(packed=node, depth=positions, channels=filters)
        return
    if builder.alike:
        kernel = layer.kernel[:, :, 0]
        node = builder.add(flat.Conv2d, layer.name, (builder.stack(layer.name),), kernel, layer.bias, *in_plane)
        builder.become(stacked=node, channels=filters)
        return
    parts = []
    for p in range(positions):
        start, stop, kernel = _taps(layer, p, before, builder.depth)
        seen = builder.window(layer.name, start, stop - start)
        parts.append(builder.add(flat.Conv2d, layer.name, (seen,), kernel, layer.bias, *in_plane))
    builder.become(split=tuple(parts), depth=positions, channels=filters)


def _taps(layer: volume.Conv, position: int, before: int, depth: int) -> tuple[int, int, Weights]:
    """The depths [start, stop) that one position sees, and its kernel over them, depth-major in its channels."""
    rows, columns, taps, inner, filters = layer.kernel.shape
    first = position * layer.strides[2] - before
    start, stop = max(0, first), min(depth, first + taps)
    kernel = layer.kernel[:, :, start - first : stop - first]
    return start, stop, kernel.reshape(rows, columns, (stop - start) * inner, filters)


def _max_pool(builder: _Builder, layer: volume.MaxPool) -> None:
    rows, columns, taps = layer.size
    in_plane = ((rows, columns), layer.strides[:2], layer.same)
    before, positions = padding(builder.depth, taps, layer.strides[2], same=layer.same)

    def pooled(node: int) -> int:
        return builder.add(flat.MaxPool2d, layer.name, (node,), *in_plane)

    if builder.stacked is not None:
        builder.become(stacked=pooled(builder.stacked))
        return
    if builder.packed is not None:
        builder.become(packed=pooled(builder.packed))
    else:
        builder.become(split=tuple(pooled(node) for node in builder.split))
    if (taps, layer.strides[2]) == (1, 1):
        return
    parts = []
    for p in range(positions):
        first = p * layer.strides[2] - before
        window = range(max(0, first), min(builder.depth, first + taps))
        node, *others = (builder.window(layer.name, d, 1) for d in window)
        for other in others:
            node = builder.add(flat.Elementwise, f"{layer.name}/maximum", (node, other), "maximum")
        parts.append(node)
    builder.become(split=tuple(parts), depth=positions)


def _flatten(builder: _Builder, layer: volume.Flatten) -> None:
    """Depth-major packing is Keras' own flattening order."""
    builder.vector = builder.add(flat.Reshape, layer.name, (builder.window(layer.name, 0, builder.depth),))


def _flatten_slices(builder: _Builder, layer: volume.FlattenSlices) -> None:
    builder.vector = builder.add(flat.Reshape, layer.name, (builder.stack(layer.name),))


def _dense(builder: _Builder, layer: volume.Dense) -> None:
    builder.vector = builder.dense(layer.name, builder.vector, layer.kernel, layer.bias, layer.activation)


def _thermometer(builder: _Builder, layer: volume.Thermometer) -> None:
    builder.vector = builder.dense(layer.name, builder.vector, layer.kernel, layer.bias, "relu6")


def _lstm(builder: _Builder, layer: volume.Lstm) -> None:
    name, units = layer.name, layer.units

    def each(function: str, *nodes: int, called: str) -> int:
        return builder.add(flat.Elementwise, f"{name}/cell/{called}", nodes, function)

    def gate(gates: int, number: int, function: str) -> int:
        part = builder.add(flat.Channels, f"{name}/cell/part", (gates,), number * units, (number + 1) * units)
        return each(function, part, called=("enter", "forget", "candidate", "leave")[number])

    projected = builder.vector
    *thin, last = layer.kernel
    for kernel in thin:
        projected = builder.dense(f"{name}/inputs_thin", projected, kernel, None)
    projected = builder.dense(f"{name}/inputs", projected, last, layer.bias)
    recurrent = [np.ascontiguousarray(kernel.T) for kernel in layer.recurrent]
    first_matrix = len(builder.matrices)
    builder.matrices += recurrent
    hidden: int | None = None
    cell: int | None = None
    for step in range(builder.depth):
        gates = builder.add(flat.Step, f"{name}/step", (projected,), step, builder.depth)
        if hidden is not None:
            for number in range(len(recurrent)):
                called = f"{name}/recurrent" + "_thin" * (number + 1 < len(recurrent))
                hidden = builder.add(flat.MatMul, called, (hidden,), first_matrix + number, None, "linear")
            gates = each("add", gates, hidden, called="gates")
        fresh = each("multiply", gate(gates, 0, "sigmoid"), gate(gates, 2, "tanh"), called="fresh")
        if cell is None:
            cell = fresh
        else:
            kept = each("multiply", gate(gates, 1, "sigmoid"), cell, called="kept")
            cell = each("add", kept, fresh, called="cell")
        hidden = each("multiply", gate(gates, 3, "sigmoid"), each("tanh", cell, called="reach"), called="hidden")
        builder.vector = hidden


_RULES: dict[type[volume.Layer], Callable[[_Builder, Any], None]] = {
    volume.Conv: _conv,
    volume.MaxPool: _max_pool,
    volume.Flatten: _flatten,
    volume.FlattenSlices: _flatten_slices,
    volume.Dense: _dense,
    volume.Thermometer: _thermometer,
    volume.Lstm: _lstm,
}
