"""Which rank a factorisation may have: the smallest whose int8 file keeps the AUROC within budget, on validation."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
from numpy.typing import NDArray

from convert.conversion.quantise import quantised_file
from convert.conversion.recipe import Recipe
from convert.conversion.runtimes import run_on, thread_count
from convert.lots.lot import LabelledLot
from convert.lowering.features import with_features
from convert.lowering.layers import Network, number_of_weights
from convert.lowering.lower import lower_network
from convert.lowering.passes.factor import factor_layers
from convert.metrics.defects import Scores, auroc
from edge.core.errors import GateRefused
from edge.judging.runtime import RuntimeInfo


class RankTried(msgspec.Struct, frozen=True):
    """One rank's file, as measured. ``rank``: none for the network as it was handed over."""

    rank: int | None
    weights: int
    model_bytes: int
    median_ms: float
    auroc: float
    chosen: bool = False


def try_ranks(
    recipe: Recipe,
    network: Network,
    calibration: NDArray[np.uint8],
    validation: LabelledLot,
    runtime: RuntimeInfo,
    tell: Callable[[str], None],
) -> tuple[RankTried, ...]:
    """Convert and measure the network as it is, and with every rank of the recipe, the smallest first."""

    def tried(rank: int | None) -> RankTried:
        tell(f"trying {'the whole matrices' if rank is None else f'rank {rank}'}")
        small = network if rank is None else factor_layers(network, recipe.factorisation.layers, rank)
        asked = recipe.quantisation
        program = lower_network(small, calibration, recipe.lowering.passes, asked.bands)
        program = with_features(program, calibration)  # as it would ship
        model = quantised_file(program, calibration, asked.scheme, asked.keep_float)
        run = run_on(runtime, "fast", model, validation.patches, thread_count())
        # Bands fill up in order, so their sum orders joints as the logit does.
        ordered = run.outputs.astype(np.float64).sum(axis=1)
        found = auroc(ordered, validation.labels)
        return RankTried(rank, number_of_weights(small), len(model), run.median_ms, found)

    return tuple(tried(rank) for rank in (*sorted(recipe.factorisation.ranks), None))


def chosen_rank(
    tried: tuple[RankTried, ...], keras: Scores, validation: LabelledLot, budget: float
) -> tuple[RankTried, ...]:
    """The same with the smallest rank marked whose AUROC lies at most ``budget`` below Keras' own.

    Raises GateRefused where none does.
    """
    reference = auroc(keras, validation.labels)
    ranks = [tried_rank for tried_rank in tried if tried_rank.rank is not None]
    best = next((rank for rank in ranks if rank.auroc >= reference - budget), None)
    if best is None:
        closest = max(ranks, key=lambda one: one.auroc)
        raise GateRefused(
            f"no bundle written: no rank keeps the AUROC within {budget} of Keras' {reference:.4f} on "
            f"{validation.name}; rank {closest.rank} comes nearest with {closest.auroc:.4f}: offer larger ones in "
            "[factorisation] ranks, or fine-tune a factorised model"
        )
    return tuple(msgspec.structs.replace(tried_rank, chosen=tried_rank is best) for tried_rank in tried)
