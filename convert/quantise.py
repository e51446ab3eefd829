"""The only caller of the TFLite converter. It runs in a process of its own: the converter can die of a signal."""

from __future__ import annotations

import pickle
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from convert.lowering.program import Program, large_weights, run
from edge.core.errors import ConfigError

Scheme = Literal["int8", "float32"]


def quantise(program: Program, calibration: NDArray[np.uint8], scheme: Scheme) -> bytes:
    """A ``.tflite`` file of ``program``; input uint8 (int8 scheme, scale 1/255) or float32 in [0, 1].

    ``calibration``: patches (n, size, size, channels), uint8. Raises ConfigError with the converter's last words.
    """
    with tempfile.TemporaryDirectory(prefix="axi-quantise-") as scratch:
        request, result = Path(scratch, "request"), Path(scratch, "model.tflite")
        request.write_bytes(pickle.dumps((program, calibration, scheme), protocol=pickle.HIGHEST_PROTOCOL))
        done = subprocess.run(
            [sys.executable, "-m", "convert.quantise", str(request), str(result)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0 or not result.exists():
            words = done.stderr.strip().splitlines()[-1:] or ["no message"]
            raise ConfigError(f"the TFLite converter ended with status {done.returncode}: {words[0]}")
        return result.read_bytes()


def _convert(program: Program, calibration: NDArray[np.uint8], scheme: Scheme) -> bytes:
    import tensorflow as tf

    module = tf.Module()
    # As variables: constants of this size would be copied with the graph a dozen times, a minute in all.
    module.kernels = [tf.Variable(kernel, trainable=False) for kernel in large_weights(program)]
    module.score = tf.function(
        lambda patch: run(program, patch, module.kernels),
        input_signature=[tf.TensorSpec((1, *program.input_shape), tf.float32, name="patch")],
        autograph=False,
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.score.get_concrete_function()], module)
    if scheme == "int8":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8
        converter.inference_output_type = tf.uint8
        converter.representative_dataset = lambda: ([patch] for patch in _floats(calibration))
    return bytes(converter.convert())


def _floats(calibration: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    """Patches as (1, size, size, channels) in [0, 1]; the first one carries both ends, so the scale is 1/255."""
    patches = [patch[np.newaxis].astype(np.float32) / np.float32(255) for patch in calibration]
    patches[0][0, 0, 0, 0], patches[0][0, 0, 1, 0] = 0.0, 1.0
    return patches


def _main(request: str, result: str) -> None:
    program, calibration, scheme = pickle.loads(Path(request).read_bytes())
    Path(result).write_bytes(_convert(program, calibration, scheme))


if __name__ == "__main__":
    _main(*sys.argv[1:])
