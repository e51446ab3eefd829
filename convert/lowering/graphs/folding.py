"""Take scales and shifts into the weights beside them: exact, and what is left of them has an int8 form.

Normalisation comes after a convolution (batch normalisation), or before one (Rescaling and Normalization at the input).
Before a convolution that pads with zeros a shift is taken along by padding with the value that it makes zero of; only
where channels differ in that value it stays.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from convert.lowering.graphs.rewriting import needed, rebuilt
from convert.lowering.layers import padding, single, zeros_after
from convert.lowering.program import Affine, Constant, Conv2d, Depthwise, Elementwise, MatMul, Op, Pad, Program
from convert.lowering.shapes import shapes_of


def fold_affines(program: Program) -> Program:
    """Until none is left that can be folded."""
    folded = _folded_once(program)
    while folded is not None:
        program, folded = folded, _folded_once(folded)
    return program


def _folded_once(program: Program) -> Program | None:
    """With the first scale and shift folded that can be; None where none can."""
    users: dict[int, list[int]] = {}
    for place, op in enumerate(program.ops):
        for given in op.inputs:
            users.setdefault(given, []).append(place)
    for place, op in enumerate(program.ops):
        if not isinstance(op, Affine):
            continue
        given = op.inputs[0]
        if not op.shift.any() and (op.scale == 1).all():
            return _without(program, place)
        if given >= 0 and users[given] == [place] and (made := _taken_by(program, given, op)) is not None:
            return _without(made, place)
        users_after = users.get(place, [])
        if len(users_after) == 1 and (changed := _taken_along(program, users_after[0], op)) is not None:
            return _without(changed, place)
    return None


def _with(program: Program, place: int, op: Op | None = None, matrix: tuple[int, Any] | None = None) -> Program:
    ops, matrices = list(program.ops), list(program.matrices)
    if op is not None:
        ops[place] = op
    if matrix is not None:
        matrices[matrix[0]] = matrix[1]
    return replace(program, ops=tuple(ops), matrices=tuple(matrices))


def _without(program: Program, place: int) -> Program:
    """With what this operation is given in its place."""
    given = program.ops[place].inputs[0]
    ops = tuple(replace(op, inputs=tuple(given if i == place else i for i in op.inputs)) for op in program.ops)
    last = len(ops) - 1
    return replace(program, ops=needed(ops, given if place == last else last))


def _taken_by(program: Program, place: int, affine: Affine) -> Program | None:
    """The program with scale and shift in the weights of the operation whose result they change."""
    match program.ops[place]:
        case Conv2d(activation="linear") as conv:
            kernel = single(conv.kernel * affine.scale)
            return _with(program, place, replace(conv, kernel=kernel, bias=_moved(conv.bias, affine)))
        case Depthwise() as conv:
            kernel = single(conv.kernel * affine.scale.reshape(conv.kernel.shape[2:]))
            return _with(program, place, replace(conv, kernel=kernel, bias=_moved(conv.bias, affine)))
        case MatMul(activation="linear") as product if _alone(program, product):
            matrix = single(program.matrices[product.matrix] * affine.scale[:, np.newaxis])
            bias = np.zeros(len(matrix)) if product.bias is None else product.bias
            return _with(program, place, replace(product, bias=_moved(bias, affine)), (product.matrix, matrix))
        case Affine(scale=scale, shift=shift) as before:
            both = replace(before, scale=scale * affine.scale, shift=shift * affine.scale + affine.shift)
            return _with(program, place, both)
        case _:
            return None


def _moved(bias: Any, affine: Affine) -> Any:
    return single(bias * affine.scale + affine.shift)


def _alone(program: Program, product: MatMul) -> bool:
    """Whether no other operation shares its matrix."""
    return sum(isinstance(op, MatMul) and op.matrix == product.matrix for op in program.ops) == 1


def _taken_along(program: Program, place: int, affine: Affine) -> Program | None:
    """The program with scale and shift in the weights of the one operation that takes their result."""
    match program.ops[place]:
        case Conv2d() as conv if conv.kernel.shape[2] == affine.scale.size:
            kernel = conv.kernel.astype(np.float64)
            bias = single(conv.bias + np.einsum("hwio,i->o", kernel, affine.shift))
            changed = replace(conv, kernel=single(kernel * affine.scale[:, np.newaxis]), bias=bias)
            return _padded(program, place, changed, affine)
        case Depthwise() as conv:
            kernel = conv.kernel.astype(np.float64)
            bias = single(conv.bias + np.einsum("hwim,i->im", kernel, affine.shift).ravel())
            scaled = replace(conv, kernel=single(kernel * affine.scale[:, np.newaxis]), bias=bias)
            return _padded(program, place, scaled, affine)
        case MatMul() as product if _alone(program, product):
            matrix = program.matrices[product.matrix].astype(np.float64)
            bias = single((0 if product.bias is None else product.bias) + matrix @ affine.shift)
            return _with(program, place, replace(product, bias=bias), (product.matrix, single(matrix * affine.scale)))
        case _:
            return None


def _padded(program: Program, place: int, conv: Conv2d | Depthwise, affine: Affine) -> Program | None:
    """The program with ``conv`` at ``place``, and with the zeros that it padded where the shift made others of them."""
    if not conv.same or not affine.shift.any():
        return _with(program, place, conv)
    if not affine.scale.all():
        return None
    zeros = -affine.shift / affine.scale
    if np.ptp(zeros) > 1e-9 * np.abs(zeros).max():
        return None
    shape = shapes_of(program)[conv.inputs[0]] if conv.inputs[0] >= 0 else program.input_shape
    widths = [
        _around(shape[axis], conv.kernel.shape[axis], conv.strides[axis], conv.dilations[axis]) for axis in (0, 1)
    ]

    def become(at: int, op: Op, following: int) -> list[Op]:
        if at != place:
            return [op]
        pad = Pad(f"{conv.name}/padding", op.inputs, (*widths, (0, 0)), float(zeros[0]))
        return [pad, replace(conv, inputs=(following,), same=False)]

    return rebuilt(program, become)


def _around(length: int, taps: int, stride: int, dilation: int) -> tuple[int, int]:
    reach = (taps - 1) * dilation + 1
    before, positions = padding(length, reach, stride, same=True)
    return before, zeros_after(length, reach, stride, before, positions)


def _arithmetic(affine: Affine, place: int, axes: int) -> list[Op]:
    """As a product with a constant and a sum with one, those of the two that do anything, from ``place`` on."""
    ops: list[Op] = []
    (given,) = affine.inputs
    for what, values, function in (("scale", affine.scale, "multiply"), ("shift", affine.shift, "add")):
        if (values == (1 if what == "scale" else 0)).all():
            continue
        held = values[:1] if np.ptp(values) == 0 else values
        constant = Constant(f"{affine.name}/{what}", (), single(held.reshape((1,) * axes + (-1,))))
        ops += [constant, Elementwise(f"{affine.name}/{function}", (given, place + len(ops)), function)]
        given = place + len(ops) - 1
    return ops


def settle_affines(program: Program) -> Program:
    """What could not be folded, in a form that int8 kernels have: a 1x1 convolution of every channel by itself where
    channels differ, or else a product and a sum."""
    shapes = shapes_of(program)

    def become(place: int, op: Op, following: int) -> list[Op]:
        if not isinstance(op, Affine):
            return [op]
        if len(shapes[place]) == 3 and np.ptp(op.scale) + np.ptp(op.shift) > 0:
            return [Depthwise(op.name, op.inputs, single(op.scale.reshape(1, 1, -1, 1)), single(op.shift))]
        return _arithmetic(op, following, len(shapes[place]))

    return rebuilt(program, become)
