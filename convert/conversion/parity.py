"""Keras against the converted model: the same joints, the same thresholds, the runtimes that ship."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from convert.conversion.runtimes import Run, outputs_on, run_on, thread_count
from convert.lots.lot import LabelledLot
from convert.metrics.defects import Scores
from edge.core.card import Quantisation
from edge.core.decide import reading_of, score_of
from edge.core.errors import GateRefused
from edge.core.qualification import Kernels
from edge.judging.runtime import RuntimeInfo

FLOAT_TOLERANCE = 1e-4
_KERNELS: tuple[Kernels, ...] = ("exact", "fast")
_Setting = tuple[Kernels, RuntimeInfo, int]


@dataclass(frozen=True)
class Measured:
    """Both sides' p_defect, or quality index, on one lot, float64 (n,)."""

    lot: LabelledLot
    keras: Scores
    tflite: Scores


@dataclass(frozen=True)
class Identity:
    """What a few joints gave on every runtime, with one and two threads. Raw outputs (n, bands).

    ``exact``: of the preferred runtime's exact kernels. ``others``: of every runtime's exact kernels, and ``fast``: of
    their fast ones, by name. ``differing``: runtimes whose exact kernels did not give the very same outputs.
    ``unsteady``: those whose fast kernels depend on the number of threads. ``features_apart``: how far features are
    from those of exact kernels at most, as they are stored; ``exact_features_apart``: between runtimes' exact kernels;
    ``features``: those (n, features), where there are any.
    """

    exact: NDArray[Any]
    others: dict[str, NDArray[Any]]
    fast: dict[str, NDArray[Any]]
    differing: tuple[str, ...]
    unsteady: tuple[str, ...]
    features_apart: float = 0.0
    features: NDArray[Any] | None = None
    exact_features_apart: float = 0.0


def run_everywhere(runtimes: Sequence[RuntimeInfo], model: bytes, patches: NDArray[np.uint8]) -> dict[str, Run]:
    """Every joint on every runtime's fast kernels, as devices run them; the preferred first."""
    return {runtime.name: run_on(runtime, "fast", model, patches, thread_count()) for runtime in runtimes}


def identity(runtimes: Sequence[RuntimeInfo], model: bytes, patches: NDArray[np.uint8], *, integer: bool) -> Identity:
    """Run joints on fast and exact kernels, with one and two threads, and compare what must be the same.

    Exact kernels: the same everywhere (floats: within 1e-4). Fast kernels: the same for any number of threads.
    """
    settings: list[_Setting] = list(product(_KERNELS, runtimes, (1, 2)))
    with ThreadPoolExecutor(thread_count()) as pool:
        jobs = [pool.submit(run_on, runtime, kernels, model, patches, n) for kernels, runtime, n in settings]
        runs = {setting: job.result() for setting, job in zip(settings, jobs, strict=True)}
    exact = runs["exact", runtimes[0], 1]
    apart = {setting: _features_apart(run, exact) for setting, run in runs.items()}

    def same(mine: Run, reference: Run) -> bool:
        if integer:
            return np.array_equal(mine.outputs, reference.outputs)
        return bool(np.allclose(mine.outputs, reference.outputs, rtol=0, atol=FLOAT_TOLERANCE))

    return Identity(
        exact.outputs,
        {_name(*setting): run.outputs for setting, run in runs.items() if setting[0] == "exact"},
        {_name(*setting): run.outputs for setting, run in runs.items() if setting[0] == "fast"},
        tuple(
            runtime.name
            for runtime in runtimes
            if not all(same(runs["exact", runtime, threads], exact) for threads in (1, 2))
        ),
        tuple(runtime.name for runtime in runtimes if not same(runs["fast", runtime, 2], runs["fast", runtime, 1])),
        float(np.max(list(apart.values()))),  # NaN where one is
        exact.features,
        float(np.max([far for setting, far in apart.items() if setting[0] == "exact"])),
    )


def _features_apart(mine: Run, reference: Run) -> float:
    """NaN where they are no numbers."""
    if mine.features is None or reference.features is None:
        return 0.0
    return float(np.abs(mine.features.astype(np.float64) - reference.features).max())


def _name(kernels: Kernels, runtime: RuntimeInfo, threads: int) -> str:
    return f"{runtime.name}, {kernels} kernels, {threads} thread" + "s" * (threads > 1)


def require_sense(outputs: NDArray[Any]) -> None:
    """Raises GateRefused when the model says the same of every joint, or what is no number."""
    if not np.isfinite(outputs).all():
        raise GateRefused("no bundle written: the converted model's outputs are not all numbers; convert it anew")
    if (outputs == outputs[0]).all():
        raise GateRefused("no bundle written: the model says the same of every joint; train or convert it anew")


def readings_apart(exact: NDArray[Any], others: Mapping[str, NDArray[Any]], quantisation: Quantisation) -> float:
    """The largest difference of a reading in any of ``others`` from the exact ones."""
    reference = readings_of(exact, quantisation)
    return max(float(np.abs(readings_of(other, quantisation) - reference).max()) for other in others.values())


def readings_of(outputs: NDArray[Any], quantisation: Quantisation) -> NDArray[np.float64]:
    """The defect logit, or the quality index, that each row of raw outputs shows."""
    return np.array([reading_of(row, quantisation) for row in outputs])


def scores_of(outputs: NDArray[Any], quantisation: Quantisation) -> Scores:
    """p_defect, or quality index, of each row of raw outputs, as the device computes it."""
    return np.array([score_of(row, quantisation) for row in outputs])


def device_scores(runtime: RuntimeInfo, model: bytes, patches: NDArray[np.uint8], quantisation: Quantisation) -> Scores:
    """``scores_of`` what the model gives as devices run it: on fast kernels, with every core."""
    return scores_of(outputs_on(runtime, "fast", model, patches, thread_count()), quantisation)


class RuntimeFigures(msgspec.Struct, frozen=True):
    """One runtime over the evaluation lot, a joint at a time: ``model_mb`` is what loading and running added."""

    name: str
    median_ms: float
    peak_mb: float
    model_mb: float
    identical: bool
