"""A function of TensorFlow as a list of operations on constants and on what came before, for one joint."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
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

_OF_CHANCE = re.compile("^(Stateful|Stateless|Parameterized)?(Random|Truncated|Multinomial|Bernoulli|Uniform)")
_STYLE = re.compile(r"\x1b\[[0-9;]*m")
_ABOUT_NOTHING = ("Exception encountered", "Graph execution error", "Detected at node", "Arguments received")
"""How lines begin that do not say what went wrong."""

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
    bodies = {body.signature.name: body for body in graph.as_graph_def().library.function}
    _require_no_chance(graph, bodies, name)
    values = _values(graph, operations, input_shape, name)
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

    def nodes_of(op: Any) -> list[Node]:
        inputs = tuple(resolved(tensor) for tensor in op.inputs)
        shape = tuple(values[op.outputs[0].name].shape) if op.outputs[0].name in values else ()
        if op.type in _CALLS:
            return _called(Node(op.name, op.type, inputs, shape), bodies[op.get_attr("f").name])
        return [Node(op.name, op.type, inputs, shape, _attributes(op.node_def))]

    nodes = [node for op in operations if op.name in moving and op.name not in passed_on for node in nodes_of(op)]
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
        said = first_words(error)
        raise ConfigError(f"{name}: cannot be traced on patches {input_shape} ({said}); build it anew") from error


def _moving(operations: list[Any]) -> set[str]:
    """Names of the operations whose results hang on the joint."""
    moving: set[str] = set()
    for op in operations:
        hangs = any(tensor.op.name in moving for tensor in op.inputs) and op.type not in _OF_SHAPE
        if op.type == INPUT or hangs:
            moving.add(op.name)
    return moving


def _require_no_chance(graph: Any, bodies: Mapping[str, Any], name: str) -> None:
    """Raises ConfigError where the output hangs on numbers drawn at random: they would be frozen as they fell."""
    needed = reached(graph.outputs[0].op.name, lambda one: [t.op.name for t in graph.get_operation_by_name(one).inputs])
    for one in sorted(needed):
        op = graph.get_operation_by_name(one)
        kinds = {node.op for node in bodies[op.get_attr("f").name].node_def} if op.type in _CALLS else set()
        drawn = next((kind for kind in sorted({op.type, *kinds}) if _OF_CHANCE.search(kind)), None)
        if drawn is not None:
            raise ConfigError(
                f"{name}: draws at random as it judges ({drawn} in {one}); save it without, as for inference"
            )


def _values(graph: Any, operations: list[Any], input_shape: tuple[int, ...], name: str) -> dict[str, Array]:
    """What every operation gives for some joint: constants are constants, and shapes are shapes. Raises ConfigError."""
    import tensorflow as tf

    tensors = [tensor for op in operations for tensor in op.outputs if tensor.dtype not in {tf.resource, tf.variant}]
    (patch,) = (op.outputs[0].name for op in operations if op.type == INPUT)
    as_it_stands = tf.compat.v1.ConfigProto()  # or what is asked for may be optimised away
    as_it_stands.graph_options.rewrite_options.disable_meta_optimizer = True
    some = np.random.default_rng(0).random((1, *input_shape), np.float32)
    with without_lines(*_CHATTER), tf.compat.v1.Session(graph=graph, config=as_it_stands) as session:
        try:
            found = session.run(tensors, {patch: some})
        except tf.errors.OpError as error:
            raise ConfigError(f"{name}: fails on a joint of noise ({first_words(error)}); mend the model") from error
    return {tensor.name: np.asarray(value) for tensor, value in zip(tensors, found, strict=True)}


def first_words(error: BaseException) -> str:
    """What went wrong, of the many lines that TensorFlow and Keras make of it."""
    lines = [_STYLE.sub("", line).strip() for line in str(error).splitlines()]
    said = [line for line in lines if line and not line.startswith(_ABOUT_NOTHING)]
    return (said or [type(error).__name__])[0].rstrip(".")


def _called(call: Node, body: Any) -> list[Node]:
    """A call of a function as what the function does; Keras calls grouped convolutions so. Or the call itself, where
    that cannot be told.
    """
    values: dict[str, Tensor | Array] = dict(
        zip((argument.name for argument in body.signature.input_arg), call.inputs, strict=True)
    )
    found: list[Node] = []
    for definition in body.node_def:
        inputs = [values.get(_argument(name)) for name in definition.input if not name.startswith("^")]
        if definition.op in _PASSING_ON and inputs and inputs[0] is not None:
            values[definition.name] = inputs[0]
        elif definition.op == "Const":
            values[definition.name] = _constant(definition)
        elif definition.op != "NoOp":
            given = tuple(value for value in inputs if value is not None)
            if len(given) != len(inputs) or not any(isinstance(value, Tensor) for value in given):
                return [call]
            found.append(Node(f"{call.name}/{definition.name}", definition.op, given, (), _attributes(definition)))
            values[definition.name] = Tensor(found[-1].name)
    end = values.get(_argument(next(iter(body.ret.values()), "")))
    if not found or not isinstance(end, Tensor) or end.node != found[-1].name:
        return [call]
    return [*found[:-1], replace(found[-1], name=call.name, shape=call.shape)]


def _constant(definition: Any) -> Array:
    import tensorflow as tf

    return np.asarray(tf.make_ndarray(definition.attr["value"].tensor))


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
