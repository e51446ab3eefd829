"""Run a model on the runtimes that ship, each in a process of its own.

With TensorFlow in the same process the runtimes share its kernels (their symbols collide), and agree where on a device
they would not: so a process that measures them must never have loaded it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convert.conversion.flatfile import operations
from convert.conversion.memory import peak_mb
from edge.core.errors import ConfigError, GateRefused
from edge.core.qualification import Kernels
from edge.judging.ports import RuntimeChoice
from edge.judging.runtime import RuntimeInfo, TfliteScorer, choose_runtime, installed_runtimes

_Mode = Literal["outputs", "tensors"]


class Run(NamedTuple):
    """One pass over many joints: raw outputs (n, bands), the median time of one, the process's peak memory.

    ``idle_mb``: its memory before the model was loaded, so that the difference is the model's. ``features``: raw ones
    (n, features), of a model that gives them.
    """

    outputs: NDArray[Any]
    median_ms: float
    peak_mb: float
    idle_mb: float
    features: NDArray[Any] | None = None


def run_on(runtime: RuntimeInfo, kernels: Kernels, model: bytes, patches: NDArray[np.uint8], threads: int) -> Run:
    """Score each patch (n, size, size, channels), one at a time as the device does.

    Raises GateRefused with the process's last words: what a supported runtime refuses must not ship.
    """
    found = _in_process("outputs", runtime, kernels, model, patches, threads)
    median_ms, peak, idle = (float(value) for value in found["figures"])
    return Run(found["outputs"], median_ms, peak, idle, found.get("features"))


def outputs_on(
    runtime: RuntimeInfo, kernels: Kernels, model: bytes, patches: NDArray[np.uint8], threads: int
) -> NDArray[Any]:
    """``run_on``, the outputs alone."""
    return run_on(runtime, kernels, model, patches, threads).outputs


def tensors_on(runtime: RuntimeInfo, model: bytes, patches: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """Every operation's result on the exact kernels by tensor name, real values, a row a patch."""
    return _in_process("tensors", runtime, "exact", model, patches, 1)


def _in_process(
    mode: _Mode, runtime: RuntimeInfo, kernels: Kernels, model: bytes, patches: NDArray[np.uint8], threads: int
) -> dict[str, NDArray[Any]]:
    with tempfile.TemporaryDirectory(prefix="axi-runtime-") as scratch:
        files = [Path(scratch, name) for name in ("model.tflite", "patches.npy", "found.npz")]
        files[0].write_bytes(model)
        np.save(files[1], patches)
        words = ["-m", "convert.conversion.runtimes", mode, runtime.name, kernels, str(threads), *map(str, files)]
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            said = done.stderr.strip().splitlines()[-1:] or ["no message"]
            raise GateRefused(
                f"no bundle written: {runtime.name} {runtime.version} ended with status {done.returncode}: {said[0]}; "
                "convert for this runtime, or name those to support in [quantisation] runtimes"
            )
        with np.load(files[2]) as found:
            return dict(found)


def _outputs(scorer: TfliteScorer, patches: NDArray[np.uint8], idle_mb: float) -> dict[str, NDArray[Any]]:
    answers, times = [], []
    for patch in patches:
        started = time.perf_counter()
        answers.append(scorer.run(patch))
        times.append(time.perf_counter() - started)
    features = [answer.features for answer in answers if answer.features is not None]
    found = {"features": np.concatenate(features)} if features else {}
    figures = np.array([1e3 * np.median(times), peak_mb(), idle_mb])
    return {"outputs": np.concatenate([answer.output for answer in answers]), "figures": figures, **found}


def _tensors(scorer: TfliteScorer, patches: NDArray[np.uint8], model: Path) -> dict[str, NDArray[Any]]:
    names = {tensor.name for operation in operations(model.read_bytes()) for tensor in operation.outputs}
    rows: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
    for patch in patches:
        scorer.run(patch)
        for name, values in scorer.tensors(names).items():
            rows[name].append(values)
    return {name: np.stack(values) for name, values in rows.items() if values}


def _main(mode: _Mode, runtime: RuntimeChoice, kernels: Kernels, threads: str, *files: str) -> None:
    if "tensorflow" in sys.modules:
        raise RuntimeError("this process exists to be without TensorFlow")
    model, patches, found = map(Path, files)
    joints, idle_mb, keep = np.load(patches), peak_mb(), mode == "tensors"
    scorer = TfliteScorer(
        model, None, choose_runtime(runtime), threads=int(threads), kernels=kernels, keep_tensors=keep
    )
    results = _tensors(scorer, joints, model) if keep else _outputs(scorer, joints, idle_mb)
    np.savez(found, **results)


def thread_count() -> int:
    return os.cpu_count() or 1


def supported(names: tuple[str, ...]) -> tuple[RuntimeInfo, ...]:
    """The installed runtimes with these names, or all of them. Raises ConfigError for one that is not installed."""
    found = installed_runtimes()
    for name in names:
        if name not in {runtime.name for runtime in found}:
            known = ", ".join(runtime.name for runtime in found) or "none"
            raise ConfigError(f"[quantisation] runtimes: {name!r} is not installed here (found: {known})")
    chosen = tuple(runtime for runtime in found if not names or runtime.name in names)
    if not chosen:
        raise ConfigError("no TFLite runtime is installed here; install axi-edge anew")
    return chosen


if __name__ == "__main__":
    _main(*sys.argv[1:])  # type: ignore[arg-type]
