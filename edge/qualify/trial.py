"""Golden joints and many varied ones, on one runtime, kind of kernels and number of threads: are they as recorded?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, product
from queue import SimpleQueue
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.bundle.format import Bundle
from edge.bundle.parity import Parity
from edge.core.decide import decide, reading_of
from edge.core.errors import AxiError, BundleRefused
from edge.core.preprocess import Patch
from edge.core.qualification import Kernels, Proved
from edge.core.rules import Rule
from edge.core.variants import variants
from edge.judging.loading import exact_as_recorded
from edge.judging.ports import Each
from edge.judging.replay import replay
from edge.judging.runtime import RuntimeInfo, TfliteScorer

KERNELS: tuple[Kernels, ...] = ("fast", "exact", "reference")
"""The faster first: what they leave of their time goes to the slower."""
_TOGETHER = 64
"""Joints a thread between two looks at the clock, at most."""


class Setting(NamedTuple):
    runtime: RuntimeInfo
    kernels: Kernels
    threads: int


class Candidate(NamedTuple):
    """A bundle to be tried. ``rules``: all by which its joints may be released; ``patches``: the varied joints that its
    record is of.
    """

    bundle: Bundle
    rules: tuple[Rule, ...]
    parity: Parity
    patches: Sequence[Patch]


def candidate_of(bundle: Bundle) -> Candidate:
    """Raises BundleRefused for one that holds no record to compare with."""
    if bundle.parity is None:
        raise BundleRefused(
            f"{bundle.path}: holds no parity.npz, which a device is compared with; build it anew with axi-convert build"
        )
    patches = variants([joint.patch for joint in bundle.golden], len(bundle.parity.exact))
    return Candidate(bundle, bundle.card.rules(), bundle.parity, list(patches))


def settings_here(runtimes: Sequence[RuntimeInfo], threads: Sequence[int]) -> list[Setting]:
    """Every one that there is."""
    return [Setting(runtime, kernels, n) for kernels, runtime, n in product(KERNELS, runtimes, threads)]


def tried(
    candidate: Candidate, setting: Setting, limit_s: float, clock: Callable[[], float] = time.monotonic
) -> Proved:
    """Score as many of the joints as ``limit_s`` allows, at least one, and compare."""
    bundle = candidate.bundle
    try:
        if setting.kernels == "exact" and not exact_as_recorded(bundle):
            raise BundleRefused("exact kernels round otherwise on this kind of processor")
        model, quantisation = bundle.model_path, bundle.card.quantisation
        scorers = [
            TfliteScorer(model, quantisation, setting.runtime, threads=1, kernels=setting.kernels)
            for _ in range(setting.threads)
        ]
        for scorer in scorers:
            replay(bundle, scorer)
    except AxiError as error:
        return _proved(candidate, setting, _Compared(joints=0, problem=str(error)), 0.0)
    started = clock()
    outputs = np.concatenate(list(_scored(candidate.patches, scorers, started + limit_s, clock)))
    return _proved(candidate, setting, _compared(candidate, setting, outputs), len(outputs) / (clock() - started))


def _scored(
    patches: Sequence[Patch], scorers: Sequence[TfliteScorer], until: float, clock: Callable[[], float]
) -> Iterator[NDArray[Any]]:
    """Raw outputs in order, until it is late. Ever more joints between two looks at the clock, but never for longer
    than all before them took.
    """
    free: SimpleQueue[TfliteScorer] = SimpleQueue()
    for scorer in scorers:
        free.put(scorer)

    def run(patch: Patch) -> NDArray[Any]:
        scorer = free.get()
        try:
            return scorer.run(patch).output
        finally:
            free.put(scorer)

    left, together = iter(patches), len(scorers)
    with ThreadPoolExecutor(len(scorers), "trial") as pool:
        each: Each = map if len(scorers) == 1 else pool.map
        while part := list(islice(left, together)):
            yield from each(run, part)
            if clock() > until:
                return
            together = min(2 * together, _TOGETHER * len(scorers))


class _Compared(NamedTuple):
    joints: int
    identical: bool | None = None
    flipped: int = 0
    furthest: float = 0.0
    problem: str = ""


def _compared(candidate: Candidate, setting: Setting, outputs: NDArray[Any]) -> _Compared:
    quantisation = candidate.bundle.card.quantisation
    recorded = candidate.parity.exact[: len(outputs)]
    pairs = list(zip(outputs, recorded, strict=True))
    if not all(np.isfinite(output).all() for output in outputs):
        return _Compared(len(outputs), problem="outputs are no numbers")
    furthest = max(abs(reading_of(a, quantisation) - reading_of(b, quantisation)) for a, b in pairs)
    flipped = max(
        sum(decide(a, quantisation, rule).call is not decide(b, quantisation, rule).call for a, b in pairs)
        for rule in candidate.rules
    )
    identical = _identical(candidate, setting, outputs)
    budget = candidate.parity.budget
    problem = ""
    if identical is False:
        problem = "outputs are not those that the build wrote down; install axi-edge anew"
    elif flipped > budget * len(outputs):
        problem = f"{flipped} of {len(outputs)} decisions are others than the build's; {budget:.1%} may be"
    return _Compared(len(outputs), identical, flipped, furthest, problem)


def _identical(candidate: Candidate, setting: Setting, outputs: NDArray[Any]) -> bool | None:
    """None where these kernels may round otherwise: fast ones, those of a model of floats, and the reference kernels of
    another runtime than the build's, which are of another age.
    """
    written, quantisation = candidate.parity.of(setting.kernels), candidate.bundle.card.quantisation
    preferred = next(iter(quantisation.runtimes), "").partition(" ")[0]
    of_another = setting.kernels == "reference" and setting.runtime.name != preferred
    if written is None or of_another or not quantisation.bit_identical:
        return None
    some = min(len(written), len(outputs))
    return np.array_equal(outputs[:some], written[:some])


def _proved(candidate: Candidate, setting: Setting, compared: _Compared, joints_per_s: float) -> Proved:
    golden = len(candidate.bundle.golden)
    return Proved(
        bundle=candidate.bundle.reference,
        runtime=setting.runtime.name,
        kernels=setting.kernels,
        threads=setting.threads,
        joints=golden + compared.joints if compared.joints else 0,
        of=golden + len(candidate.patches),
        identical=compared.identical,
        flipped=compared.flipped,
        furthest=round(compared.furthest, 4),
        joints_per_s=round(joints_per_s, 1),
        problem=compared.problem,
    )
