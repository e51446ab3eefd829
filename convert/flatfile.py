"""Read a finished ``.tflite`` file: which operations, which tensor types. What a converter says proves nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from ai_edge_litert import schema_py_generated as schema


class Tensor(NamedTuple):
    name: str
    dtype: str
    shape: tuple[int, ...]
    zero_points: tuple[int, ...]
    constant: bool


class Operation(NamedTuple):
    """One operator with the tensors it reads (absent ones left out) and writes."""

    name: str
    version: int
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def operations(model: bytes) -> list[Operation]:
    """Every operator of every subgraph, in order."""
    parsed = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    found = []
    for graph in parsed.subgraphs:
        tensors = [_tensor(tensor, parsed.buffers) for tensor in graph.tensors]
        for operator in graph.operators or []:
            code = parsed.operatorCodes[operator.opcodeIndex]
            found.append(
                Operation(
                    _name(code),
                    code.version,
                    tuple(tensors[i] for i in operator.inputs if i >= 0),
                    tuple(tensors[i] for i in operator.outputs if i >= 0),
                )
            )
    return found


def int8_problems(found: list[Operation]) -> Iterator[str]:
    """Why a file is not a true int8 model, one sentence a problem."""
    for operation in found:
        if operation.name.startswith("CUSTOM"):
            yield f"{operation.name}: not a TFLite builtin; the device's runtimes do not carry it"
        for tensor in (*operation.inputs, *operation.outputs):
            if tensor.dtype.startswith(("FLOAT", "BFLOAT")):
                yield f"{operation.name}: tensor {tensor.name!r} {list(tensor.shape)} is {tensor.dtype}"
            if tensor.constant and tensor.dtype == "INT8" and any(tensor.zero_points):
                yield f"{operation.name}: weights {tensor.name!r} have a zero point, on which runtimes disagree"


def summary(found: list[Operation]) -> str:
    """``CONV_2D x 7, ...``, most frequent first."""
    counts = Counter(operation.name for operation in found)
    return ", ".join(f"{name} x {n}" for name, n in counts.most_common())


def _names_of(enumeration: type) -> dict[int, str]:
    return {value: name for name, value in vars(enumeration).items() if isinstance(value, int)}


_OPERATORS = _names_of(schema.BuiltinOperator)
_TYPES = _names_of(schema.TensorType)


def _name(code: Any) -> str:
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    name = _OPERATORS.get(number, f"OPERATOR_{number}")
    return f"CUSTOM {code.customCode.decode()}" if code.customCode else name


def _tensor(tensor: Any, buffers: list[Any]) -> Tensor:
    quantisation = tensor.quantization
    zero_points = () if quantisation is None or quantisation.zeroPoint is None else quantisation.zeroPoint
    data = buffers[tensor.buffer].data
    return Tensor(
        tensor.name.decode(),
        _TYPES[tensor.type],
        tuple(int(n) for n in (tensor.shape if tensor.shape is not None else ())),
        tuple(int(z) for z in zero_points),
        data is not None and len(data) > 0,
    )
