"""A program while it is read from a graph, and what its rules ask of a node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

import numpy as np

from convert.lowering import program as flat
from convert.lowering.graphs.frozen import INPUT, Array, Node, Tensor
from convert.lowering.layers import Weights
from convert.lowering.program import Op


class Unfit(Exception):
    """Why a node of a known kind is not read; nothing outside this package meets it."""


@dataclass(frozen=True)
class Unknown(Op):
    """What no rule knows; the program may turn out not to need it. ``problem``: why, with a remedy."""

    problem: str


class Builder:
    """The program so far. ``named``: what the operations of a node are called in reports."""

    def __init__(self, nodes: Mapping[str, Node], named: Callable[[Node], str], rules: Rules) -> None:
        self.ops: list[Op] = []
        self.matrices: list[Weights] = []
        self._nodes, self._named, self._rules = nodes, named, rules
        self._places: dict[str, int] = {}
        self._taken: set[str] = set()

    def place(self, tensor: Tensor) -> int:
        """Where the program has this tensor."""
        if tensor.number:
            return self.unknown(
                self.node(tensor),
                "gives several results, of which only the first is read; take parts of a tensor by slicing",
            )
        return self._places[tensor.node]

    def node(self, tensor: Tensor) -> Node:
        """What gives this tensor."""
        return self._nodes[tensor.node]

    def add(self, node: Node, kind: Callable[..., Op], inputs: tuple[int, ...], *rest: Any, **named: Any) -> int:
        layer = self._named(node)
        part = f"{layer}/{node.kind.lower()}"
        name = next(
            name for name in chain([layer, part], map(f"{part}_{{}}".format, count(1))) if name not in self._taken
        )
        self._taken.add(name)
        self.ops.append(kind(name, inputs, *rest, **named))
        return len(self.ops) - 1

    def constant(self, node: Node, values: Array) -> int:
        return self.add(node, flat.Constant, (), values.astype(np.float32))

    def read(self, node: Node) -> None:
        """Add what the node becomes."""
        if node.kind == INPUT:
            self._places[node.name] = -1
            return
        try:
            self._places[node.name] = self._rules.get(node.kind, unknown)(self, node)
        except Unfit as unfit:
            self._places[node.name] = self.unknown(node, str(unfit))

    def unknown(self, node: Node, problem: str) -> int:
        places = tuple(self.place(value) for value in node.inputs if isinstance(value, Tensor))
        return self.add(node, Unknown, places, problem)


_REMEDY = "build it of convolutions, pooling, dense layers, arithmetic, and ReLU, sigmoid or swish"


def unknown(builder: Builder, node: Node) -> int:
    return builder.unknown(node, f"computes {node.kind}, which has no exact int8 form here; {_REMEDY}")


def constant(node: Node, number: int, what: str) -> Array:
    value = node.inputs[number]
    if isinstance(value, Tensor):
        raise Unfit(f"takes a {what} that hangs on the joint; make it a constant")
    return value


def integers(node: Node, number: int, what: str) -> tuple[int, ...]:
    return tuple(int(value) for value in np.ravel(constant(node, number, what)))


def channels_last(node: Node) -> None:
    if node.attributes.get("data_format", "NHWC") != "NHWC":
        raise Unfit("has its channels first; build it with channels_last")


def is_same(node: Node) -> bool:
    """Whether SAME."""
    channels_last(node)
    padding = node.attributes["padding"]
    if padding not in {"SAME", "VALID"}:
        raise Unfit(f"pads {padding}; use same or valid, or a ZeroPadding2D before it")
    return bool(padding == "SAME")


def in_plane(values: tuple[int, ...]) -> tuple[int, int]:
    return values[1], values[2]


Rules = Mapping[str, Callable[[Builder, Node], int]]
"""By a node's kind: adds what it becomes, and says where it is."""
