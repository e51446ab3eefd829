"""Where in the network conversion costs most: every operation's result against its float32 twin's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convert.conversion.runtimes import tensors_on
from convert.lots.patches import scaled
from convert.lowering.program import MOVES, Conv2d, Depthwise, Op, Program
from convert.lowering.running import apply, reading_tensor, trace
from convert.lowering.shapes import Shape, shapes_of
from convert.lowering.slopes import Values, with_slopes
from edge.judging.runtime import RuntimeInfo


class LayerError(NamedTuple):
    """``snr_db``: power of the float result over that of the difference, in decibels; ``cosine`` of both.

    Both hold what earlier operations spoilt. ``logit`` does not: how far the operation by itself, on the inputs that
    the file gave it, moves the reading (defect logit or quality index); root mean square over the joints, to first
    order.
    """

    name: str
    snr_db: float
    cosine: float
    logit: float


def layer_errors(
    program: Program, runtime: RuntimeInfo, model: bytes, patches: NDArray[np.uint8]
) -> tuple[LayerError, ...]:
    """Every operation that computes and whose result is still in the file, in order.

    ``patches``: a handful of joints (n, size, size, slices).
    """
    stored = {_operation(name): values for name, values in tensors_on(runtime, model, patches).items()}
    inputs = scaled(patches)
    errors, computed = [], list[Any]()
    for op, (result, slope) in zip(program.ops, _in_float(program, inputs), strict=True):
        given = [inputs if i < 0 else computed[i] for i in op.inputs]
        alone = np.asarray(apply(op, given, program.matrices))
        found = _found(op, stored, result)
        computed.append(alone if found is None else found.astype(np.float32))
        if found is not None:
            by_joint = ((found - alone) * slope).reshape(-1, len(patches), *result.shape[1:])
            moved = by_joint.sum(axis=(0, *range(2, by_joint.ndim)))
            errors.append(_error(op.name, found, result, float(np.sqrt(np.mean(moved**2)))))
    return tuple(errors)


def most_costly(errors: Sequence[LayerError], count: int) -> list[LayerError]:
    """Those that move the logit most, the worst first."""
    return sorted(errors, key=lambda one: -one.logit)[:count]


def _in_float(program: Program, inputs: NDArray[np.float32]) -> list[tuple[Values, Values]]:
    """Every operation's result in float32, and the slope of the reading in it."""
    shapes = [*shapes_of(program), program.input_shape]  # -1 is the input
    dense = replace(program, ops=tuple(_plain(op, shapes) for op in program.ops))

    def compute(patches: Any) -> tuple[list[Any], Any]:
        results = trace(dense, patches)
        return results, reading_tensor(program.head, results[-1])

    return with_slopes(compute, inputs)


def _plain(op: Op, shapes: Sequence[Shape]) -> Op:
    """The same with zeros in its kernel: of dilated and grouped ones TensorFlow has no slopes on some processors."""
    if not isinstance(op, Conv2d | Depthwise):
        return op
    kernel, (down, across) = op.kernel, op.dilations
    rows, columns, inner, outer = kernel.shape
    wide = np.zeros(((rows - 1) * down + 1, (columns - 1) * across + 1, inner, outer), kernel.dtype)
    wide[::down, ::across] = kernel
    groups = shapes[op.inputs[0]][-1] // inner
    if isinstance(op, Conv2d) and groups > 1:
        whole, each = np.zeros((*wide.shape[:2], groups * inner, outer), kernel.dtype), outer // groups
        for group in range(groups):
            filters = slice(group * each, (group + 1) * each)
            whole[:, :, group * inner : (group + 1) * inner, filters] = wide[..., filters]
        wide = whole
    return replace(op, kernel=wide, dilations=(1, 1))


def _found(op: Op, stored: dict[str, NDArray[np.float32]], wanted: Values) -> Values | None:
    """What the file computed, where it kept that, laid out as ``wanted``."""
    found = stored.get(op.name)
    if isinstance(op, MOVES) or found is None or found.size != wanted.size:
        return None
    return _as_in_batch(found, wanted)


def _operation(tensor: str) -> str:
    """``conv1/Relu;conv1/BiasAdd`` was given by operation ``conv1``."""
    return tensor.split(";", maxsplit=1)[0].rpartition("/")[0]


def _as_in_batch(found: NDArray[np.float32], wanted: Values) -> Values:
    """(joints, rows of one, ...) as the batch (rows of all, ...) has them; a stack of slices is slice-major."""
    ordered = np.moveaxis(found, 1, 0) if found.ndim == wanted.ndim + 1 else found
    return ordered.reshape(wanted.shape).astype(np.float64)


def _error(name: str, found: Values, wanted: Values, logit: float) -> LayerError:
    power, noise = float((wanted**2).sum()), float(((found - wanted) ** 2).sum())
    norms = float(np.linalg.norm(found) * np.linalg.norm(wanted))
    snr = 10 * np.log10(power / noise) if noise and power else float("inf")
    return LayerError(name, float(snr), float((found * wanted).sum() / norms) if norms else 1.0, logit)
