"""What a program's operations compute, in TensorFlow and float32."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from convert.lowering import program as flat
from convert.lowering.layers import Activation, padding_word
from convert.lowering.program import Op, Program
from edge.core.rules import Head

Values = Sequence[Any]


def run(program: Program, inputs: Any, matrices: Values | None = None) -> Any:
    """Build the program in TensorFlow on ``inputs`` (n, height, width, channels), float32; the output.

    ``matrices`` stands for the program's own, as tf.Variables for example.
    """
    return trace(program, inputs, matrices)[-1]


def outputs(program: Program, inputs: Any, matrices: Values | None = None) -> tuple[Any, ...]:
    """``run``, and the second output after it where the program has one."""
    results = trace(program, inputs, matrices)
    return (results[-1],) if program.features is None else (results[-1], results[program.features])


def trace(program: Program, inputs: Any, matrices: Values | None = None) -> list[Any]:
    """The result of every operation, in order."""
    import tensorflow as tf

    weights = program.matrices if matrices is None else matrices
    results: list[Any] = []
    for op in program.ops:
        values = [inputs if i < 0 else results[i] for i in op.inputs]
        with tf.name_scope(op.name):
            results.append(apply(op, values, weights))
    return results


def apply(op: Op, values: Values, matrices: Values) -> Any:
    """What one operation gives for its inputs, in float32."""
    if isinstance(op, flat.MatMul):
        return _product(op, values[0], matrices[op.matrix])
    return _MEANINGS[type(op)](op, *values)


def reading_tensor(head: Head, bands: Any) -> Any:
    """The reading of each joint (n,) that ``bands`` (n, parts * bands) show, as a tensor."""
    import tensorflow as tf

    each = bands.shape[-1] // head.parts
    weights = tf.constant(head.weights(each), tf.float32, (each, 1))
    parts = head.start + tf.reshape(bands, (-1, head.parts, each)) @ weights
    return tf.reduce_logsumexp(parts, axis=(1, 2))  # of one part: the part


def _conv(op: flat.Conv2d, value: Any) -> Any:
    import tensorflow as tf

    result = tf.nn.conv2d(value, op.kernel, op.strides, padding_word(same=op.same), dilations=op.dilations)
    return ACTIVATIONS[op.activation](tf.nn.bias_add(result, op.bias))


def _depthwise(op: flat.Depthwise, value: Any) -> Any:
    import tensorflow as tf

    steps, padding = (1, *op.strides, 1), padding_word(same=op.same)
    return tf.nn.bias_add(tf.nn.depthwise_conv2d(value, op.kernel, steps, padding, dilations=op.dilations), op.bias)


def _product(op: flat.MatMul, value: Any, matrix: Any) -> Any:
    """The matrix is (out, in): the converter folds a transpose only of small constants. It would take a large
    transposed one for an activation and give it a zero point, which runtimes disagree on."""
    import tensorflow as tf

    result = tf.matmul(value, matrix, transpose_b=True)
    return ACTIVATIONS[op.activation](result if op.bias is None else tf.nn.bias_add(result, op.bias))


def _affine(op: flat.Affine, value: Any) -> Any:
    return value * op.scale.astype(np.float32) + op.shift.astype(np.float32)


def _constant(op: flat.Constant) -> Any:
    import tensorflow as tf

    return tf.constant(op.values)


def _channels(op: flat.Channels, value: Any) -> Any:
    return value[..., op.start : op.stop]


def _concat(op: flat.Concat, *values: Any) -> Any:
    import tensorflow as tf

    return tf.concat(values, axis=op.axis)


def _stack(_: flat.Stack, *values: Any) -> Any:
    import tensorflow as tf

    return tf.concat(values, axis=0)


def _step(op: flat.Step, value: Any) -> Any:
    rows = value.shape[0] // op.steps
    return value[op.number * rows : (op.number + 1) * rows]


def _pool(function: str, op: flat.MaxPool2d | flat.AveragePool2d, value: Any) -> Any:
    import tensorflow as tf

    return getattr(tf.nn, function)(value, op.size, op.strides, padding_word(same=op.same))


def _pad(op: flat.Pad, value: Any) -> Any:
    import tensorflow as tf

    return tf.pad(value, ((0, 0), *op.widths), constant_values=op.value)


def _cut(op: flat.Cut, value: Any) -> Any:
    import tensorflow as tf

    return tf.slice(value, (0, *op.starts), (-1, *op.lengths))


def _reduce(op: flat.Reduce, value: Any) -> Any:
    import tensorflow as tf

    return getattr(tf, f"reduce_{op.function}")(value, op.axes, keepdims=op.keep)


def _resize(op: flat.Resize, value: Any) -> Any:
    import tensorflow as tf

    kinds = {"nearest": tf.raw_ops.ResizeNearestNeighbor, "bilinear": tf.raw_ops.ResizeBilinear}
    options = {"half_pixel_centers": op.half_pixel_centers, "align_corners": op.align_corners}
    return kinds[op.method](images=value, size=op.size, **options)


def _permute(op: flat.Permute, value: Any) -> Any:
    import tensorflow as tf

    return tf.transpose(value, (0, *op.axes))


def _reshape(op: flat.Reshape, value: Any) -> Any:
    import tensorflow as tf

    return tf.reshape(value, (-1, *(op.shape or (int(np.prod(value.shape[1:])),))))


def _leaky(op: flat.LeakyRelu, value: Any) -> Any:
    import tensorflow as tf

    return tf.nn.leaky_relu(value, op.slope)


def _elementwise(op: flat.Elementwise, *values: Any) -> Any:
    import tensorflow as tf

    return getattr(tf.nn if op.function in _OF_NN else tf, op.function)(*values)


def _activation(name: str) -> Callable[[Any], Any]:
    def call(value: Any) -> Any:
        import tensorflow as tf

        return getattr(tf.nn, name)(value)

    return call


_OF_NN = {"relu", "relu6", "elu", "softmax"}
ACTIVATIONS: dict[Activation, Callable[[Any], Any]] = {
    "linear": lambda value: value,
    "relu": _activation("relu"),
    "relu6": _activation("relu6"),
}
_MEANINGS: dict[type[Op], Callable[..., Any]] = {
    flat.Conv2d: _conv,
    flat.Depthwise: _depthwise,
    flat.Affine: _affine,
    flat.Constant: _constant,
    flat.Channels: _channels,
    flat.Concat: _concat,
    flat.Stack: _stack,
    flat.Step: _step,
    flat.MaxPool2d: partial(_pool, "max_pool2d"),
    flat.AveragePool2d: partial(_pool, "avg_pool2d"),
    flat.Pad: _pad,
    flat.Cut: _cut,
    flat.Reduce: _reduce,
    flat.Resize: _resize,
    flat.Permute: _permute,
    flat.Reshape: _reshape,
    flat.LeakyRelu: _leaky,
    flat.Elementwise: _elementwise,
}
