"""The files that are compared: ours from the shipped weights, and the peers' of the very same networks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from convert.conversion.quantise import quantised_file
from convert.conversion.recipe import Recipe
from convert.lowering.features import with_features
from convert.lowering.graphs.handed import Handed
from convert.lowering.graphs.lower import lowering_steps, with_thermometers
from convert.lowering.layers import Conv, Dense, MaxPool, Network
from convert.lowering.lower import lower_network, rewritten
from convert.lowering.program import Program
from convert.lowering.read import read_network
from convert.lowering.running import ACTIVATIONS
from convert.networks.handing import of_keras
from convert.networks.scoring import load_model
from convert.networks.slicenet import CLASSES
from convert.shipped.paths import RECIPES, SHIPPED
from edge.core.rules import Head
from edge.toml import load_toml


class Entry(NamedTuple):
    """One file to time. ``engine``, ``runtime``, ``kernels``: as ``tests.benchmarks.engine`` takes them. ``head``: how
    an output of ours is read; others give p_defect.
    """

    network: str
    name: str
    engine: str
    path: Path
    runtime: str = ""
    kernels: str = ""
    head: Head | None = None


def ours(work: Path, calibration: Any, runtimes: list[str], report: Callable[[str], None]) -> list[Entry]:
    """The shipped recipes' int8 files: SliceNet, and the papers' networks, exact and factorised, on every runtime."""
    entries = []
    for name in ("slicenet", "cnn3d", "cnn3d-factorised", "cnn-lstm", "cnn-lstm-factorised"):
        report(f"converting {name}")
        recipe, path = load_toml(RECIPES / f"{name}.toml", Recipe), work / f"{name}.tflite"
        asked = recipe.quantisation
        program = _program(recipe, calibration)
        program = with_features(program, calibration)
        path.write_bytes(quantised_file(program, calibration, asked.scheme, asked.keep_float))
        called = f"{name.replace('-factorised', ' factorised')}, int8"
        entries += [
            Entry(recipe.source.network or name, f"{called}, {runtime}", "tflite", path, runtime, "fast", program.head)
            for runtime in runtimes
        ]
    return entries


def _program(recipe: Recipe, calibration: Any) -> Program:
    if not recipe.source.network:
        handed = _slicenet()
        *_, last = lowering_steps(handed, calibration[:1])
        return with_thermometers(last.program, handed.ending)
    network = read_network(load_model(RECIPES / recipe.source.model))
    return lower_network(network, calibration, recipe.lowering.passes, recipe.quantisation.bands)


def _slicenet() -> Handed:
    return of_keras(load_model(SHIPPED["slicenet"]), CLASSES)


def folded_slicenet(calibration: Any) -> Program:
    """The shipped network with its normalisation folded, and its means as they are: what every peer is given."""
    steps = {step.name: step.program for step in lowering_steps(_slicenet(), calibration[:1])}
    return steps["settle-affines"]


def plain_float32(work: Path, report: Callable[[str], None]) -> Entry:
    """Table II converted as it stands: CONV_3D, and its pools spelt out since TFLite has no MaxPool3D."""
    report("converting cnn3d to plain float32")
    path = work / "plain-float32.tflite"
    subprocess.run([sys.executable, "-m", "tests.benchmarks.models", str(path)], check=True, capture_output=True)
    return Entry("cnn3d", "cnn3d, plain float32, litert", "tflite", path, "litert", "fast")


def _write_plain(path: Path) -> None:
    import tensorflow as tf

    network = full_network("cnn3d")
    module = tf.Module()
    module.large = {
        layer.name: tf.Variable(layer.kernel, trainable=False)
        for layer in network.layers
        if type(layer).__name__ in {"Dense", "Softmax"}
    }

    def score(patch: Any) -> Any:
        value = patch[..., tf.newaxis]
        for layer in network.layers:
            value = _plain(layer, value, module.large)
        return value

    signature = [tf.TensorSpec((1, *network.input_shape), tf.float32)]
    function = tf.function(score, input_signature=signature, autograph=False)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()], module)
    path.write_bytes(converter.convert())


def _plain(layer: Any, value: Any, large: dict[str, Any]) -> Any:
    import tensorflow as tf

    if isinstance(layer, Conv):
        result = tf.nn.conv3d(value, layer.kernel, (1, *layer.strides, 1), "VALID") + layer.bias
        return ACTIVATIONS[layer.activation](result)
    if isinstance(layer, MaxPool):
        _, height, width, depth, channels = value.shape
        (rows, columns, deep), flat = layer.size, tf.reshape(value, (1, height, width, -1))
        flat = tf.nn.max_pool2d(flat, (rows, columns), (rows, columns), "VALID")
        grouped = tf.reshape(flat, (*flat.shape[:3], depth // deep, deep, channels))
        return tf.reduce_max(grouped, axis=4)
    if layer.name in large:
        result = tf.matmul(value, large[layer.name].read_value()) + layer.bias
        return ACTIVATIONS[layer.activation](result) if isinstance(layer, Dense) else tf.nn.softmax(result)
    return tf.reshape(value, (1, -1))


def full_network(name: str) -> Network:
    """The shipped network with its factors multiplied out, normalisation folded: what every peer is given."""
    network = read_network(load_model(SHIPPED[f"{name}-factorised"]))
    for step in ("merge-products", "drop-dropout", "fold-norms", "fuse-relu"):
        network = rewritten(network, step, np.zeros((1, *network.input_shape), np.uint8))
    return network


def peers(work: Path, calibration: Any, report: Callable[[str], None]) -> list[Entry]:
    """OpenVINO and ONNX Runtime, float32 and their own int8, each by its makers' own tool."""
    from tests.benchmarks.onnx_export import export, export_pictures

    np.save(work / "calibration.npy", calibration)
    entries = []
    for network in ("slicenet", "cnn3d", "cnn-lstm"):
        onnx, plain = work / f"{network}.onnx", work / f"{network}-unrolled.onnx"
        if network == "slicenet":
            export_pictures(folded_slicenet(calibration), onnx)
            plain = onnx
        else:
            export(full_network(network), onnx)
            export(full_network(network), plain, unrolled=True)
        entries += [
            Entry(network, f"{network}, OpenVINO float32", "openvino", onnx),
            Entry(network, f"{network}, ONNX Runtime float32", "onnxruntime", onnx),
        ]
        for tool, name, suffix in (("nncf", "OpenVINO + NNCF int8", "xml"), ("ort", "ONNX Runtime int8", "onnx")):
            report(f"quantising {network} with {name}")
            path = work / f"{network}-{tool}.{suffix}"
            words = [
                sys.executable,
                "-m",
                "tests.benchmarks.quantise_peer",
                tool,
                plain,
                work / "calibration.npy",
                path,
            ]
            done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
            if done.returncode or not path.exists():
                report(f"  not to be had: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
                continue
            entries.append(Entry(network, f"{network}, {name}", {"nncf": "openvino", "ort": "onnxruntime"}[tool], path))
    return entries


def size_of(entry: Entry) -> float:
    """Megabytes on disk; OpenVINO keeps its weights beside the graph."""
    files = [entry.path, entry.path.with_suffix(".bin")] if entry.path.suffix == ".xml" else [entry.path]
    return sum(file.stat().st_size for file in files) / 1e6


if __name__ == "__main__":
    _write_plain(Path(sys.argv[1]))
