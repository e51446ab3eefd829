"""Figures of the quality index: what was learnt, how it follows the solder, what conversion did to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

mpl.use("Agg")

from matplotlib import pyplot as plt

from convert.lots.graded_truth import GradedRow, expected
from convert.lowering.layers import Network
from convert.metrics.grades import Recognition
from convert.reports.grade_tables import degrees, partition_of
from convert.reports.style import save
from convert.simulator.optical.experts import BOUNDARIES, DISAGREEMENT_BAND
from edge.core.grades import GRADES, in_words

COLOURS = ("#d1495b", "#edae49", "#3a7d44", "#1b6ca8", "#8d6a9f")
QUIET = "#9aa5ab"
_BAND = "#e9edef"


def draw_sets(path: Path, network: Network) -> None:
    """Membership functions over the coordinate, and the quality index that the rules make of them."""
    sets, rules = partition_of(network)
    spare = 0.12 * float(sets.high[-1] - sets.low[0])
    places = np.linspace(float(sets.low[0]) - spare, float(sets.high[-1]) + spare, 601)
    held = degrees(sets, places.tolist())
    figure, (above, below) = plt.subplots(2, 1, figsize=(8, 5.4), sharex=True, height_ratios=(3, 2))
    middles = [places[0], *((sets.high[:-1] + sets.low[1:]) / 2), places[-1]]
    for i, (grade, colour) in enumerate(zip(GRADES, COLOURS, strict=True)):
        above.plot(places, held[:, i], color=colour, lw=1.8)
        above.fill_between(places, held[:, i], color=colour, alpha=0.12)
        side = "left" if i == 0 else "right" if i == len(GRADES) - 1 else "center"
        above.text(float(middles[i]), 1.05, in_words(grade), color=colour, ha=side, va="bottom", fontsize=9)
        below.axhline(float(rules.consequents[i]), color=colour, lw=0.8, ls="--")
    above.set(ylabel="degree of membership", ylim=(0, 1.18))
    below.plot(places, held @ rules.consequents.astype(np.float64), color="#1d2429", lw=1.8)
    below.set(xlabel="coordinate u of solder amount", ylabel="quality index", ylim=(-0.03, 1.03))
    below.text(0.01, 0.93, "dashed: what each rule concludes", transform=below.transAxes, va="top", fontsize=8)
    for axes in (above, below):
        axes.grid(alpha=0.25)
    save(figure, path)


def draw_index(
    path: Path, rows: Sequence[GradedRow], qi: NDArray[np.float64], thresholds: Sequence[float], title: str
) -> None:
    """Quality index against the amount of solder that each joint was made with."""
    solder, grades = np.array([row.solder for row in rows]), expected(rows)
    figure, axes = plt.subplots(figsize=(8, 5.2))
    for boundary in BOUNDARIES:
        axes.axvspan(boundary - DISAGREEMENT_BAND, boundary + DISAGREEMENT_BAND, color=_BAND, zorder=0)
    for i, (grade, colour) in enumerate(zip(GRADES, COLOURS, strict=True)):
        chosen = grades == i
        axes.plot(solder[chosen], qi[chosen], ".", color=colour, ms=3.5, alpha=0.7, label=in_words(grade))
    for number, threshold in enumerate(thresholds, 1):
        axes.axhline(threshold, color=QUIET, lw=0.9, ls="--")
        axes.text(1.01, threshold, f"th{number}", transform=axes.get_yaxis_transform(), va="center", fontsize=8)
    axes.set(xlabel="amount of solder (simulated)", ylabel="quality index", xlim=(0, 1), ylim=(-0.02, 1.02))
    axes.legend(frameon=False, title="experts' majority", loc="upper left", markerscale=3)
    axes.set_title(f"{title}; grey: where experts disagree", fontsize=10)
    save(figure, path)


def draw_confusion(path: Path, parts: Sequence[tuple[str, Recognition]]) -> None:
    """Confusion matrices side by side, rows adding up to one."""
    figure, table = plt.subplots(1, len(parts), figsize=(4.8 * len(parts), 4.4), squeeze=False)
    for axes, (title, found) in zip(table[0], parts, strict=True):
        counts = np.array(found.confusion)
        axes.imshow(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), cmap="Blues", vmin=0, vmax=1)
        _write_counts(axes, counts)
        names = [in_words(grade).replace(" ", "\n") for grade in GRADES]
        axes.set_xticks(range(len(GRADES)), names, fontsize=7)
        axes.set_yticks(range(len(GRADES)), names, fontsize=7)
        axes.set(xlabel="grade given", ylabel="experts' majority")
        axes.set_title(f"{title}: {100 * found.recognised.value:.2f} %", fontsize=10)
    save(figure, path)


def _write_counts(axes: Any, counts: NDArray[np.int64]) -> None:
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            ink = "white" if shares[row, column] > 0.6 else "#1d2429"
            axes.text(column, row, str(count), ha="center", va="center", fontsize=8, color=ink)
