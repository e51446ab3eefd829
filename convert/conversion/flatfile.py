"""Read a finished ``.tflite`` file: which operations, which tensor types. What a converter says proves nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ai_edge_litert import schema_py_generated as schema

from edge.core.card import Scheme

_OF_WEIGHTS = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "BATCH_MATMUL", "TRANSPOSE_CONV"}
"""Their constants are weights; those of others are values like any, which may have a zero point."""


class Tensor(NamedTuple):
    name: str
    dtype: str
    shape: tuple[int, ...]
    zero_points: tuple[int, ...]
    buffer: int
    size: int
    """Bytes of a constant; 0 for what is computed."""

    @property
    def constant(self) -> bool:
        return self.size > 0


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


def problems(found: Sequence[Operation], scheme: Scheme, keep_float: Sequence[str] = ()) -> Iterator[str]:
    """Why a file is not what its scheme says, one sentence a problem.

    ``keep_float``: operations of an int8 file that are meant to compute in float, as for ``quantise``.
    """
    for operation in found:
        if operation.name.startswith(("CUSTOM", "FLEX")):
            yield f"{operation.name}: not a TFLite builtin; the device's runtimes do not carry it"
        if scheme == "int8":
            yield from _int8_problems(operation, keep_float)


def _int8_problems(operation: Operation, keep_float: Sequence[str]) -> Iterator[str]:
    meant = any(covers(name, tensor.name.split(";")[0]) for tensor in operation.outputs for name in keep_float)
    for tensor in (*operation.inputs, *operation.outputs):
        converts = operation.name in {"QUANTIZE", "DEQUANTIZE"} and keep_float
        if tensor.dtype.startswith(("FLOAT", "BFLOAT")) and not (meant or converts):
            yield f"{operation.name}: tensor {tensor.name!r} {list(tensor.shape)} is {tensor.dtype}"
        if operation.name in _OF_WEIGHTS and tensor.constant and tensor.dtype == "INT8" and any(tensor.zero_points):
            yield f"{operation.name}: weights {tensor.name!r} have a zero point, on which runtimes disagree"


def covers(name: str, operation: str) -> bool:
    """Whether a name in ``keep_float`` means this operation: itself, its parts (``name/...``), its repeats."""
    return operation == name or operation.startswith((f"{name}/", f"{name}_"))


class OperationCount(NamedTuple):
    """All operations of one kind and version: how many, the types they compute in, and the bytes of their constants."""

    name: str
    version: int
    number: int
    types: str
    constant_bytes: int


def inventory(found: Sequence[Operation]) -> list[OperationCount]:
    """By kind and version, most bytes first. A constant that several operations share counts for the first."""
    kinds: dict[tuple[str, int], list[Operation]] = {}
    for operation in found:
        kinds.setdefault((operation.name, operation.version), []).append(operation)
    seen: set[int] = set()
    rows = []
    for (name, version), group in kinds.items():
        size = 0
        for tensor in (tensor for operation in group for tensor in operation.inputs):
            if tensor.constant and tensor.buffer not in seen:
                seen.add(tensor.buffer)
                size += tensor.size
        types = sorted({tensor.dtype for operation in group for tensor in operation.outputs})
        rows.append(OperationCount(name, version, len(group), ", ".join(types), size))
    return sorted(rows, key=lambda row: (-row.constant_bytes, row.name))


def summary(found: Sequence[Operation]) -> str:
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
        tensor.buffer,
        0 if data is None else len(data),
    )
