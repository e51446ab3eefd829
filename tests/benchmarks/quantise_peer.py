"""Quantise an ONNX file with a peer's own tool, in a process of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.engine import volumes


def _nncf(source: Path, patches: Any, target: Path) -> None:
    import nncf
    import openvino as ov

    model = ov.Core().read_model(source)
    dataset = nncf.Dataset(list(patches), lambda patch: volumes(patch[np.newaxis]))
    ov.save_model(nncf.quantize(model, dataset, subset_size=len(patches)), target, compress_to_fp16=False)


def _ort(source: Path, patches: Any, target: Path) -> None:
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self._patches: Iterator[Any] = iter(patches)

        def get_next(self) -> Any:
            patch = next(self._patches, None)
            return None if patch is None else {"slices": volumes(patch[np.newaxis])}

    quantize_static(
        source,
        target,
        Reader(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )


if __name__ == "__main__":
    tool, source, patches, target = sys.argv[1:]
    {"nncf": _nncf, "ort": _ort}[tool](Path(source), np.load(patches), Path(target))
