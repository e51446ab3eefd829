"""What rewrites of programs and graphs share: what something is made from, and operations in the place of others."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace
from typing import TypeVar

from convert.lowering.program import Op, Program

T = TypeVar("T", bound=Hashable)


def reached(end: T, given: Callable[[T], Iterable[T]]) -> set[T]:
    """What ``end`` is made from, itself included, when each is made from what ``given`` says."""
    found, asked = {end}, [end]
    while asked:
        fresh = [other for other in given(asked.pop()) if other not in found]
        found.update(fresh)
        asked += fresh
    return found


def needed(ops: tuple[Op, ...], last: int) -> tuple[Op, ...]:
    """The operations that the one at ``last`` is made from, in order, numbered anew; it comes last."""
    order = sorted(reached(last, lambda place: [i for i in ops[place].inputs if i >= 0]))
    number = {place: i for i, place in enumerate(order)} | {-1: -1}
    return tuple(replace(ops[place], inputs=tuple(number[i] for i in ops[place].inputs)) for place in order)


def rebuilt(program: Program, become: Callable[[int, Op, int], list[Op]]) -> Program:
    """The program with other operations in the place of each: ``become`` is told its place, the operation with its
    inputs where they are now, and where the next operation will be. The last one it gives stands for it.
    """
    ops: list[Op] = []
    moved = {-1: -1}
    for place, op in enumerate(program.ops):
        ops += become(place, replace(op, inputs=tuple(moved[i] for i in op.inputs)), len(ops))
        moved[place] = len(ops) - 1
    return replace(program, ops=tuple(ops))
