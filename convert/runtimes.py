"""Run a model on the runtimes that ship, each in a process of its own.

With TensorFlow in the same process the runtimes share its kernels (their symbols collide), and agree where on a device
they would not: so a process that measures them must never have loaded it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.adapters.tflite import Kernels, RuntimeChoice, RuntimeInfo, TfliteScorer, choose_runtime
from edge.core.errors import ConfigError


def outputs_on(
    runtime: RuntimeInfo, kernels: Kernels, model: bytes, patches: NDArray[np.uint8], threads: int
) -> NDArray[Any]:
    """Raw outputs (n, bands) of each patch (n, size, size, channels).

    Raises ConfigError with the process's last words.
    """
    with tempfile.TemporaryDirectory(prefix="axi-runtime-") as scratch:
        files = [Path(scratch, name) for name in ("model.tflite", "patches.npy", "outputs.npy")]
        files[0].write_bytes(model)
        np.save(files[1], patches)
        words = [sys.executable, "-m", "convert.runtimes", runtime.name, kernels, str(threads), *map(str, files)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            said = done.stderr.strip().splitlines()[-1:] or ["no message"]
            raise ConfigError(f"{runtime.name} ended with status {done.returncode}: {said[0]}")
        outputs: NDArray[Any] = np.load(files[2])
        return outputs


def _main(runtime: RuntimeChoice, kernels: Kernels, threads: str, model: str, patches: str, outputs: str) -> None:
    if "tensorflow" in sys.modules:
        raise RuntimeError("this process exists to be without TensorFlow")
    scorer = TfliteScorer(Path(model), None, choose_runtime(runtime), threads=int(threads), kernels=kernels)
    np.save(outputs, np.stack([scorer.run(patch)[0] for patch in np.load(patches)]))


def thread_count() -> int:
    return os.cpu_count() or 1


if __name__ == "__main__":
    _main(*sys.argv[1:])  # type: ignore[arg-type]
