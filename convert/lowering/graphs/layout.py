"""Rules for operations that move values: concatenation, padding, parts, sizes and shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from convert.lowering import program as flat
from convert.lowering.graphs.builder import Builder, Rules, Unfit, constant, in_plane, integers
from convert.lowering.graphs.frozen import Node, Tensor


def _concat(builder: Builder, node: Node) -> int:
    *parts, axis = node.inputs
    assert not isinstance(axis, Tensor)  # noqa: S101 - an attribute that TensorFlow passes as an input
    number = int(axis) % len(node.shape)
    if number == 0:
        raise Unfit("puts joints together; only a joint's own values")
    places = tuple(builder.place(part) if isinstance(part, Tensor) else builder.constant(node, part) for part in parts)
    return builder.add(node, flat.Concat, places, number)


def _pad(builder: Builder, node: Node) -> int:
    widths = constant(node, 1, "padding")
    value = float(constant(node, 2, "value")) if len(node.inputs) > 2 else 0.0
    if widths[0].any():
        raise Unfit("pads joints; only a joint's own values")
    rest = tuple((int(low), int(high)) for low, high in widths[1:])
    return builder.add(node, flat.Pad, (builder.place(node.source),), rest, value)


def _strided_slice(builder: Builder, node: Node) -> int:
    """A contiguous part; axes of it may go. Or all of it, where axes only come or go."""
    shape = builder.node(node.source).shape
    begin, end, steps = (integers(node, i, "limit") for i in (1, 2, 3))
    begins, ends, ellipses, opens, shrinks = (
        node.attributes.get(f"{mask}_mask", 0) for mask in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    )
    if not (begins & ends | ellipses) & 1:
        raise Unfit("takes some of the joints; only a joint's own values")
    contiguous = all(step == 1 for step in steps)
    if contiguous and np.prod(node.shape) == np.prod(shape):
        return _reshaped(builder, node)
    if not contiguous or opens:
        raise Unfit("slices with steps or new axes; take contiguous parts, and give them axes afterwards")
    starts, lengths = [0] * len(shape), list(shape)
    axis = 0
    for number, (low, high) in enumerate(zip(begin, end, strict=True)):
        if ellipses >> number & 1:
            axis += len(shape) - len(begin) + 1
            continue
        first = 0 if begins >> number & 1 else low + shape[axis] * (low < 0)
        last = shape[axis] if ends >> number & 1 else high + shape[axis] * (high < 0)
        starts[axis], lengths[axis] = first, 1 if shrinks >> number & 1 else min(last, shape[axis]) - first
        axis += 1
    return _cut(builder, node, starts, lengths)


def _slice(builder: Builder, node: Node) -> int:
    shape = builder.node(node.source).shape
    starts = integers(node, 1, "start")
    lengths = [size if size >= 0 else shape[i] - starts[i] for i, size in enumerate(integers(node, 2, "size"))]
    return _cut(builder, node, starts, lengths)


def _cut(builder: Builder, node: Node, starts: Any, lengths: Any) -> int:
    shape = builder.node(node.source).shape
    if (starts[0], lengths[0]) != (0, shape[0]):
        raise Unfit("slices joints; only a joint's own values")
    place = builder.add(node, flat.Cut, (builder.place(node.source),), tuple(starts[1:]), tuple(lengths[1:]))
    if node.shape == tuple(lengths):
        return place
    return builder.add(node, flat.Reshape, (place,), tuple(node.shape[1:]))


def _resize(method: str) -> Callable[[Builder, Node], int]:
    def rule(builder: Builder, node: Node) -> int:
        options = (bool(node.attributes.get(name)) for name in ("half_pixel_centers", "align_corners"))
        return builder.add(node, flat.Resize, (builder.place(node.source),), in_plane(node.shape), method, *options)

    return rule


def _reshape(builder: Builder, node: Node) -> int:
    repeated = _repeated(builder, node)
    if repeated is not None:
        place, size = builder.place(repeated), in_plane(node.shape)
        return builder.add(node, flat.Resize, (place,), size, "nearest", half_pixel_centers=False, align_corners=False)
    return _reshaped(builder, node)


def _reshaped(builder: Builder, node: Node) -> int:
    """One reshape, however many came before."""
    place = builder.place(node.source)
    while place >= 0 and isinstance(builder.ops[place], flat.Reshape):
        (place,) = builder.ops[place].inputs
    return builder.add(node, flat.Reshape, (place,), tuple(node.shape[1:]))


def _repeated(builder: Builder, node: Node) -> Tensor | None:
    """What is shown larger, when this is the end of how Keras repeats rows or columns: a new axis, tiled, merged."""
    tiled = builder.node(node.source)
    if tiled.kind != "Tile" or not isinstance(tiled.inputs[0], Tensor):
        return None
    opened = builder.node(tiled.source)
    if opened.kind not in {"ExpandDims", "Reshape"} or not isinstance(opened.inputs[0], Tensor):
        return None
    before, after = builder.node(opened.source).shape, node.shape
    times = integers(tiled, 1, "multiple")
    axis = next((i for i, number in enumerate(times) if number != 1), 0)
    rows_or_columns = len(before) == len(after) == 4 and opened.shape[axis] == 1 and axis - 1 in {1, 2}
    grown = tuple(size * times[axis] if i == axis - 1 else size for i, size in enumerate(before))
    alone = sum(number != 1 for number in times) == 1
    return opened.source if rows_or_columns and alone and grown == after else None


def _transpose(builder: Builder, node: Node) -> int:
    axes = integers(node, 1, "order")
    if axes[0] != 0:
        raise Unfit("moves the axis of joints; it must stay the first")
    return builder.add(node, flat.Permute, (builder.place(node.source),), axes[1:])


LAYOUT: Rules = {
    "ConcatV2": _concat,
    "Pad": _pad,
    "PadV2": _pad,
    "StridedSlice": _strided_slice,
    "Slice": _slice,
    "ResizeNearestNeighbor": _resize("nearest"),
    "ResizeBilinear": _resize("bilinear"),
    "Reshape": _reshape,
    "Squeeze": _reshape,
    "ExpandDims": _reshape,
    "Transpose": _transpose,
}
