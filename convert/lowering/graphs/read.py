"""Read what somebody handed over into a program. What is not known here is refused by name: nothing is guessed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from convert.lowering.graphs.builder import Builder, Unknown
from convert.lowering.graphs.frozen import Node, Tensor, frozen
from convert.lowering.graphs.handed import Handed
from convert.lowering.graphs.rules import RULES
from convert.lowering.program import Op, Program
from edge.core.errors import ConfigError
from edge.core.rules import ThermometerHead

_ENDS = {"Softmax", "Sigmoid"}
_OF_SHAPE = {"Reshape", "Squeeze", "ExpandDims"}
_NO_HEAD = ThermometerHead(low=-1.0, high=1.0, full=1.0)
"""Of a program that gives logits still."""


def read_graph(handed: Handed) -> Program:
    """The program that gives the outputs' logits (n, k), before any rewrite.

    Raises ConfigError naming a layer that is not known, or holds a weight that is not finite.
    """
    nodes = frozen(handed.call, handed.input_shape, handed.name)
    if handed.ending.reading == "probabilities":
        nodes = _before_probabilities(nodes)
    builder = Builder({node.name: node for node in nodes}, _naming(handed), RULES)
    for node in nodes:
        _require_finite(node, handed)
        builder.read(node)
    ops, matrices = needed(tuple(builder.ops), builder.place(Tensor(nodes[-1].name))), tuple(builder.matrices)
    unknown = next((op for op in ops if isinstance(op, Unknown)), None)
    if unknown is not None:
        raise ConfigError(f"layer {layer_of(unknown.name)!r} {unknown.problem}; {_REMEDY}")
    return Program(handed.input_shape, ops, matrices, _NO_HEAD)


_REMEDY = "build it of convolutions, pooling, dense layers, arithmetic, and ReLU, sigmoid, swish or ELU"


def layer_of(operation: str) -> str:
    """Operation ``conv/biasadd`` is of layer ``conv``."""
    return operation.partition("/")[0]


def made_into_probabilities(nodes: list[Node]) -> Node | None:
    """The softmax or sigmoid that makes probabilities of logits, at the end or before a mere change of shape."""
    by_name = {node.name: node for node in nodes}
    node = nodes[-1]
    while node.kind in _OF_SHAPE and isinstance(node.inputs[0], Tensor):
        node = by_name[node.source.node]
    return node if node.kind in _ENDS else None


def _before_probabilities(nodes: list[Node]) -> list[Node]:
    """The same without what makes probabilities of logits."""
    end = made_into_probabilities(nodes)
    if end is None:
        return nodes
    kept = [node for node in nodes if node is not end]
    logits = end.source
    return [
        replace(node, inputs=tuple(logits if isinstance(value, Tensor) else value for value in node.inputs))
        if any(isinstance(value, Tensor) and value.node == end.name for value in node.inputs)
        else node
        for node in kept
    ]


def needed(ops: tuple[Op, ...], last: int) -> tuple[Op, ...]:
    """The operations that the one at ``last`` is made from, in order, numbered anew; it comes last."""
    wanted, asked = {last}, [last]
    while asked:
        for place in ops[asked.pop()].inputs:
            if place >= 0 and place not in wanted:
                wanted.add(place)
                asked.append(place)
    order = sorted(wanted)
    number = {place: i for i, place in enumerate(order)} | {-1: -1}
    return tuple(replace(ops[place], inputs=tuple(number[i] for i in ops[place].inputs)) for place in order)


def _naming(handed: Handed) -> Callable[[Node], str]:
    """A node's layer, in which Keras wraps its name: ``model_1/block/conv_1/BiasAdd`` is of ``conv``."""
    known = set(handed.layers)

    def named(node: Node) -> str:
        *path, last = node.name.split("/")
        for part in reversed(path):
            plain = re.sub(r"_\d+$", "", part)
            found = next((name for name in (part, plain) if name in known), None)
            if found is not None:
                return found
        return path[-1] if path else last

    return named


def _require_finite(node: Node, handed: Handed) -> None:
    for value in node.inputs:
        if isinstance(value, np.ndarray) and value.dtype.kind == "f" and not np.isfinite(value).all():
            raise ConfigError(f"layer {_naming(handed)(node)!r}: a weight is not finite; train the model again")
        if isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.dtype != np.float32:
            raise ConfigError(f"layer {_naming(handed)(node)!r}: computes in {value.dtype}; save the model as float32")
