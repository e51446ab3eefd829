"""A function of TensorFlow as a list of operations on constants and on what came before, for one joint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convert.lowering.graphs.rewriting import reached
from edge.core.errors import ConfigError
from edge.logs import without_lines

INPUT = "Placeholder"
_OF_SHAPE = {"Shape", "Size", "Rank"}
"""What these give does not hang on the joint."""
_PASSING_ON = {"Identity", "IdentityN", "StopGradient", "PreventGradient", "CheckNumerics", "Snapshot"}
_CHATTER = (b"I0000 ", b"WARNING: All log messages before absl::InitializeLog()")
"""Lines that TensorFlow's graph optimiser writes whatever its level of logging."""
_CALLS = {"PartitionedCall", "StatefulPartitionedCall"}

Array = NDArray[Any]
_NOTHING: Array = np.zeros(0, np.float32)


class Tensor(NamedTuple):
    """Output ``number`` of node ``node``."""

    node: str
    number: int = 0


@dataclass(frozen=True)
class Node:
    """``inputs``: each a tensor that hangs on the joint, or a constant. ``shape``: of the first output, batch of 1."""

    name: str
    kind: str
    inputs: tuple[Tensor | Array, ...]
    shape: tuple[int, ...]
    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def source(self) -> Tensor:
        """The first input, which hangs on the joint."""
        first = self.inputs[0]
        assert isinstance(first, Tensor)  # noqa: S101 - the rules ask only where it does
        return first


def frozen(call: Callable[[Any], Any], input_shape: tuple[int, ...], name: str) -> list[Node]:
    """The operations of ``call`` on one joint (1, *input_shape) that hang on it, in order; the last gives the output.

    Raises ConfigError for a function that cannot be traced.
    """
    graph = _traced(call, input_shape, name)
    operations = [op for op in graph.get_operations() if op.outputs]
    moving = _moving(operations)
    values = _values(graph, operations, input_shape)
    bodies = {body.signature.name: body for body in graph.as_graph_def().library.function}
    passed_on = {
        op.name: [Tensor(tensor.op.name, tensor.value_index) for tensor in op.inputs]
        for op in operations
        if op.name in moving and op.type in _PASSING_ON
    }

    def resolved(tensor: Any) -> Tensor | Array:
        if tensor.op.name not in moving:
            return values.get(tensor.name, _NOTHING)  # a handle of something
        found = Tensor(tensor.op.name, tensor.value_index)
        while found.node in passed_on:
            found = passed_on[found.node][found.number]
        return found

    def node(op: Any) -> Node:
        inputs = tuple(resolved(tensor) for tensor in op.inputs)
        shape = tuple(values[op.outputs[0].name].shape) if op.outputs[0].name in values else ()
        if op.type in _CALLS:
            return _called(op, bodies[op.get_attr("f").name], inputs, shape)
        return Node(op.name, op.type, inputs, shape, _attributes(op.node_def))

    nodes = [node(op) for op in operations if op.name in moving and op.name not in passed_on]
    end = resolved(graph.outputs[0])
    if not isinstance(end, Tensor):
        raise ConfigError(f"{name}: gives the same for every joint; train it")
    by_name = {node.name: node for node in nodes}
    wanted = reached(end.node, lambda name: [value.node for value in by_name[name].inputs if isinstance(value, Tensor)])
    return [node for node in nodes if node.name in wanted]


def _traced(call: Callable[[Any], Any], input_shape: tuple[int, ...], name: str) -> Any:
    """The graph of ``call`` with its variables as constants. Raises ConfigError."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    traced = tf.function(call, input_signature=[tf.TensorSpec((1, *input_shape), tf.float32)], autograph=False)
    try:
        concrete = traced.get_concrete_function()
        with without_lines(*_CHATTER):
            return convert_variables_to_constants_v2(concrete, lower_control_flow=False).graph
    except (ValueError, TypeError, LookupError, AttributeError, RuntimeError, tf.errors.OpError) as error:
        said = str(error).strip().partition("\n")[0]
        raise ConfigError(f"{name}: cannot be traced on patches {input_shape} ({said}); build it anew") from error


def _moving(operations: list[Any]) -> set[str]:
    """Names of the operations whose results hang on the joint."""
    moving: set[str] = set()
    for op in operations:
        hangs = any(tensor.op.name in moving for tensor in op.inputs) and op.type not in _OF_SHAPE
        if op.type == INPUT or hangs:
            moving.add(op.name)
    return moving


def _values(graph: Any, operations: list[Any], input_shape: tuple[int, ...]) -> dict[str, Array]:
    """What every operation gives for an empty joint: constants are constants, and shapes are shapes."""
    import tensorflow as tf

    tensors = [tensor for op in operations for tensor in op.outputs if tensor.dtype not in {tf.resource, tf.variant}]
    (patch,) = (op.outputs[0].name for op in operations if op.type == INPUT)
    as_it_stands = tf.compat.v1.ConfigProto()  # or what is asked for may be optimised away
    as_it_stands.graph_options.rewrite_options.disable_meta_optimizer = True
    with without_lines(*_CHATTER), tf.compat.v1.Session(graph=graph, config=as_it_stands) as session:
        found = session.run(tensors, {patch: np.zeros((1, *input_shape), np.float32)})
    return {tensor.name: np.asarray(value) for tensor, value in zip(tensors, found, strict=True)}


def _called(op: Any, body: Any, inputs: tuple[Tensor | Array, ...], shape: tuple[int, ...]) -> Node:
    """A call of a function that does one thing, as that; Keras calls grouped convolutions so."""
    does = [node for node in body.node_def if node.op not in {*_PASSING_ON, "NoOp", "Const"}]
    values = {argument.name: value for argument, value in zip(body.signature.input_arg, inputs, strict=True)}
    for node in body.node_def:
        if node.op in _PASSING_ON and _argument(node.input[0]) in values:
            values[node.name] = values[_argument(node.input[0])]
    if len(does) == 1 and all(_argument(name) in values for name in does[0].input):
        given = tuple(values[_argument(name)] for name in does[0].input)
        return Node(op.name, does[0].op, given, shape, _attributes(does[0]))
    return Node(op.name, op.type, inputs, shape)


def _argument(name: str) -> str:
    return name.partition(":")[0]


def _attributes(definition: Any) -> dict[str, Any]:
    """Attributes as Python has them; those of other kinds are of no use here."""
    found: dict[str, Any] = {}
    for name, value in definition.attr.items():
        kind = value.WhichOneof("value")
        if kind == "list":
            found[name] = tuple(value.list.i)
        elif kind == "s":
            found[name] = value.s.decode()
        elif kind in {"i", "f", "b"}:
            found[name] = getattr(value, kind)
    return found
