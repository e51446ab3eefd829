"""How recognition moves with the number of board types, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib import pyplot as plt

from convert.evaluation.curve import CurvePoint
from convert.reports.style import INK, save


def draw_curve(path: Path, points: Sequence[CurvePoint]) -> None:
    """Errors against board types, both logarithmic: what is missing to AUROC 1, false calls, escapes."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8))
    types = [point.board_types for point in points]
    low, high = ([getattr(point.auroc, end) for point in points] for end in ("low", "high"))
    left.fill_between(types, [1 - value for value in high], [1 - value for value in low], color=INK[0], alpha=0.2)
    left.plot(types, [1 - point.auroc.value for point in points], "o-", color=INK[0], label="1 - AUROC")
    for style, recall in (("s--", "0.90"), ("^-.", "0.95")):
        rates = [point.fpr_at_recall[recall].value for point in points]
        left.plot(types, rates, style, color=INK[1], label=f"FPR at {100 * float(recall):.0f} % recall")
    left.set(yscale="log", ylabel="on unseen board types")
    right.axhline(0.95, color=INK[5], linewidth=1, linestyle=":", label="recall asked for on validation")
    right.plot(types, [point.recall.value for point in points], "o-", color=INK[2], label="recall")
    right.plot(types, [point.worst_recall for point in points], "v--", color=INK[3], label="recall, worst board type")
    right.set(ylim=(0, 1.02), ylabel="at the threshold for recall 0.95")
    for axes in (left, right):
        axes.set(xscale="log", xlabel="board types learnt from")
        axes.set_xticks(types, [str(number) for number in types])
        axes.minorticks_off()
        axes.grid(alpha=0.25, which="both")
        axes.legend(frameon=False, fontsize=8)
    save(figure, path)
