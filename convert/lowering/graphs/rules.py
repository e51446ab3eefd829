"""What each operation of a traced graph becomes: a rule a kind. What has no rule is refused by its layer's name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from convert.lowering import program as flat
from convert.lowering.graphs.builder import (
    Builder,
    Rules,
    Unfit,
    channels_last,
    constant,
    in_plane,
    integers,
    is_same,
    unknown,
)
from convert.lowering.graphs.frozen import Array, Node, Tensor
from convert.lowering.graphs.layout import LAYOUT
from convert.lowering.program import Op


def _conv(builder: Builder, node: Node) -> int:
    """Of all channels, or of each by itself."""
    strides, dilations = (in_plane(node.attributes[name]) for name in ("strides", "dilations"))
    return _convolved(builder, node, builder.place(node.source), strides, dilations, same=is_same(node))


def _convolved(
    builder: Builder, node: Node, place: int, strides: tuple[int, int], dilations: tuple[int, int], *, same: bool
) -> int:
    kernel = constant(node, 1, "kernel").astype(np.float32)
    if node.kind == "Conv2D":
        bias = np.zeros(kernel.shape[-1], np.float32)
        return builder.add(node, flat.Conv2d, (place,), kernel, bias, "linear", strides, same, dilations)
    bias = np.zeros(kernel.shape[2] * kernel.shape[3], np.float32)
    return builder.add(node, flat.Depthwise, (place,), kernel, bias, strides, same, dilations)


def _from_blocks(builder: Builder, node: Node) -> int:
    """A dilated convolution, as TensorFlow computes some: on every n-th pixel by itself, put together again."""
    inner = builder.node(node.source)
    outer = builder.node(inner.source) if inner.kind in {"DepthwiseConv2dNative", "Conv2D"} else inner
    if outer.kind != "SpaceToBatchND":
        return unknown(builder, node)
    rows, columns = integers(outer, 1, "block")
    before = constant(outer, 2, "padding") - constant(node, 2, "cropping")
    if (rows, columns) != integers(node, 1, "block") or (before < 0).any():
        return unknown(builder, node)
    place = builder.place(outer.source)
    if before.any():
        widths = (*((int(low), int(high)) for low, high in before), (0, 0))
        place = builder.add(node, flat.Pad, (place,), widths)
    return _convolved(builder, inner, place, (1, 1), (rows, columns), same=False)


def _batch_norm(builder: Builder, node: Node) -> int:
    channels_last(node)
    if node.attributes.get("is_training"):
        raise Unfit("normalises by the batch at hand; save the model for inference")
    gain, offset, mean, variance = (constant(node, i, "statistic").astype(np.float64) for i in range(1, 5))
    scale = gain / np.sqrt(variance + node.attributes["epsilon"])
    return builder.add(node, flat.Affine, (builder.place(node.source),), scale, offset - mean * scale)


def _arithmetic(builder: Builder, node: Node) -> int:
    """Of two tensors, of a tensor and a constant a channel, or of a tensor and any other constant."""
    first, second = node.inputs
    function = _ARITHMETIC[node.kind]
    if isinstance(first, Tensor) and isinstance(second, Tensor):
        if function == "divide":
            return unknown(builder, node)
        return builder.add(node, flat.Elementwise, (builder.place(first), builder.place(second)), function)
    moving, held, turned = (first, second, False) if isinstance(first, Tensor) else (second, first, True)
    assert isinstance(moving, Tensor)  # noqa: S101 - a node that hangs on the joint has one
    assert not isinstance(held, Tensor)  # noqa: S101
    place, shape = builder.place(moving), node.shape
    if function == "divide":
        if turned:
            return unknown(builder, node)
        held, function = 1 / held.astype(np.float64), "multiply"
    before = builder.node(moving).shape
    if function in {"add", "subtract", "multiply"} and _a_channel(held, shape) and before == shape:
        scale, shift = _as_affine(function, np.ravel(held).astype(np.float64), turned=turned)
        return builder.add(node, flat.Affine, (place,), *(np.broadcast_to(x, shape[-1]).copy() for x in (scale, shift)))
    other = builder.constant(node, held.reshape((1,) * (len(shape) - held.ndim) + held.shape))
    return builder.add(node, flat.Elementwise, (other, place) if turned else (place, other), function)


def _a_channel(constant: Array, shape: tuple[int, ...]) -> bool:
    return constant.size == 1 or (constant.shape[-1] == constant.size == shape[-1])


def _as_affine(function: str, constant: Array, *, turned: bool) -> tuple[Any, Any]:
    if function == "multiply":
        return constant, 0.0
    if function == "add":
        return 1.0, constant
    return (-1.0, constant) if turned else (1.0, -constant)


def _negated(builder: Builder, node: Node) -> int:
    channels = node.shape[-1]
    return builder.add(node, flat.Affine, (builder.place(node.source),), -np.ones(channels), np.zeros(channels))


def _squared(builder: Builder, node: Node) -> int:
    place = builder.place(node.source)
    return builder.add(node, flat.Elementwise, (place, place), "multiply")


def _function(name: str) -> Callable[[Builder, Node], int]:
    return lambda builder, node: builder.add(node, flat.Elementwise, (builder.place(node.source),), name)


def _leaky(builder: Builder, node: Node) -> int:
    return builder.add(node, flat.LeakyRelu, (builder.place(node.source),), float(node.attributes["alpha"]))


def _clipped(builder: Builder, node: Node) -> int:
    low, high = (builder.constant(node, constant(node, i, "limit").reshape(1)) for i in (1, 2))
    raised = builder.add(node, flat.Elementwise, (builder.place(node.source), low), "maximum")
    return builder.add(node, flat.Elementwise, (raised, high), "minimum")


def _pool(kind: type[Op]) -> Callable[[Builder, Node], int]:
    def rule(builder: Builder, node: Node) -> int:
        size, strides = (in_plane(node.attributes[name]) for name in ("ksize", "strides"))
        return builder.add(node, kind, (builder.place(node.source),), size, strides, is_same(node))

    return rule


def _reduce(function: str) -> Callable[[Builder, Node], int]:
    def rule(builder: Builder, node: Node) -> int:
        ndim = len(builder.node(node.source).shape)
        axes = tuple(sorted(axis % ndim for axis in integers(node, 1, "axis")))
        if 0 in axes:
            raise Unfit("reduces over joints; only over a joint's own values")
        return builder.add(
            node, flat.Reduce, (builder.place(node.source),), function, axes, node.attributes["keep_dims"]
        )

    return rule


def _matmul(builder: Builder, node: Node) -> int:
    if not isinstance(node.inputs[0], Tensor) or isinstance(node.inputs[1], Tensor):
        return unknown(builder, node)
    matrix = node.inputs[1].astype(np.float32)
    if node.attributes.get("transpose_a"):
        return unknown(builder, node)
    builder.matrices.append(np.ascontiguousarray(matrix if node.attributes.get("transpose_b") else matrix.T))
    place = builder.place(node.source)
    return builder.add(node, flat.MatMul, (place,), len(builder.matrices) - 1, None, "linear")


_ARITHMETIC = {
    "Add": "add",
    "AddV2": "add",
    "BiasAdd": "add",
    "Sub": "subtract",
    "Mul": "multiply",
    "RealDiv": "divide",
    "Maximum": "maximum",
    "Minimum": "minimum",
}
RULES: Rules = {
    **LAYOUT,
    **dict.fromkeys(_ARITHMETIC, _arithmetic),
    "Conv2D": _conv,
    "DepthwiseConv2dNative": _conv,
    "BatchToSpaceND": _from_blocks,
    "FusedBatchNorm": _batch_norm,
    "FusedBatchNormV2": _batch_norm,
    "FusedBatchNormV3": _batch_norm,
    "Neg": _negated,
    "Square": _squared,
    "Abs": _function("abs"),
    "Relu": _function("relu"),
    "Relu6": _function("relu6"),
    "Elu": _function("elu"),
    "Sigmoid": _function("sigmoid"),
    "Tanh": _function("tanh"),
    "Softmax": _function("softmax"),
    "LeakyRelu": _leaky,
    "ClipByValue": _clipped,
    "MaxPool": _pool(flat.MaxPool2d),
    "AvgPool": _pool(flat.AveragePool2d),
    "Mean": _reduce("mean"),
    "Max": _reduce("max"),
    "Sum": _reduce("sum"),
    "MatMul": _matmul,
}
