"""Figures of a build: what conversion did to scores, joints and layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib import pyplot as plt

from convert.conversion.layer_errors import LayerError, most_costly
from convert.conversion.ranks import RankTried
from convert.reports.style import INK, save


def draw_ranks(path: Path, tried: Sequence[RankTried]) -> None:
    """Rank against AUROC, size and time; the whole network as a dashed line, the chosen rank in red."""
    ranks = [tried_rank for tried_rank in tried if tried_rank.rank is not None]
    whole = next(tried_rank for tried_rank in tried if tried_rank.rank is None)
    figure, panels = plt.subplots(1, 3, figsize=(11, 3.4))
    for axes, (label, value) in zip(panels, _RANK_PANELS.items(), strict=True):
        axes.plot([rank.rank for rank in ranks], [value(rank) for rank in ranks], "o-", color=INK[0], ms=5)
        axes.plot([o.rank for o in ranks if o.chosen], [value(o) for o in ranks if o.chosen], "o", color=INK[1], ms=9)
        axes.axhline(value(whole), color="#9aa5ab", lw=1, ls="--")
        axes.set_xscale("log", base=2)
        axes.set_xticks([rank.rank for rank in ranks], [str(rank.rank) for rank in ranks])
        axes.minorticks_off()
        axes.set(xlabel="rank (dashed: whole matrices; red: chosen)", ylabel=label)
        axes.grid(alpha=0.25)
    save(figure, path)


_RANK_PANELS: dict[str, Callable[[RankTried], float]] = {
    "AUROC on validation": lambda one: one.auroc,
    "file, MB": lambda one: one.model_bytes / 1e6,
    "ms a joint": lambda one: one.median_ms,
}


def draw_layer_errors(path: Path, layers: Sequence[LayerError]) -> None:
    """Signal-to-noise ratio along the network, and what each operation by itself does to the logit."""
    figure, axes = plt.subplots(1, 2, figsize=(11, max(2.5, 0.2 * len(layers))), sharey=True)
    worst = {error.name for error in most_costly(layers, 5)}
    colours = [INK[1] if layer.name in worst else INK[0] for layer in layers]
    places = range(len(layers))
    axes[0].barh(places, [min(layer.snr_db, 80.0) for layer in layers], color=INK[0])
    axes[0].set_yticks(places, [layer.name for layer in layers], fontsize=7)
    axes[0].set(xlabel="signal-to-noise ratio against float32, dB\n(with what earlier operations spoilt)")
    axes[1].barh(places, [layer.logit for layer in layers], color=colours)
    axes[1].set(xlabel="moves the reading by itself\n(red: most; pools and float operations move it little or not)")
    axes[1].locator_params(axis="x", nbins=5)
    for panel in axes:
        panel.grid(alpha=0.25, axis="x")
        panel.margins(y=0.01)
    axes[0].invert_yaxis()
    save(figure, path)
