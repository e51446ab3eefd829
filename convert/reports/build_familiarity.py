"""The part of a build's report that is about what looks familiar to the model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

from convert.conversion.familiarity import Acquaintance
from convert.lots.splits import MANY
from convert.reports.pages import Table, share
from convert.reports.style import INK, save


def familiarity_table(found: Acquaintance) -> Table:
    rows = tuple(
        (kind.group, kind.name, *map(str, (kind.joints, kind.unfamiliar, kind.released_before, kind.released)))
        for kind in found.kinds
    )
    right = found.familiarity.unfamiliar
    return Table(
        "What looks familiar",
        f"Learnt from {found.learnt_from} right joints, each a little varied too, with twelve pictures of no joint and "
        f"one wrong picture of it. The limit is set on {found.limited_by} joints{_whose(found)}. Of "
        f"{found.familiarity.measured_on} {share(right)} are unfamiliar. Here are kinds of wrong pictures: how many "
        "are unfamiliar, how many would be called normal at the default operating point, and how many of those look "
        "familiar and are released. Most kinds have their like among what was learnt from. Whether a joint is turned, "
        "mirrored or another one only its view can tell.",
        ("group", "kind", "pictures", "unfamiliar", "released before", "released still"),
        rows,
    )


def _whose(found: Acquaintance) -> str:
    if not found.apart:
        return ", some of boards that it learnt from"
    less = "" if found.apart == "board type" else "; of new board types this says less"
    return f" of {MANY[found.apart]} that nothing was learnt from{less}"


def draw_familiarity(path: Path, found: Acquaintance) -> None:
    """By kind, the share that would be released, before and with familiarity asked."""
    kinds = found.kinds[::-1]
    figure, axes = plt.subplots(figsize=(8.2, 0.24 * len(kinds) + 1))
    places = np.arange(len(kinds))
    before, after = ([kind.released_before for kind in kinds], [kind.released for kind in kinds])
    totals = np.array([kind.joints for kind in kinds])
    axes.barh(places, before / totals, 0.8, color="#d5dbdf", label="called normal")
    axes.barh(places, after / totals, 0.5, color=INK[1], label="and familiar: released")
    axes.set_yticks(places, [kind.name for kind in kinds], fontsize=8)
    axes.set(xlim=(0, 1), ylim=(-0.6, len(kinds) - 0.4), xlabel="share of the pictures")
    axes.grid(axis="x", alpha=0.25)
    axes.legend(frameon=False, fontsize=8, ncols=2, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)
    save(figure, path)
