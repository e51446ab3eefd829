"""Read what somebody handed over into a program. What is not known here is refused by name: nothing is guessed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from convert.lowering.graphs.builder import Builder, Unknown
from convert.lowering.graphs.frozen import Node, Tensor
from convert.lowering.graphs.handed import Handed
from convert.lowering.graphs.rewriting import needed, reached
from convert.lowering.graphs.rules import RULES
from convert.lowering.program import Program
from edge.core.errors import ConfigError
from edge.core.rules import ThermometerHead

_ENDS = {"Softmax", "Sigmoid"}
_OF_SHAPE = {"Reshape", "Squeeze", "ExpandDims"}
_PRODUCTS = {"MatMul", "BatchMatMulV2", "Conv2D", "DepthwiseConv2dNative", "BatchToSpaceND"}
"""What gives values of any size, where nothing but layout and constants comes after it."""
_KEEPING = {
    *("Add", "AddV2", "BiasAdd", "Sub", "Mul", "RealDiv", "Neg", "Maximum", "Minimum", "ClipByValue"),
    *("Mean", "Max", "Min", "Sum", "Prod", "MaxPool", "AvgPool", "FusedBatchNormV3"),
    *("Reshape", "Squeeze", "ExpandDims", "Transpose", "ConcatV2", "Pack", "StridedSlice", "Slice", "GatherV2", "Pad"),
}
"""What of shares makes other shares, and of logits other logits."""
_NO_HEAD = ThermometerHead(low=-1.0, high=1.0, full=1.0)
"""Of a program that gives logits still."""


def read_graph(handed: Handed) -> Program:
    """The program that gives the outputs' logits (n, k), before any rewrite.

    Raises ConfigError naming a layer that is not known, or holds a weight that is not finite.
    """
    nodes, named = handed.nodes, _naming(handed)
    if handed.ending.reading == "probabilities":
        nodes = _before_probabilities(nodes)
    builder = Builder({node.name: node for node in nodes}, named, RULES)
    for node in nodes:
        _require_finite(node, named)
        builder.read(node)
    ops, matrices = needed(tuple(builder.ops), builder.place(Tensor(nodes[-1].name))), tuple(builder.matrices)
    unknown = next((op for op in ops if isinstance(op, Unknown)), None)
    if unknown is not None:
        where = layer_of(unknown.name)
        kind = "layer" if where in handed.layers or not handed.layers else "operation"
        raise ConfigError(f"{kind} {where!r} {unknown.problem}")
    return Program(handed.input_shape, ops, matrices, _NO_HEAD)


def layer_of(operation: str) -> str:
    """Operation ``conv/biasadd`` is of layer ``conv``."""
    return operation.partition("/")[0]


def made_into_probabilities(nodes: Sequence[Node]) -> Node | None:
    """The softmax or sigmoid that makes probabilities of logits, at the end or before a mere change of shape."""
    by_name = {node.name: node for node in nodes}
    node = nodes[-1]
    while node.kind in _OF_SHAPE and isinstance(node.inputs[0], Tensor):
        node = by_name[node.source.node]
    return node if node.kind in _ENDS else None


def made_of(nodes: Sequence[Node]) -> set[str]:
    """What the outputs are made of, behind layout, arithmetic and means: ``shares``, ``products``, or ``other``."""
    by_name = {node.name: node for node in nodes}

    def behind(name: str) -> list[str]:
        node = by_name[name]
        return [value.node for value in node.inputs if isinstance(value, Tensor)] if node.kind in _KEEPING else []

    kinds = {by_name[name].kind for name in reached(nodes[-1].name, behind)} - _KEEPING
    return {"shares" if kind in _ENDS else "products" if kind in _PRODUCTS else "other" for kind in kinds}


def _before_probabilities(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """The same without what makes probabilities of logits; only changes of shape come after it."""
    end = made_into_probabilities(nodes)
    if end is None:
        return nodes
    place = [node.name for node in nodes].index(end.name)
    before, after = nodes[:place], nodes[place + 1 :]
    return (*before, *(replace(node, inputs=(end.source, *node.inputs[1:])) for node in after[:1]), *after[1:])


def _naming(handed: Handed) -> Callable[[Node], str]:
    """A node's layer, in which Keras wraps its name: ``model_1/block/conv_1/BiasAdd`` is of ``conv``. Of a model whose
    layers are not known the innermost name; of what is in no layer its own.
    """
    known = set(handed.layers)

    def named(node: Node) -> str:
        *path, last = node.name.split("/")
        for part in reversed(path):
            plain = re.sub(r"_\d+$", "", part)
            found = next((name for name in (part, plain) if name in known), None)
            if found is not None:
                return found
        inner = [part for part in path if "PartitionedCall" not in part]
        return inner[-1] if inner and not known else last

    return named


def _require_finite(node: Node, named: Callable[[Node], str]) -> None:
    for value in node.inputs:
        if isinstance(value, Tensor) or value.dtype.kind != "f":
            continue
        if not np.isfinite(value).all():
            raise ConfigError(f"layer {named(node)!r}: a weight is not finite; train the model again")
        if value.dtype != np.float32:
            raise ConfigError(f"layer {named(node)!r}: computes in {value.dtype}; save the model as float32")
