"""TFLite models on either runtime: ai-edge-litert or tflite-runtime."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.core.card import Quantisation, TensorInfo
from edge.core.decide import Answer
from edge.core.errors import BundleRefused, ConfigError
from edge.core.preprocess import Patch
from edge.core.qualification import Kernels
from edge.judging.ports import DISTRIBUTIONS, RuntimeChoice
from edge.logs import without_lines


class RuntimeInfo(NamedTuple):
    """One TFLite runtime as installed here."""

    name: str
    module: str
    distribution: str
    version: str


_MODULES = {"litert": "ai_edge_litert.interpreter", "tflite-runtime": "tflite_runtime.interpreter"}
_REMEDY = "reinstall axi-edge with its constraints.txt (tflite-runtime needs numpy below 2)"


def installed_runtimes() -> tuple[RuntimeInfo, ...]:
    """The runtimes found here, the faster first; nothing is loaded."""
    found = []
    for name, distribution in DISTRIBUTIONS.items():
        try:
            version = importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
        found.append(RuntimeInfo(name, _MODULES[name], distribution, version))
    return tuple(found)


def trouble_with(runtime: RuntimeInfo) -> str:
    """Why the runtime cannot be loaded here; empty when it can."""
    try:
        _interpreter(runtime, "fast")
    except (ImportError, AttributeError) as error:
        return f"{runtime.name} {runtime.version} cannot be loaded ({error}); {_REMEDY}"
    return ""


def choose_runtime(choice: RuntimeChoice) -> RuntimeInfo:
    """The runtime that ``choice`` stands for. Raises ConfigError when it is not installed."""
    runtimes = installed_runtimes()
    for runtime in runtimes:
        if choice in {"auto", runtime.name}:
            return runtime
    have = ", ".join(runtime.name for runtime in runtimes) or "none"
    raise ConfigError(f"[inference] runtime: {choice!r} is not installed here (found: {have}); install axi-edge anew")


class TfliteScorer:
    """A loaded model: uint8 patch in, raw output out. Use it from one thread."""

    def __init__(
        self,
        model: Path | bytes,
        quantisation: Quantisation | None,
        runtime: RuntimeInfo,
        *,
        threads: int,
        kernels: Kernels = "fast",
        keep_tensors: bool = False,
    ) -> None:
        """Load a model and check its boundary against the card's. ``keep_tensors``: so that ``tensors`` can be read.

        Raises BundleRefused when the runtime cannot load it or the card describes another model, ConfigError when
        the runtime itself cannot be loaded.
        """
        source = str(model) if isinstance(model, Path) else "model"
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
        try:
            interpreter_class, options = _interpreter(runtime, kernels)
        except (ImportError, AttributeError) as error:
            raise ConfigError(
                f"[inference] runtime: {runtime.name} {runtime.version} cannot be loaded ({error}); {_REMEDY}"
            ) from error
        try:
            content = model.read_bytes() if isinstance(model, Path) else model
            options |= {"experimental_preserve_all_tensors": True} if keep_tensors else {}
            with without_lines(b"INFO: "):  # TFLite writes them as it loads a model
                self._interpreter: Any = interpreter_class(model_content=content, num_threads=threads, **options)
                self._interpreter.allocate_tensors()
        except (OSError, ValueError, RuntimeError) as error:
            raise BundleRefused(
                f"{source}: {runtime.name} {runtime.version} cannot load it ({error}); "
                "build the bundle for this runtime"
            ) from error
        (self._input,) = self._interpreter.get_input_details()
        # Named after one another by their numbers; files hold them in any order.
        self._output, *others = sorted(self._interpreter.get_output_details(), key=lambda details: details["name"])
        self._features = others[0] if others else None
        self._require_boundary(source, quantisation)
        self.runtime = runtime
        self.exact = kernels == "exact"

    def _require_boundary(self, source: str, quantisation: Quantisation | None) -> None:
        """Raises BundleRefused for a model that does not take grey values from 0 to 255, or is not the card's."""
        least = {np.uint8: 0, np.int8: -128, np.float32: 0}.get(self._input["dtype"])
        if least != self.input_info.zero_point:
            raise BundleRefused(f"{source}: its input {self.input_info} does not take grey values; rebuild the bundle")
        if quantisation is None:
            return
        for where, found, stated in (
            ("input is", self.input_info, quantisation.input),
            ("output is", self.output_info, quantisation.output),
            ("features are", self.features_info, quantisation.features),
        ):
            if found != stated:
                raise BundleRefused(
                    f"{source}: its {where} {found or 'missing'}, the card says {stated or 'there are none'}; rebuild "
                    "the bundle"
                )

    @property
    def accelerated(self) -> bool | None:
        """Does XNNPACK run any of it? None where the runtime does not tell."""
        listed = getattr(self._interpreter, "_get_ops_details", None)
        return None if listed is None else any(op["op_name"] == "DELEGATE" for op in listed())

    @property
    def input_info(self) -> TensorInfo:
        return _info(self._input)

    @property
    def output_info(self) -> TensorInfo:
        return _info(self._output)

    @property
    def features_info(self) -> TensorInfo | None:
        """Of the second output; None where there is none."""
        return None if self._features is None else _info(self._features)

    def run(self, patch: Patch) -> Answer:
        """Raw outputs for one uint8 patch (size, size, channels)."""
        self._interpreter.set_tensor(self._input["index"], _AS_INPUT[self._input["dtype"]](patch)[np.newaxis])
        self._interpreter.invoke()
        output = self._interpreter.get_tensor(self._output["index"])
        features = None if self._features is None else self._interpreter.get_tensor(self._features["index"])
        return Answer(output, features)

    def tensors(self, names: Collection[str]) -> dict[str, NDArray[np.float32]]:
        """Real values of these tensors after the last ``run``; the scorer must have been made to keep them."""
        found: dict[str, NDArray[np.float32]] = {}
        for details in self._interpreter.get_tensor_details():
            if details["name"] in names:
                scale, zero_point = details["quantization"]
                stored = self._interpreter.get_tensor(details["index"]).astype(np.float32)
                found[details["name"]] = (stored - np.float32(zero_point)) * np.float32(scale) if scale else stored
        return found


_AS_INPUT: dict[Any, Callable[[Patch], NDArray[Any]]] = {
    np.uint8: lambda patch: patch,
    np.int8: lambda patch: (patch ^ np.uint8(128)).view(np.int8),  # each grey value less 128
    np.float32: lambda patch: patch.astype(np.float32) / np.float32(255),
}
"""How a model of each input type takes grey values from 0 to 255."""


_RESOLVERS: dict[Kernels, str] = {
    "fast": "",
    "exact": "BUILTIN_WITHOUT_DEFAULT_DELEGATES",
    "reference": "BUILTIN_REF",
}
"""What the runtimes call each kind of kernels."""


def _interpreter(runtime: RuntimeInfo, kernels: Kernels) -> tuple[Any, dict[str, Any]]:
    module = importlib.import_module(runtime.module)
    resolver = _RESOLVERS[kernels]
    options = {"experimental_op_resolver_type": getattr(module.OpResolverType, resolver)} if resolver else {}
    return module.Interpreter, options


def _info(details: dict[str, Any]) -> TensorInfo:
    scale, zero_point = details["quantization"]
    return TensorInfo(
        dtype=np.dtype(details["dtype"]).name,  # type: ignore[arg-type]
        shape=tuple(int(n) for n in details["shape"]),
        scale=float(scale),
        zero_point=int(zero_point),
    )
