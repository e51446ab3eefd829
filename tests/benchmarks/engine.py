"""Time one model on one engine, in a process that loads nothing else; results as JSON on stdout."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from convert.conversion.memory import peak_mb

Infer = Callable[[Any], Any]
"""uint8 patches (n, size, size, slices) to p_defect or raw outputs, a row a joint."""


def _tflite(model: Path, runtime: str, kernels: str, threads: int, _batch: int) -> Infer:
    from edge.judging.runtime import TfliteScorer, choose_runtime

    scorer = TfliteScorer(model, None, choose_runtime(runtime), threads=threads, kernels=kernels)  # type: ignore[arg-type]
    return lambda patches: np.stack([scorer.run(patch).output[0] for patch in patches])


def _openvino(model: Path, _runtime: str, _kernels: str, threads: int, batch: int) -> Infer:
    import openvino as ov
    from openvino.preprocess import PrePostProcessor

    core = ov.Core()
    read = core.read_model(model)
    depth, height, width = (axis.get_length() for axis in list(read.inputs[0].partial_shape)[2:])
    read.reshape({0: [batch, 1, depth, height, width]})
    taking = PrePostProcessor(read)  # patches as they come, which is faster than making volumes of them beforehand
    taking.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWDC"))
    taking.input().model().set_layout(ov.Layout("NCDHW"))
    taking.input().preprocess().convert_element_type(ov.Type.f32).scale(255.0)
    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    compiled = core.compile_model(taking.build(), "CPU", settings)
    return lambda patches: _p_defect(compiled(patches[..., np.newaxis])[0])


def _onnxruntime(model: Path, _runtime: str, _kernels: str, threads: int, _batch: int) -> Infer:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    return lambda patches: _p_defect(session.run(None, {"slices": volumes(patches)})[0])


def _p_defect(shares: Any) -> Any:
    """Of softmax values (n, k), normal first."""
    return shares[:, 1] if shares.shape[1] == 2 else 1 - shares[:, 0]


def volumes(patches: Any) -> Any:
    """(n, height, width, depth) uint8 to (n, 1, depth, height, width) float32."""
    return np.ascontiguousarray(patches.transpose(0, 3, 1, 2)[:, np.newaxis], np.float32) / np.float32(255)


ENGINES = {"tflite": _tflite, "openvino": _openvino, "onnxruntime": _onnxruntime}


def main(engine: str, model: str, runtime: str, kernels: str, threads: str, batch: str, patches: str, out: str) -> None:
    """Time ``batch`` joints at a time; with ``out`` also score every patch and save the results there."""
    joints, size = np.load(patches), int(batch)
    idle = peak_mb()
    infer = ENGINES[engine](Path(model), runtime, kernels, int(threads), size)
    several = joints[:size]
    samples = []
    for number in range(4 + max(6, 40 // size)):
        started = time.perf_counter()
        infer(several)
        if number >= 4:
            samples.append(1e3 * (time.perf_counter() - started) / size)
    grown = peak_mb() - idle
    if out:
        starts = range(0, len(joints) - size + 1, size)
        np.save(out, np.concatenate([infer(joints[start : start + size]) for start in starts]))
    print(json.dumps({"ms": samples, "memory_mb": grown}))


if __name__ == "__main__":
    main(*sys.argv[1:])
