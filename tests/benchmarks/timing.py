"""Time one model on one runtime, in a process without TensorFlow; prints quartiles in milliseconds as JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from edge.adapters.tflite import TfliteScorer, choose_runtime

ROUNDS = 60


def timed(action: Callable[[], object], rounds: int = ROUNDS) -> tuple[float, float, float]:
    """Quartiles in milliseconds."""
    samples = []
    for _ in range(rounds):
        started = time.perf_counter()
        action()
        samples.append(1e3 * (time.perf_counter() - started))
    low, middle, high = np.percentile(samples, [25, 50, 75])
    return float(low), float(middle), float(high)


def main(model: str, runtime: str, kernels: str, threads: str) -> None:
    scorer = TfliteScorer(
        Path(model),
        None,
        choose_runtime(runtime),
        threads=int(threads),
        kernels=kernels,  # type: ignore[arg-type]
    )
    patch = np.random.default_rng(0).integers(0, 256, (128, 128, 6)).astype(np.uint8)
    timed(lambda: scorer.run(patch), 5)
    print(json.dumps(timed(lambda: scorer.run(patch))))


if __name__ == "__main__":
    main(*sys.argv[1:])
