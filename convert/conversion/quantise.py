"""The only caller of the TFLite converter. It runs in a process of its own: the converter can die of a signal."""

from __future__ import annotations

import pickle
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convert.conversion.flatfile import covers, operations
from convert.lots.patches import scaled_batches
from convert.lowering.graphs.read import layer_of
from convert.lowering.program import Elementwise, Program
from convert.lowering.running import outputs
from edge.core.card import Scheme
from edge.core.errors import ConfigError

_FLOAT_ONLY = {"elu"}


class _Request(NamedTuple):
    program: Program
    calibration: NDArray[np.uint8]
    scheme: Scheme
    keep_float: tuple[str, ...]


def quantised_file(
    program: Program, calibration: NDArray[np.uint8], scheme: Scheme, keep_float: Sequence[str] = ()
) -> bytes:
    """A ``.tflite`` file of ``program``; input int8 (grey values less 128, scale 1/255) or float32 in [0, 1].

    ``calibration``: patches (n, size, size, channels), uint8. ``keep_float``: operations of an int8 file that stay in
    float, by name or by the part of it before a slash. Raises ConfigError for a name that no operation has, and with
    the converter's last words.
    """
    for name in keep_float:
        if not any(covers(name, op.name) for op in program.ops):
            known = ", ".join(dict.fromkeys(op.name.split("/")[0] for op in program.ops))
            raise ConfigError(f"[quantisation] float: no operation is called {name!r}; there are: {known}")
    if scheme == "int8":
        _require_int8_forms(program, keep_float)
    with tempfile.TemporaryDirectory(prefix="axi-quantise-") as scratch:
        request, result = Path(scratch, "request"), Path(scratch, "model.tflite")
        asked = _Request(program, calibration, scheme, tuple(keep_float))
        request.write_bytes(pickle.dumps(asked, protocol=pickle.HIGHEST_PROTOCOL))
        done = subprocess.run(
            [sys.executable, "-m", "convert.conversion.quantise", str(request), str(result)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0 or not result.exists():
            words = done.stderr.strip().splitlines()[-1:] or ["no message"]
            raise ConfigError(f"the TFLite converter ended with status {done.returncode}: {words[0]}")
        return result.read_bytes()


def _require_int8_forms(program: Program, keep_float: Sequence[str]) -> None:
    """Raises ConfigError for an operation that the converter leaves in float without a word."""
    for op in program.ops:
        if (
            isinstance(op, Elementwise)
            and op.function in _FLOAT_ONLY
            and not any(covers(k, op.name) for k in keep_float)
        ):
            layer = layer_of(op.name)
            raise ConfigError(
                f"layer {layer!r}: {op.function} stays in float; train it with relu or swish, or allow it: "
                f'[quantisation] float = ["{layer}"]'
            )


def _convert(request: _Request) -> bytes:
    import tensorflow as tf

    program = request.program
    module = tf.Module()
    # As variables: constants of this size would be copied with the graph a dozen times, a minute in all.
    module.matrices = [tf.Variable(matrix, trainable=False) for matrix in program.matrices]
    module.score = tf.function(
        lambda patch: outputs(program, patch, [matrix.read_value() for matrix in module.matrices]),
        input_signature=[tf.TensorSpec((1, *program.input_shape), tf.float32, name="patch")],
        autograph=False,
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.score.get_concrete_function()], module)
    if request.scheme != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if request.scheme == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if request.scheme == "int8":
        converter.representative_dataset = lambda: ([patch] for patch in _floats(request.calibration))
        if request.keep_float:
            return _partly_quantised(converter, request.keep_float)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.int8  # of uint8 the file itself would make int8, slower than its layers
        converter.inference_output_type = tf.uint8
    return bytes(converter.convert())


def _partly_quantised(converter: Any, keep_float: Sequence[str]) -> bytes:
    """What the converter's public face cannot do: calibrate, then quantise all but the operations named."""
    import tensorflow as tf
    from tensorflow.lite.python import convert, util

    converter._experimental_calibrate_only = True  # noqa: SLF001 - as TensorFlow's own quantisation debugger does
    calibrated = bytes(converter.convert())
    tensors = [tensor.name for operation in operations(calibrated) for tensor in operation.outputs]
    kept = [output for output in tensors if any(covers(name, output.split(";")[0]) for name in keep_float)]
    partly = convert.mlir_quantize(calibrated, fully_quantize=False, denylisted_nodes=kept)
    return bytes(util.modify_model_io_type(partly, tf.int8, tf.uint8))


def _floats(calibration: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    """Patches as (1, size, size, channels) in [0, 1]; the first one carries both ends, so the scale is 1/255."""
    patches = list(scaled_batches(calibration, 1))
    patches[0].reshape(-1)[:2] = 0.0, 1.0
    return patches


def _main(request: str, result: str) -> None:
    asked = _Request(*pickle.loads(Path(request).read_bytes()))
    Path(result).write_bytes(_convert(asked))


if __name__ == "__main__":
    _main(*sys.argv[1:])
