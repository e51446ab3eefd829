"""``make bench``: the int8 file of Table II beside its float32 twin, on every runtime here, in one run.

Medians with the spread of the middle half, and ratios; nothing here is compared with a figure of another run.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from convert.lowering.lower import lower
from convert.networks.cnn3d import cnn3d
from convert.quantise import quantise
from edge.adapters.tflite import installed_runtimes
from edge.core.job import Roi
from edge.core.preprocess import PreprocessSpec, prepare
from tests.benchmarks.timing import timed


def timed_apart(model: Path, runtime: str, kernels: str, threads: int) -> tuple[float, float, float]:
    """Quartiles from a process of its own: with TensorFlow beside them the runtimes share its kernels."""
    words = [sys.executable, "-m", "tests.benchmarks.timing", str(model), runtime, kernels, str(threads)]
    low, middle, high = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    return low, middle, high


def main() -> None:
    """Measure, print, and write docs/benchmarks.md."""
    rng = np.random.default_rng(0)
    patches = rng.integers(0, 256, (16, 128, 128, 6)).astype(np.uint8)
    program = lower(cnn3d(), patches)
    rows: list[tuple[str, tuple[float, float, float]]] = []
    with tempfile.TemporaryDirectory() as scratch:
        for scheme in ("float32", "int8"):
            model = Path(scratch, scheme)
            model.write_bytes(quantise(program, patches, scheme))  # type: ignore[arg-type]
            for runtime in installed_runtimes():
                for kernels in ("fast", "exact"):
                    for threads in (1, 2):
                        name = f"Table II {scheme}, {runtime.name} {runtime.version}, {kernels}, {threads} thread"
                        rows.append((name + "s" * (threads > 1), timed_apart(model, runtime.name, kernels, threads)))
    frame = cv2.GaussianBlur(rng.integers(0, 256, (1024, 1024)).astype(np.uint8), (0, 0), 2)
    for suffix in (".png", ".jpg", ".tiff", ".bmp"):
        raw = cv2.imencode(suffix, frame)[1]
        rows.append((f"decode 1024 x 1024 {suffix[1:]}", timed(lambda raw=raw: cv2.imdecode(raw, -1))))  # type: ignore[misc]
    slices = dict.fromkeys(range(4), frame)
    rows.append(
        (
            "crop and resample a joint of four slices",
            timed(lambda: prepare(PreprocessSpec(), slices, Roi(412, 300, 470, 358))),
        )
    )
    reference = min(quartiles[1] for name, quartiles in rows if name.startswith("Table II int8"))
    table = Table("what", "ms, median", "middle half", "ratio to fastest int8")
    lines = ["| what | ms, median | middle half | ratio to fastest int8 |", "|---|---|---|---|"]
    for name, (low, middle, high) in rows:
        cells = (name, f"{middle:.2f}", f"{low:.2f} to {high:.2f}", f"{middle / reference:.2f}")
        table.add_row(*cells)
        lines.append("| " + " | ".join(cells) + " |")
    Console().print(table)
    said = "Written by `make bench`; one run, batch 1, random weights. Compare ratios, not milliseconds."
    heading = f"# Benchmarks\n\n{said}\n\n"
    Path("docs/benchmarks.md").write_text(heading + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
