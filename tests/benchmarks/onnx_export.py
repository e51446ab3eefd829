"""The trained network as ONNX, for the peers: its own three-dimensional layers, none of our rewrites."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from convert.lowering import layers as L  # noqa: N812 - every layer is named L.<kind>
from convert.lowering import program as P  # noqa: N812 - every operation is named P.<kind>

OPSET = 17


class _Graph:
    """Nodes and constants so far; ``value`` is the tensor in hand."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.value = "slices"
        self._names = (f"t{i}" for i in count())

    def constant(self, array: Any) -> str:
        name = next(self._names)
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> list[str]:
        names = [next(self._names) for _ in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names

    def add(self, kind: str, *inputs: str, **attributes: Any) -> None:
        (self.value,) = self.node(kind, self.value, *inputs, **attributes)


def export(network: L.Network, path: Path, *, unrolled: bool = False) -> None:
    """Write ``path``: input "slices" (n, 1, depth, height, width) float32 in [0, 1], output the two softmax values.

    ``unrolled``: an LSTM as plain products, its input projections one, as our own files have it. Quantised by NNCF,
    OpenVINO does not load its own LSTM operation, and ONNX Runtime has no int8 one.
    """
    graph = _Graph()
    for layer in network.layers:
        if isinstance(layer, L.Lstm) and unrolled:
            _unrolled(graph, layer, network.input_shape[2])
        else:
            _add(graph, layer)
    _save(graph, path, network.input_shape, 2, network.name)


def export_pictures(program: P.Program, path: Path) -> None:
    """``export`` of a network of ours on slices as channels, of a program that gives logits still."""
    graph = _Graph()
    height, width, depth = program.input_shape
    graph.add("Squeeze", graph.constant(np.array([1], np.int64)))
    names = {-1: graph.value}
    for place, op in enumerate(program.ops):
        graph.value = names[op.inputs[0]]
        _add_operation(graph, op, [names[i] for i in op.inputs], program)
        names[place] = graph.value
    graph.add("Softmax", axis=-1)
    values = len(program.matrices[-1])
    _save(graph, path, (height, width, depth), values, "slicenet")


def _add_operation(graph: _Graph, op: P.Op, values: list[str], program: P.Program) -> None:
    match op:
        case P.Conv2d(kernel=kernel, bias=bias, strides=strides, same=same):
            padding = {"auto_pad": "SAME_UPPER" if same else "VALID", "strides": list(strides)}
            graph.add("Conv", graph.constant(kernel.transpose(3, 2, 0, 1)), graph.constant(bias), **padding)
        case P.Elementwise(function="relu"):
            graph.add("Relu")
        case P.Elementwise(function="add"):
            graph.add("Add", values[1])
        case P.Reduce(function="mean", axes=(1, 2), keep=False):
            graph.add("GlobalAveragePool")
            graph.add("Flatten")
        case P.MatMul(matrix=matrix, bias=bias):
            graph.add("MatMul", graph.constant(program.matrices[matrix].T))
            graph.add("Add", graph.constant(bias))
        case _:
            raise TypeError(f"{op.name}: no ONNX form of a {type(op).__name__} is written here")


def _save(graph: _Graph, path: Path, shape: tuple[int, int, int], values: int, name: str) -> None:
    height, width, depth = shape
    made = helper.make_graph(
        graph.nodes,
        name,
        [helper.make_tensor_value_info("slices", TensorProto.FLOAT, ["n", 1, depth, height, width])],
        [helper.make_tensor_value_info(graph.value, TensorProto.FLOAT, ["n", values])],
        graph.constants,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _add(graph: _Graph, layer: L.Layer) -> None:
    match layer:
        case L.Conv(same=False):
            kernel = graph.constant(layer.kernel.transpose(4, 3, 2, 0, 1))
            rows, columns, depths = layer.strides
            graph.add("Conv", kernel, graph.constant(layer.bias), strides=[depths, rows, columns])
            if layer.activation == "relu":
                graph.add("Relu")
        case L.MaxPool(same=False):
            (rows, columns, depths), (down, right, deep) = layer.size, layer.strides
            graph.add("MaxPool", kernel_shape=[depths, rows, columns], strides=[deep, down, right])
        case L.Flatten():
            graph.add("Transpose", perm=[0, 3, 4, 2, 1])
            graph.add("Flatten")
        case L.FlattenSlices():
            graph.add("Transpose", perm=[2, 0, 3, 4, 1])  # slices first, as ONNX's LSTM wants its steps
            graph.add("Reshape", graph.constant(np.array([0, 0, -1], np.int64)))
        case L.Dense() | L.Softmax():
            graph.add("MatMul", graph.constant(layer.kernel))
            graph.add("Add", graph.constant(layer.bias))
            if isinstance(layer, L.Softmax):
                graph.add("Softmax", axis=-1)
            elif layer.activation == "relu":
                graph.add("Relu")
        case L.Lstm(kernel=(kernel,), recurrent=(recurrent,)):
            _lstm(graph, layer, kernel, recurrent)
        case _:
            raise TypeError(f"{layer.name}: no ONNX form of a {type(layer).__name__} is written here")


def _lstm(graph: _Graph, layer: L.Lstm, kernel: Any, recurrent: Any) -> None:
    """Gates from Keras' order (input, forget, cell, output) to ONNX's (input, output, forget, cell)."""

    def reordered(values: Any) -> Any:
        enter, forget, cell, leave = np.split(values, 4, axis=-1)
        return np.concatenate([enter, leave, forget, cell], axis=-1)

    weights = graph.constant(reordered(kernel).T[np.newaxis])
    back = graph.constant(reordered(recurrent).T[np.newaxis])
    bias = graph.constant(np.concatenate([reordered(layer.bias), np.zeros_like(layer.bias)])[np.newaxis])
    last = f"{layer.name}_last"
    graph.nodes.append(
        helper.make_node("LSTM", [graph.value, weights, back, bias], ["", last], hidden_size=layer.units)
    )
    graph.value = last
    graph.add("Squeeze", graph.constant(np.array([0], np.int64)))


def _unrolled(graph: _Graph, layer: L.Lstm, steps: int) -> None:
    (kernel,), (recurrent,) = layer.kernel, layer.recurrent
    graph.add("MatMul", graph.constant(kernel))
    graph.add("Add", graph.constant(layer.bias))
    first, back = graph.constant(np.array([0], np.int64)), graph.constant(recurrent)
    hidden = cell = ""
    for step in graph.node("Split", graph.value, outputs=steps, axis=0):
        (gates,) = graph.node("Squeeze", step, first)
        if hidden:
            gates = graph.node("Add", gates, *graph.node("MatMul", hidden, back))[0]
        enter, forget, candidate, leave = graph.node("Split", gates, outputs=4, axis=-1)
        fresh = graph.node("Mul", *graph.node("Sigmoid", enter), *graph.node("Tanh", candidate))[0]
        kept = graph.node("Mul", *graph.node("Sigmoid", forget), cell)[0] if cell else ""
        cell = graph.node("Add", kept, fresh)[0] if kept else fresh
        (hidden,) = graph.node("Mul", *graph.node("Sigmoid", leave), *graph.node("Tanh", cell))
    graph.value = hidden
