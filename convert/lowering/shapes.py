"""How large every result of a program is, without its batch."""

from __future__ import annotations

from convert.lowering.program import Program
from convert.lowering.running import trace

Shape = tuple[int, ...]


def shapes_of(program: Program) -> list[Shape]:
    """Of every operation, in order."""
    import tensorflow as tf

    found: list[Shape] = []

    @tf.function(input_signature=[tf.TensorSpec((1, *program.input_shape), tf.float32)], autograph=False)
    def compute(patch: object) -> object:
        results = trace(program, patch)
        found[:] = [tuple(int(n) for n in result.shape[1:]) for result in results]
        return results[-1]

    compute.get_concrete_function()
    return found
